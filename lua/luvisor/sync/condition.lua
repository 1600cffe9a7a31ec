--- A condition: wait, holding a lock, for another task to change something.
-- @module luvisor.sync
-- @type Condition

local errors = require "luvisor.error"
local locks = require "luvisor.sync.lock"
local waiters = require "luvisor.waiters"

local M = {}

local Condition = {}
Condition.__index = Condition
Condition.__name = "luvisor.condition"

--- Make a condition.
-- @function sync.condition([lock]) -> Condition
-- @tparam[opt] Lock lock the lock that goes with it; several conditions may
-- share one. Without it the condition has its own.
-- @treturn Condition its lock is `condition.lock`
-- @raise UsageError: lock is no sync.lock()
-- @usage
--   local sync, task = require "luvisor.sync", require "luvisor.task"
--   local full, items = sync.condition(), {}
--   task.spawn(function()
--     local _ <close> = full:acquire()
--     items[1] = "bread"
--     full:notify()
--   end)
--   local _ <close> = full:acquire()
--   full:wait_for(function() return #items > 0 end)
function M.new(lock)
  if lock ~= nil and not locks.is_lock(lock) then
    errors.usage("sync.condition: lock must be a sync.lock(), got %s",
                 type(lock))
  end
  return setmetatable({
    lock = lock or locks.new(), _waiters = waiters.new "a condition",
  }, Condition)
end

--- Take its lock: `condition.lock:acquire()`.
-- @treturn Guard
function Condition:acquire()
  return self.lock:acquire()
end

--- Release its lock: `condition.lock:release()`.
function Condition:release()
  self.lock:release()
end

--- Does anybody hold its lock?
-- @treturn boolean
function Condition:locked()
  return self.lock:locked()
end

local function check_locked(self, name)
  if not self.lock:locked() then
    errors.usage("condition: %s without the lock; acquire it first", name)
  end
end

-- Nobody gets out of `wait` without the lock: the code around it relies on
-- holding it, and its guard will release it. So this wait is not cancelled.
local function take_again(self)
  local lock, guard = self._lock, self._guard
  if not lock:locked() then return lock:_resume(guard) end
  require("luvisor.task").shield(lock._resume, lock, guard)
end

local Retake = { __close = take_again }

local function let_go(lock)
  return setmetatable({ _lock = lock, _guard = lock:_suspend() }, Retake)
end

--- Let go of the lock, wait for a `notify`, take the lock again. Waits.
-- It may have to wait for the lock after the notify, and the state may have
-- changed again by then: test it in a loop, or use `wait_for`.
-- @treturn boolean true
-- @raise UsageError: the lock is not held; the cancellation, raised with the
-- lock taken again, even if others had to release it first (S31). A task that
-- was notified and then cancelled returns from this wait all the same.
function Condition:wait()
  check_locked(self, "wait")
  local _ <close> = let_go(self.lock)
  return self._waiters:wait()
end

--- Wait until the predicate holds. It is called with the lock held, first at
-- once and then after each notify. Waits.
-- @tparam function predicate without arguments; should not wait itself
-- @return the predicate's value, which is not false or nil
-- @raise as `wait`, which is not called where the predicate holds at once
function Condition:wait_for(predicate)
  local value = predicate()
  while not value do
    self:wait()
    value = predicate()
  end
  return value
end

--- Wake the task, or the n tasks, that have waited longest. They go on when
-- the lock is theirs, so not before the caller releases it. Does not wait.
-- @tparam[opt=1] integer n
-- @raise UsageError: the lock is not held
function Condition:notify(n)
  check_locked(self, "notify")
  n = n or 1
  while n > 0 and self._waiters:wake(true) do n = n - 1 end
end

--- Wake all who wait. Does not wait.
-- @raise UsageError: the lock is not held
function Condition:notify_all()
  check_locked(self, "notify_all")
  self._waiters:wake_all(true)
end

return M
