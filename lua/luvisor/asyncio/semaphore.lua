--- asyncio's Semaphore and BoundedSemaphore.
-- The value is what nobody was promised: a release gives its unit to the first
-- that waits, which has it when it runs; until then `locked()` is true, and who
-- comes stands in the line, so that nobody overtakes. One that is cancelled
-- between the two gives the unit back.
-- @module luvisor.asyncio
-- @type Semaphore

local class = require "luvisor.asyncio.class"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local Semaphore = class.new("Semaphore",
                            { "value", types = { value = "size" } })

--- Make a semaphore.
-- @function asyncio.Semaphore([value])
-- @tparam[opt=1] integer value how many may hold it at once; 0 if the first
-- unit comes from a `release`
-- @treturn Semaphore
-- @raise UsageError: value is no integer of 0 or more
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local gate = asyncio.Semaphore(2)
--   local function visit()
--     local _ <close> = gate:acquire()
--     asyncio.sleep(0.01) -- never more than two at once
--   end
--   asyncio.gather(visit, visit, visit)
function Semaphore:_init(args)
  self._value = args.value or 1
  self._woken = 0 -- that were given a unit and have not run yet
  self._waiters = waiters.new "a semaphore"
end

local function wake_next(self)
  local woke = self._waiters:wake(true)
  if woke then
    self._value, self._woken = self._value - 1, self._woken + 1
  end
  return woke
end

-- While one that was woken had not run, others may have come to the line
-- though there were units.
local function serve(self)
  local woke = true
  while woke and self._value > 0 do woke = wake_next(self) end
end

--- Take one unit. Waits, in turn, while there is none.
-- @treturn Semaphore itself: a true value, as in Python, that gives the unit
-- back at the end of its block: `local _ <close> = semaphore:acquire()` is
-- Python's `async with semaphore`
-- @raise the cancellation (nothing is taken); UsageError outside a task, if it
-- has to wait
function Semaphore:acquire()
  if not self:locked() then
    self._value = self._value - 1
    return self
  end
  local woken = self._waiters:park()
  local cancelled = not woken or core.is_cancelled()
  if woken then self._woken = self._woken - 1 end
  if woken and cancelled then self._value = self._value + 1 end
  serve(self)
  if cancelled then core.raise_cancelled() end
  return self
end

--- Give one unit back, and wake the task that has waited longest. Does not
-- wait. It may be called more often than `acquire`; there are more units then.
function Semaphore:release()
  self._value = self._value + 1
  wake_next(self)
end

--- Would `acquire` have to wait?
-- @treturn boolean
function Semaphore:locked()
  return self._value == 0 or self._woken > 0
end

function Semaphore:__close()
  self:release()
end

function Semaphore:__tostring()
  local state = self:locked() and "locked"
    or ("unlocked, value:%d"):format(self._value)
  return class.describe(self, state, self._waiters:count())
end

local BoundedSemaphore = class.new("BoundedSemaphore", Semaphore._params,
                                   Semaphore)

--- Make a semaphore that never has more units than at first.
-- @function asyncio.BoundedSemaphore([value])
-- @tparam[opt=1] integer value
-- @treturn BoundedSemaphore
-- @raise as Semaphore
function BoundedSemaphore:_init(args)
  Semaphore._init(self, args)
  self._bound = self._value
end

--- Give one unit back.
-- @raise UsageError: it was not acquired so often
function BoundedSemaphore:release()
  if self._value >= self._bound then
    errors.usage("BoundedSemaphore: released more often than acquired "
      .. "(value = %d)", self._bound)
  end
  Semaphore.release(self)
end

return { Semaphore = Semaphore, BoundedSemaphore = BoundedSemaphore }
