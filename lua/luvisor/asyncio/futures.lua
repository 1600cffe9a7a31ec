--- Futures: results that are still to come.
-- A Future is a plain table: no C object belongs to it. Whoever waits for it
-- stands in its list of entries, in which each is told by its own `_on_done`
-- when the Future is settled: tasks go on, callbacks are queued by the loop.
-- @module luvisor.asyncio
-- @type Future

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local unretrieved = require "luvisor.asyncio.unretrieved"

local M = {}

local pack, unpack = table.pack, table.unpack
local park, is_cancelled = core.park, core.is_cancelled

local PENDING <const>, CANCELLED <const> = "PENDING", "CANCELLED"
local FINISHED <const> = "FINISHED"

local Future = {}
Future.__index = Future
Future.__name = "luvisor.asyncio.Future"
Future._is_future = true
Future._kind = "future" -- its name in the context of an exception handler
Future._state = PENDING

--- Make a Future by hand, of the running loop.
-- @function asyncio.Future()
-- @tparam[opt] table options loop
-- @treturn Future
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local fut = asyncio.Future()
--   asyncio.get_running_loop():call_soon(fut.set_result, fut, 42)
--   print(fut:await()) --> 42
local function construct(_, options)
  options = awaitable.options("asyncio.Future", { loop = "table" }, options)
  return setmetatable({ _loop = options.loop or current.loop() }, Future)
end

--- Make a Future of a loop.
-- @local
function M.new(loop)
  return setmetatable({ _loop = loop }, Future)
end

--- Make a class whose objects are Futures, too.
-- @local
-- @tparam string name as in messages
-- @treturn table its metatable and methods
function M.subclass(name)
  local class = {}
  for key, value in pairs(Future) do class[key] = value end
  class.__index = class
  class.__name = "luvisor.asyncio." .. name
  return class
end

-- Settling --------------------------------------------------------------------

local function settle(self, state)
  self._state = state
  local entries = self._entries
  if not entries then return end
  self._entries = nil
  for i = 1, #entries do entries[i]:_on_done(self) end
end

local function check_pending(self, where)
  if self._state ~= PENDING then
    asyncio_errors.invalid_state("%s: %s is settled already", where,
                                 tostring(self))
  end
end

-- A method that an object may not have, such as a Task's set_result, must be
-- there for those who settle it rightly.
local function settle_result(self, ...)
  if select("#", ...) > 1 then
    self._values = pack(...)
  else
    self._value = ...
  end
  settle(self, FINISHED)
end
Future._settle_result = settle_result

function Future:_settle_error(err, traceback)
  self._exception, self._traceback = err, traceback
  self._watch = unretrieved.watch(self)
  settle(self, FINISHED)
end

function Future:_settle_cancelled(reason)
  if reason ~= nil then self._reason = reason end
  settle(self, CANCELLED)
end

--- Settle it with a result.
-- @param ... its values
-- @raise InvalidState: it is settled
function Future:set_result(...)
  check_pending(self, "set_result")
  settle_result(self, ...)
end

--- Settle it with an error.
-- @param err any value but nil; an error object says most
-- @raise InvalidState: it is settled; UsageError: nil
function Future:set_exception(err)
  check_pending(self, "set_exception")
  if err == nil then errors.usage "set_exception: nil is no error" end
  self:_settle_error(err)
end

-- Somebody knows of the error now.
local function retrieve(self)
  local watch = self._watch
  if watch then watch.told, self._watch = true, nil end
end
M.retrieve = retrieve

--- Cancel it: who waits for it raises Cancelled.
-- @param[opt] msg becomes the `reason` of the Cancelled error
-- @treturn boolean false: it is settled already
function Future:cancel(msg)
  retrieve(self)
  if self._state ~= PENDING then return false end
  self:_settle_cancelled(msg)
  return true
end

-- Asking ----------------------------------------------------------------------

--- Is it settled: has it a result, an error, or was it cancelled?
-- @treturn boolean
function Future:done()
  return self._state ~= PENDING
end

--- Was it cancelled?
-- @treturn boolean
function Future:cancelled()
  return self._state == CANCELLED
end

local function check_settled(self, where)
  if self._state == PENDING then
    asyncio_errors.invalid_state("%s: %s is not done yet", where,
                                 tostring(self))
  elseif self._state == CANCELLED then
    error(asyncio_errors.cancelled(self._reason), 0)
  end
end

--- Its result.
-- @return the values
-- @raise its error; Cancelled; InvalidState: it is not done yet
function Future:result()
  if self._state ~= FINISHED then check_settled(self, "result") end
  if self._exception ~= nil then
    retrieve(self)
    error(self._exception, 0)
  end
  local values = self._values
  if values then return unpack(values, 1, values.n) end
  return self._value
end

