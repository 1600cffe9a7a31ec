--- The queue of a loop's callbacks, and the one task that calls them.
-- A callback may wait, though Python's cannot: then another task goes on with
-- the rest of the queue. In a loop that has a nursery of its own the idle
-- dispatcher stays, parked; in the program's it ends, for the program would
-- wait for it.
-- @local

local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local handles = require "luvisor.asyncio.handles"
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

-- Calls what was in the queue at the beginning, unless another task took over
-- while a callback waited.
local function call_batch(self, me)
  local last = self._last
  while self._first <= last and self._native == me do
    local i = self._first
    local handle = self[i]
    self[i] = nil
    self._first = i + 1
    if not handle._cancelled then
      self._is_calling = true
      local loop = self._loop
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

-- Closed when the serving task ends, however.
local Serving = {}

function Serving:__close()
  callers[self.native] = nil
  local dispatcher = self.dispatcher
  if dispatcher._native ~= self.native then return end
  dispatcher._native = nil
  dispatcher._is_idle, dispatcher._is_calling = false, false
end

local function serve(self)
  local me = core.current()
  local _ <close> = setmetatable({ dispatcher = self, native = me }, Serving)
  while self._native == me do
    call_batch(self, me)
    if self._native ~= me then return end
    if self._first <= self._last then
      -- In a cancelled nursery nothing waits, and yet none is to be left out.
      if not core.is_cancelled() then core.checkpoint() end
    elseif not idle(self) then
      return
    end
  end
end

local function start(self)
  self._is_idle, self._is_calling = false, false
  self._native = self._loop:_spawn(serve, self)
  callers[self._native] = self._loop
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
