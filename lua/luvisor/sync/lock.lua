--- A lock: one at a time.
-- The lock knows the guard that holds it. A release hands it on to the guard
-- of the task that has waited longest: at no moment in between is it free.
-- @module luvisor.sync
-- @type Lock

local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local M = {}

local Lock = {}
Lock.__index = Lock
Lock.__name = "luvisor.lock"

local Guard = {}
Guard.__index = Guard
Guard.__name = "luvisor.lock.guard"

--- Make a lock. Nobody holds it.
-- @function sync.lock() -> Lock
-- @treturn Lock
-- @usage
--   local sync = require "luvisor.sync"
--   local lock = sync.lock()
--   do
--     local _ <close> = lock:acquire()
--     assert(lock:locked())
--   end
--   assert(not lock:locked())
function M.new()
  return setmetatable({ _waiters = waiters.new "a lock" }, Lock)
end

--- Is this value a lock?
-- @local
-- @param value anything
-- @treturn boolean
function M.is_lock(value)
  return getmetatable(value) == Lock
end

--- Take the lock. Waits, in turn, while another holds it. It is not reentrant:
-- a task that takes it twice waits for itself.
-- @treturn Guard releases the lock when it is closed (`<close>`, or
-- `guard:close()`), unless `release` did it already
-- @raise the cancellation (nothing is taken); UsageError outside a task, if
-- it has to wait
function Lock:acquire()
  local guard = setmetatable({ _lock = self }, Guard)
  if self._holder then
    self._waiters:wait(guard)
  else
    self._holder = guard
  end
  return guard
end

--- Release the lock, to the task that has waited longest. Any task may do it
-- (asyncio's rule). Does not wait.
-- @raise UsageError: nobody holds it
function Lock:release()
  if not self._holder then
    errors.usage("lock: released, but nobody holds it")
  end
  local _, next_holder = self._waiters:wake()
  self._holder = next_holder
end

--- Does anybody hold it?
-- @treturn boolean
function Lock:locked()
  return self._holder ~= nil
end

-- For the condition: let go, and take it again for the same guard.
function Lock:_suspend()
  local guard = self._holder
  self:release()
  return guard
end

function Lock:_resume(guard)
  if self._holder then
    self._waiters:wait(guard)
  else
    self._holder = guard
  end
end

--- Release the lock if this guard holds it. Closing twice is harmless, and so
-- is closing after `lock:release()`. Does not wait.
function Guard:close()
  local lock = self._lock
  if lock._holder == self then lock:release() end
end

Guard.__close = Guard.close

return M