--- Its error.
-- @return the error, or nil if it has a result
-- @raise Cancelled; InvalidState: it is not done yet
function Future:exception()
  check_settled(self, "exception")
  retrieve(self)
  return self._exception
end

--- The loop that it belongs to.
-- @treturn Loop
function Future:get_loop()
  return self._loop
end

local states = {
  [PENDING] = "pending", [CANCELLED] = "cancelled", [FINISHED] = "finished",
}

function Future:__tostring()
  local state = states[self._state]
  if self._exception ~= nil then state = "failed" end
  return ("<asyncio.Future at %p [%s]>"):format(self, state)
end

-- Entries ---------------------------------------------------------------------

--- Be told when it is done: `entry:_on_done(future)` is called then, before
-- whoever settles it goes on. It must neither raise nor wait.
-- @local
function Future:_add_entry(entry)
  local entries = self._entries
  if entries then
    entries[#entries + 1] = entry
  else
    self._entries = { entry }
  end
end

--- @local
-- @treturn boolean was it there?
function Future:_remove_entry(entry)
  local entries = self._entries or {}
  for i = #entries, 1, -1 do
    if entries[i] == entry then
      table.remove(entries, i)
      return true
    end
  end
  return false
end

local Callback = {}
Callback.__index = Callback

function Callback:_on_done(future)
  future._loop:call_soon(self.fn, future)
end

--- Have a function called, by the loop, when it is done; soon, if it is.
-- @tparam function fn called with the Future
function Future:add_done_callback(fn)
  if not awaitable.is_callable(fn) then
    errors.usage("add_done_callback: expected a function, got %s",
                 awaitable.show(fn))
  end
  if self._state == PENDING then
    self:_add_entry(setmetatable({ fn = fn }, Callback))
  else
    self._loop:call_soon(fn, self)
  end
end

--- Take a callback back, however often it was added.
-- @tparam function fn
-- @treturn integer how many times it was there
function Future:remove_done_callback(fn)
  local kept, entries = {}, self._entries or {}
  for _, entry in ipairs(entries) do
    local is_it = getmetatable(entry) == Callback and entry.fn == fn
    if not is_it then kept[#kept + 1] = entry end
  end
  if self._entries then self._entries = kept end
  return #entries - #kept
end

-- Waiting ---------------------------------------------------------------------

local function stop_waiting(self, task)
  task._waiting = nil
  self:_remove_entry(task)
end

-- The wait was interrupted. If a scope of luvisor.task was cancelled, or the
-- Future refuses to be, then the wait is over; else it lasts until what the
-- Future stands for has ended. (That was cancelled already if tasks wait for
-- each other in a ring: it has come back to us.)
local function interrupted(self, task)
  local once = core.uncancel(task._native)
  if is_cancelled() then
    stop_waiting(self, task)
    self:cancel()
    if once then core.cancel_once(task._native, task._reason) end
    core.raise_cancelled()
  end
  if not once then return end -- it was taken back
  if task._cancels ~= self and self:cancel(task._reason) then
    task._cancels = self
  else
    stop_waiting(self, task)
    core.cancel_once(task._native, task._reason)
    core.raise_cancelled()
  end
end

-- The Future is done. A cancellation that came since goes first; one that was
-- handed on to the Future comes back from it as the task's own.
local function settled(self, task)
  local asked = task._cancels == self
  task._cancels = nil
  if is_cancelled() then core.raise_cancelled() end
  if not asked or self._state ~= CANCELLED then return end
  local reason = self._reason
  if reason == nil then reason = task._reason end
  core.cancel_once(task._native, reason)
  core.raise_cancelled()
end

local function wait(self, task)
  if self == task then
    errors.usage("await: %s cannot wait for itself", tostring(self))
  end
  task._waiting = self
  self:_add_entry(task)
  repeat
    local may_wait, woken = pcall(park, self._why)
    if not may_wait then
      stop_waiting(self, task)
      error(woken, 0)
    end
    if not woken then interrupted(self, task) end
  until self._state ~= PENDING
  settled(self, task)
end

Future._why = "a Future"

--- Wait until it is done. Cancelling the calling task cancels the Future.
-- @return its values
-- @raise its error; Cancelled, if it was cancelled
function Future:await()
  if self._state == PENDING then wait(self, current.task()) end
  return self:result()
end

--- Wait until it is done, and leave its outcome alone.
-- @local
function Future:_wait()
  if self._state == PENDING then wait(self, current.task()) end
end

--- Is this value a Future or a Task?
-- @function asyncio.isfuture(value)
-- @param value any
-- @treturn boolean
M.isfuture = awaitable.is_future

M.Future = setmetatable({}, {
  __call = construct, __index = Future, __name = "luvisor.asyncio.Future",
})
M.class = Future

return M
