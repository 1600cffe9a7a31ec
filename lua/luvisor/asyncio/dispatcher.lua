--- The queue of a loop's callbacks, and the one task that calls them.
-- A callback may wait, though Python's cannot: then another task goes on with
-- the rest of the queue. In a loop that has a nursery of its own the idle
-- dispatcher stays, parked; in the program's it ends, for the program would
-- wait for it.
-- @local

local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local handles = require "luvisor.asyncio.handles"
local scope = require "luvisor.core.scope"
local time = require "luvisor.core.time"

local M = {}

local callers = current.callers
local call, now = handles.call, time.now

local Dispatcher = {}
Dispatcher.__index = Dispatcher

--- Make the dispatcher of a loop.
-- @tparam Loop loop
-- @tparam boolean stays while it is idle
-- @treturn Dispatcher
function M.new(loop, stays)
  return setmetatable({
    _loop = loop, _stays = stays, _first = 1, _last = 0,
    _native = nil, -- the task that serves the queue
    _is_idle = false, _is_calling = false,
    _has_relief = false,
  }, Dispatcher)
end

local function call_and_time(loop, handle)
  local began = now()
  local text = tostring(handle)
  call(handle)
  local took = now() - began
  if took < loop.slow_callback_duration then return end
  io.stderr:write(("luvisor: asyncio: %s took %.3f s\n"):format(text, took))
end

local serve

-- This native task serves the queue from now on.
local function appoint(self, native)
  self._is_idle, self._is_calling = false, false
  self._native = native
  callers[native] = self._loop
end

-- The relief: runs after a batch. If that is not over, a callback waits.
local function relieve(self)
  self._has_relief = false
  if not self._is_calling then return end
  appoint(self, core.current())
  serve(self)
end

local function call_relief(self)
  if self._has_relief or self._loop._is_closed then return end
  self._has_relief = true
  self._loop:_spawn(relieve, self)
end

-- Calls what was in the queue at the beginning, unless another task took over
-- while a callback waited.
local function call_batch(self, me)
  local last = self._last
  if self._first < last then call_relief(self) end
  while self._first <= last and self._native == me do
    local i = self._first
    local handle = self[i]
    self[i] = nil
    self._first = i + 1
    local loop = self._loop
    if not handle._cancelled and (handle._is_own or not loop._is_closed) then
      self._is_calling = true
      if loop._debug then call_and_time(loop, handle) else call(handle) end
      if self._native == me then self._is_calling = false end
    end
  end
end

local function idle(self)
  if not self._stays then return false end
  self._is_idle = true
  return core.park "callbacks of its loop"
end

local function start(self)
  appoint(self, self._loop:_spawn(serve, self))
end

-- Closed when the serving task ends, however.
local Serving = {}

-- A callback may have cancelled the task that it was called by.
function Serving:__close(err)
  callers[self.native] = nil
  local dispatcher = self.dispatcher
  if dispatcher._native ~= self.native then return end
  dispatcher._native = nil
  dispatcher._is_idle, dispatcher._is_calling = false, false
  local is_left = err ~= nil and dispatcher._first <= dispatcher._last
  if is_left and not dispatcher._loop._is_closed then start(dispatcher) end
end

-- In a cancelled nursery nothing waits, and yet none is to be left out. A
-- program that is ending does not wait for callbacks that follow each other for
-- ever.
local function take_turn(loop)
  if not core.is_cancelled() then
    core.checkpoint()
  elseif loop._is_program then
    return false
  else
    scope.new "shield":run(core.checkpoint)
  end
  return true
end

function serve(self)
  local me = core.current()
  local _ <close> = setmetatable({ dispatcher = self, native = me }, Serving)
  while self._native == me do
    call_batch(self, me)
    if self._native ~= me then return end
    local goes_on
    if self._first <= self._last then
      goes_on = take_turn(self._loop)
    else
      goes_on = idle(self)
    end
    if not goes_on then return end
  end
end

--- Put a handle into the queue.
-- @tparam Handle handle
function Dispatcher:push(handle)
  local last = self._last + 1
  self._last = last
  self[last] = handle
  if not self._native then
    start(self)
  elseif self._is_idle then
    self._is_idle = false
    core.wake(self._native)
  elseif self._is_calling and core.current() ~= self._native then
    start(self) -- it waits in a callback
  end
end

--- Does one of its callbacks run now?
-- @treturn boolean
function Dispatcher:is_calling()
  return self._is_calling and core.current() == self._native
end

--- The calling task, which serves the queue, is about to wait in a callback.
function Dispatcher:hand_over()
  if self:is_calling() and self._first <= self._last then start(self) end
end

return M
