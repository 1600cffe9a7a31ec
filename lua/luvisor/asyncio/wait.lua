--- wait, as_completed and wait_for.
-- @module luvisor.asyncio

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local futures = require "luvisor.asyncio.futures"
local queues = require "luvisor.asyncio.queues"
local tasks = require "luvisor.asyncio.tasks"
local timeouts = require "luvisor.asyncio.timeouts"

local M = {
  FIRST_COMPLETED = "FIRST_COMPLETED",
  FIRST_EXCEPTION = "FIRST_EXCEPTION",
  ALL_COMPLETED = "ALL_COMPLETED",
}

-- Futures of the awaitables in a list, each once.
local function to_futures(where, loop, list)
  if type(list) ~= "table" or awaitable.is_future(list)
    or getmetatable(list) ~= nil then
    errors.usage("%s: expected a list of awaitables, got %s", where,
                 awaitable.show(list))
  end
  for i, aw in ipairs(list) do
    awaitable.check(("%s: element %d"):format(where, i), aw)
  end
  local found, known = {}, {}
  for _, aw in ipairs(list) do
    if type(aw) == "function" or not known[aw] then
      known[aw] = true
      found[#found + 1] = tasks.ensure(loop, where, aw)
    end
  end
  return found
end

-- Entries of Futures that call a function, and are taken back at the end of a
-- block.
local Watch = {}
Watch.__index = Watch

local function watch(list, fn)
  local self = setmetatable({ list = list, _on_done = fn }, Watch)
  for _, future in ipairs(list) do
    if not future:done() then future:_add_entry(self) end
  end
  return self
end

function Watch:__close()
  for _, future in ipairs(self.list) do
    if not future:done() then future:_remove_entry(self) end
  end
  if self.handle then self.handle:cancel() end
end

local function release(future)
  if not future:done() then future:_settle_result() end
end

-- wait ------------------------------------------------------------------------

local function is_condition(value)
  return M[value] == value and type(value) == "string"
    and value:upper() == value,
    "FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED"
end

local wait_options = { timeout = "number", return_when = is_condition }

-- Does it end the wait, though others are left?
local ends_wait = {
  FIRST_COMPLETED = function() return true end,
  FIRST_EXCEPTION = function(future)
    if future:cancelled() or future._exception == nil then return false end
    futures.retrieve(future)
    return true
  end,
  ALL_COMPLETED = function() return false end,
}

-- Lists that also answer, as Python's sets do, what is in them: done[t].
local function as_set(list)
  local set = {}
  for _, value in ipairs(list) do set[value] = true end
  return setmetatable(list, { __index = set, __name = "list" })
end

local function sort_out(list)
  local done, pending = {}, {}
  for _, future in ipairs(list) do
    local into = future:done() and done or pending
    into[#into + 1] = future
  end
  return as_set(done), as_set(pending)
end

local function wait(loop, list, ends, seconds)
  local left, gate = 0, loop:create_future()
  gate._why = "the first of several Futures"
  for _, future in ipairs(list) do
    if not future:done() then
      left = left + 1
    elseif ends(future) then
      return
    end
  end
  if left == 0 then return end
  local watching <close> = watch(list, function(_, future)
    left = left - 1
    if left == 0 or ends(future) then release(gate) end
  end)
  if seconds then watching.handle = loop:call_later(seconds, release, gate) end
  gate:await()
end

--- Wait for several awaitables: until all are done, or the first, or the first
-- that fails. It raises none of their errors, and a cancellation of the caller
-- does not cancel them.
-- @function asyncio.wait(aws, options)
-- @tparam table aws a list of awaitables
-- @tparam[opt] table options timeout: seconds; return_when: FIRST_COMPLETED,
-- FIRST_EXCEPTION or ALL_COMPLETED (the default)
-- @treturn table the list of the Futures that are done; `done[t]` says whether
-- t is in it
-- @treturn table the same of those that are not
-- @raise UsageError: the list is empty; Cancelled
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local quick = asyncio.create_task(asyncio.sleep, 0)
--   local slow = asyncio.create_task(asyncio.sleep, 0.1)
--   local done, pending = asyncio.wait({ quick, slow },
--     { return_when = asyncio.FIRST_COMPLETED })
--   print(#done, done[quick], pending[slow]) --> 1 true true
function M.wait(aws, options)
  options = awaitable.options("wait", wait_options, options)
  local loop = current.loop()
  local list = to_futures("wait", loop, aws)
  if #list == 0 then errors.usage "wait: the list of awaitables is empty" end
  local ends = ends_wait[options.return_when or "ALL_COMPLETED"]
  wait(loop, list, ends, options.timeout)
  return sort_out(list)
end

-- as_completed ----------------------------------------------------------------

local Completed = {}
Completed.__index = Completed
Completed.__name = "luvisor.asyncio.as_completed"

local function expire(self)
  self._is_expired = true
  for _ = 1, self._pending do self._queue:put_nowait(false) end
  self._watch:__close()
end

-- Waits for the next one.
function Completed:__call()
  if self._left == 0 then return nil end
  local future = self._queue:get()
  self._left = self._left - 1
  if future then return future end
  error(asyncio_errors.timeout(self._seconds), 0)
end

function Completed:__close()
  self._watch:__close()
end

--- Iterate over awaitables in the order in which they are done. All of them run
-- from now on. Each turn waits for the next one, and gives its Future, which is
-- done.
-- @function asyncio.as_completed(aws, options)
-- @tparam table aws a list of awaitables
-- @tparam[opt] table options timeout: seconds for all of them
-- @treturn function an iterator of Futures; of those that were given, the very
-- same. It raises Timeout when its time is over, and Cancelled
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   for f in asyncio.as_completed { { asyncio.sleep, 0.1, "b" },
--                                   { asyncio.sleep, 0.01, "a" } } do
--     print(f:result()) --> a, then b
--   end
function M.as_completed(aws, options)
  options = awaitable.options("as_completed", { timeout = "number" }, options)
  local loop = current.loop()
  local list = to_futures("as_completed", loop, aws)
  local self = setmetatable({
    _queue = queues.Queue(), _left = #list, _pending = #list,
    _seconds = options.timeout,
  }, Completed)
  local function note(_, future)
    self._pending = self._pending - 1
    self._queue:put_nowait(future)
    local handle = self._pending == 0 and self._watch and self._watch.handle
    if handle then handle:cancel() end
  end
  for _, future in ipairs(list) do
    if future:done() then note(nil, future) end
  end
  self._watch = watch(list, note)
  if self._pending > 0 and options.timeout then
    self._watch.handle = loop:call_later(options.timeout, expire, self)
  end
  return self, nil, nil, self
end

-- wait_for --------------------------------------------------------------------

-- The limit stands by itself, or as Python's keyword.
local function limit_of(timeout)
  if type(timeout) == "table" then
    timeout = awaitable.options("wait_for", { timeout = "number" }, timeout)
      .timeout
  end
  if timeout ~= nil and (type(timeout) ~= "number" or timeout ~= timeout) then
    errors.usage("wait_for: the timeout must be a number of seconds or nil, "
      .. "got %s", tostring(timeout))
  end
  return timeout
end

-- Not by waiting for the Future itself: this wait can be cancelled, however
-- long that one takes to end.
local function cancel_and_wait(loop, future)
  local gate = loop:create_future()
  local _ <close> = watch({ future }, function() release(gate) end)
  future:cancel()
  if not future:done() then gate:await() end
end

-- There is no time: what has not begun does not begin.
local function take_now(loop, aw, seconds)
  local future = tasks.ensure(loop, "wait_for", aw)
  if not future:done() then cancel_and_wait(loop, future) end
  if future:cancelled() then error(asyncio_errors.timeout(seconds), 0) end
  return future:result()
end

--- Wait for an awaitable, but no longer than this: then it is cancelled, and
-- when it has ended Timeout is raised. A function runs in the calling task;
-- with a limit of 0 it is not called at all. Cancelling the caller cancels it.
-- @function asyncio.wait_for(aw, timeout)
-- @param aw an awaitable
-- @tparam ?number timeout seconds; nil: no limit. Or a table with `timeout`
-- @return its values; also those of one that was too late, but did not let
-- itself be cancelled
-- @raise Timeout; its error; Cancelled
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   print(asyncio.wait_for({ asyncio.sleep, 0.01, "slept" }, 5)) --> slept
function M.wait_for(aw, timeout)
  awaitable.check("wait_for", aw)
  local seconds = limit_of(timeout)
  if not seconds then return awaitable.invoke(aw) end
  if seconds <= 0 then return take_now(current.loop(), aw, seconds) end
  local _ <close> = timeouts.timeout(seconds)
  return awaitable.invoke(aw)
end

return M
