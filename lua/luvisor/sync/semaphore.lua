--- A semaphore: at most n at once.
-- A release hands its unit to the task that has waited longest, so the counter
-- is above zero only while nobody waits.
-- @module luvisor.sync
-- @type Semaphore

local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local M = {}

local Semaphore = {}
Semaphore.__index = Semaphore
Semaphore.__name = "luvisor.semaphore"

-- One unit taken; whoever closes it first gives it back.
local Guard = {}
Guard.__index = Guard
Guard.__name = "luvisor.semaphore.guard"

--- Make a semaphore.
-- @function sync.semaphore(n, [options]) -> Semaphore
-- @tparam integer n how many may hold it at once; 0 if the first unit comes
-- from a `release`
-- @tparam[opt] table options `max` (integer): a `release` that would leave
-- more than this raises UsageError (asyncio's BoundedSemaphore, S31);
-- without it release may be called any number of times
-- @treturn Semaphore
-- @raise UsageError: n is not an integer of 0 or more, or above max
-- @usage
--   local sync, task = require "luvisor.sync", require "luvisor.task"
--   local gate = sync.semaphore(2)
--   task.map({ 1, 2, 3 }, function()
--     local _ <close> = gate:acquire()
--     task.sleep(0.01) -- never more than two at once
--   end)
function M.new(n, options)
  if math.type(n) ~= "integer" or n < 0 then
    errors.usage("sync.semaphore: n must be an integer, 0 or more, got %s",
                 tostring(n))
  end
  local max = errors.check_options("sync.semaphore", options,
                                   { max = "count" }).max
  if max and n > max then
    errors.usage("sync.semaphore: n is %d, above max = %d", n, max)
  end
  return setmetatable({
    _value = n, _max = max or math.maxinteger,
    _waiters = waiters.new "a semaphore",
  }, Semaphore)
end

--- Take one unit. Waits, in turn, while there is none.
-- @treturn Guard gives the unit back when it is closed (`<close>`, or
-- `guard:close()`, once). Give it back either so or by `release`, not both.
-- @raise the cancellation (nothing is taken); UsageError outside a task, if
-- it has to wait
function Semaphore:acquire()
  if self._value > 0 then
    self._value = self._value - 1
  else
    self._waiters:wait()
  end
  return setmetatable({ _semaphore = self }, Guard)
end

--- Give one unit back, to the task that has waited longest. Does not wait.
-- @raise UsageError: more than `max`, where that was given
function Semaphore:release()
  if self._value >= self._max then
    errors.usage("semaphore: released more often than acquired (max = %d)",
                 self._max)
  end
  if not self._waiters:wake() then self._value = self._value + 1 end
end

--- Would `acquire` have to wait?
-- @treturn boolean
function Semaphore:locked()
  return self._value == 0
end

--- Give the unit back; closing twice is harmless. Does not wait.
function Guard:close()
  local semaphore = self._semaphore
  self._semaphore = nil
  if semaphore then semaphore:release() end
end

Guard.__close = Guard.close

return M
