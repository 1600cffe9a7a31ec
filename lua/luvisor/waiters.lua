--- The queue of tasks that wait for one thing: first come, first served.
-- Every object of luvisor.sync keeps one. A waiter stands in a doubly linked
-- list, so that joining, being served and leaving early each cost the same
-- however many wait. Whoever is served gets its value at that moment: the
-- waker knows whether it was taken, and a cancelled task takes nothing.
-- @local

local core = require "luvisor.core.task"

local M = {}

local Waiters = {}
Waiters.__index = Waiters
Waiters.__name = "luvisor.waiters"

-- A place in the line. It leaves the line when the wait ends, however it ends:
-- served (the waker took it out), cancelled, or raised because nothing can
-- wait here.
local Place = {}
Place.__name = "luvisor.waiters.place"

local function join(self, data)
  local last = self._last
  local place = setmetatable({
    _line = self, _task = core.current(), _data = data, _prev = last,
  }, Place)
  if last then last._next = place else self._first = place end
  self._last = place
  self._count = self._count + 1
  return place
end

local function leave(place)
  local self = place._line
  if not self then return end
  local prev, next = place._prev, place._next
  if prev then prev._next = next else self._first = next end
  if next then next._prev = prev else self._last = prev end
  self._count = self._count - 1
  place._line = nil
end

Place.__close = leave

--- An empty line.
-- @tparam string why what the tasks in it wait for, for task.dump(): "a lock"
-- @treturn Waiters
function M.new(why)
  return setmetatable({ _why = why, _count = 0 }, Waiters)
end

--- Stand in the line until served or cancelled. Waits.
-- @param data what `wake` gives to the waker of this task, if anything
-- @treturn boolean false: the task was cancelled and stands in the line no
-- more; the caller cleans up and calls raise_cancelled
-- @return the value that it was served
-- @raise UsageError: not inside a task, or inside a call that cannot wait
function Waiters:park(data)
  local _ <close> = join(self, data)
  return core.park(self._why)
end

--- Stand in the line until served. Waits.
-- @param data as for `park`
-- @return the value that it was served
-- @raise the cancellation, UsageError as `park`
function Waiters:wait(data)
  local served, value = self:park(data)
  if not served then core.raise_cancelled() end
  return value
end

--- Serve the first that still waits. Never waits itself.
-- @param value what its `wait` returns
-- @treturn boolean false: nobody waits, the value is still the caller's
-- @return the data of the one that was served
function Waiters:wake(value)
  local place = self._first
  while place do
    leave(place)
    if core.wake(place._task, value) then return true, place._data end
    place = self._first
  end
  return false
end

--- Serve all who wait now, with the same value.
-- @param value what their `wait` returns
-- @treturn integer how many they were
function Waiters:wake_all(value)
  local count = 0
  while self:wake(value) do count = count + 1 end
  return count
end

--- How many stand in the line. One that was cancelled a moment ago counts
-- until it has run.
-- @treturn integer
function Waiters:count()
  return self._count
end

return M
