--- asyncio's Condition.
-- @module luvisor.asyncio
-- @type Condition

local awaitable = require "luvisor.asyncio.awaitable"
local class = require "luvisor.asyncio.class"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local locks = require "luvisor.asyncio.locks"
local waiters = require "luvisor.waiters"

local function is_lock(value)
  local kind = type(value)
  local found = (kind == "table" or kind == "userdata") and value.acquire
    and value.release and value.locked
  return found ~= nil and found ~= false, "a lock"
end

local Condition = class.new("Condition",
                            { "lock", types = { lock = is_lock } })

--- Make a condition.
-- @function asyncio.Condition([lock])
-- @tparam[opt] Lock lock the lock that goes with it; several conditions may
-- share one. Anything that has acquire, release and locked will do. Without it
-- the condition has its own.
-- @treturn Condition
-- @raise UsageError: that is no lock
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local full, items = asyncio.Condition(), {}
--   asyncio.create_task(function()
--     local _ <close> = full:acquire()
--     items[1] = "bread"
--     full:notify()
--   end)
--   local _ <close> = full:acquire()
--   full:wait_for(function() return #items > 0 end)
function Condition:_init(args)
  self._lock = args.lock or locks.Lock()
  self._waiters = waiters.new "a condition"
end

--- Take its lock, as `lock:acquire()`. Waits.
-- @return what releases the lock at the end of its block
function Condition:acquire()
  return self._lock:acquire()
end

--- Release its lock, as `lock:release()`.
function Condition:release()
  self._lock:release()
end

--- Is its lock taken?
-- @treturn boolean
function Condition:locked()
  return self._lock:locked()
end

local function check_locked(self, name)
  if not self._lock:locked() then
    errors.usage("Condition: %s without the lock; acquire it first", name)
  end
end

-- Nobody gets out of `wait` without the lock: the code around it relies on
-- holding it. So a cancellation is felt only when the lock is taken again.
local function take_again(retake)
  local lock = retake.lock
  if lock._take and lock:_take() then return end
  require("luvisor.task").shield(lock.acquire, lock)
end

local Retake = { __close = take_again }

local function park_unlocked(self)
  local _ <close> = setmetatable({ lock = self._lock }, Retake)
  self._lock:release()
  return self._waiters:park()
end

local function notify(self, n)
  while n > 0 and self._waiters:wake(true) do n = n - 1 end
end

--- Release the lock, wait for a `notify`, take the lock again. Waits.
-- Test the state in a loop, or use `wait_for`: it may have changed again before
-- the lock was free.
-- @treturn boolean true
-- @raise UsageError: the lock is not taken; the cancellation, with the lock
-- taken again, even if it came after the notify: then another is notified
function Condition:wait()
  check_locked(self, "wait")
  local notified = park_unlocked(self)
  if notified and not core.is_cancelled() then return true end
  if notified then notify(self, 1) end
  core.raise_cancelled()
end

--- Wait until the predicate holds. It is called with the lock taken, first at
-- once and then after each notify. Waits.
-- @tparam function predicate without arguments
-- @return the predicate's value, which is not false or nil
-- @raise as `wait`, which is not called where the predicate holds at once
function Condition:wait_for(predicate)
  if not awaitable.is_callable(predicate) then
    errors.usage("Condition: wait_for: expected a function, got %s",
                 awaitable.show(predicate))
  end
  local value = predicate()
  while not value do
    self:wait()
    value = predicate()
  end
  return value
end

--- Wake the n tasks that have waited longest. They go on when the lock is
-- theirs, so not before the caller releases it. Does not wait.
-- @tparam[opt=1] integer n
-- @raise UsageError: the lock is not taken
function Condition:notify(n)
  check_locked(self, "notify")
  notify(self, n or 1)
end

--- Wake all who wait. Does not wait.
-- @raise UsageError: the lock is not taken
function Condition:notify_all()
  check_locked(self, "notify_all")
  notify(self, math.huge)
end

function Condition:__tostring()
  return class.describe(self, self:locked() and "locked" or "unlocked",
                        self._waiters:count())
end

return { Condition = Condition }
