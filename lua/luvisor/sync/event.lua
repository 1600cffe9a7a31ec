--- An event: a flag that tasks wait for.
-- @module luvisor.sync
-- @type Event

local waiters = require "luvisor.waiters"

local M = {}

local Event = {}
Event.__index = Event
Event.__name = "luvisor.event"

--- Make an event. It is not set.
-- @function sync.event() -> Event
-- @treturn Event
-- @usage
--   local sync, task = require "luvisor.sync", require "luvisor.task"
--   local ready = sync.event()
--   task.spawn(function() ready:set() end)
--   ready:wait()
function M.new()
  return setmetatable({
    _set = false, _waiters = waiters.new "an event",
  }, Event)
end

--- Set it. All who wait now go on, even if it is cleared before they run; who
-- comes later does not wait. Setting it twice is harmless. Does not wait.
function Event:set()
  self._set = true
  self._waiters:wake_all(true)
end

--- Clear it: who waits from now on waits for the next `set`. Does not wait.
function Event:clear()
  self._set = false
end

--- Is it set?
-- @treturn boolean
function Event:is_set()
  return self._set
end

--- Wait until it is set; return at once where it is.
-- @treturn boolean true
-- @raise the cancellation; UsageError outside a task, if it has to wait
function Event:wait()
  return self._set or self._waiters:wait()
end

return M
