--- asyncio's Lock and Event.
-- As in Python a release does not hand the lock over: it wakes the first that
-- waits, and the lock is that one's when it runs. In between the lock is free
-- to look at (`locked()` is false) but not to take: who comes then stands in
-- the line behind. One that is cancelled between its wake-up and its run takes
-- nothing and passes the wake-up on.
-- @module luvisor.asyncio
-- @type Lock

local class = require "luvisor.asyncio.class"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local Lock = class.new("Lock", { types = {} })

--- Make a lock. Nobody holds it.
-- @function asyncio.Lock()
-- @treturn Lock
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local lock = asyncio.Lock()
--   do -- async with lock:
--     local _ <close> = lock:acquire()
--     assert(lock:locked())
--   end
--   assert(not lock:locked())
function Lock:_init()
  self._locked = false
  self._promised = false -- to one that was woken and has not run yet
  self._waiters = waiters.new "a lock"
end

-- Takes the lock if nobody has it or is about to.
function Lock:_take()
  if self._locked or self._promised then return false end
  self._locked = true
  return true
end

local function wake_first(self)
  self._promised = self._waiters:wake(true)
end

--- Take the lock. Waits, in turn, while it is taken. It is not reentrant: a
-- task that takes it twice waits for itself.
-- @treturn Lock the lock itself: a true value, as in Python, and one that
-- releases the lock at the end of its block: `local _ <close> = lock:acquire()`
-- is Python's `async with lock`
-- @raise the cancellation (nothing is taken); UsageError outside a task, if it
-- has to wait
function Lock:acquire()
  if self:_take() then return self end
  local woken = self._waiters:park()
  if woken and not core.is_cancelled() then
    self._promised, self._locked = false, true
    return self
  end
  if woken then wake_first(self) end
  core.raise_cancelled()
end

--- Release the lock and wake the task that has waited longest for it. Any task
-- may do so. Does not wait.
-- @raise UsageError: it is not locked
function Lock:release()
  if not self._locked then
    errors.usage("Lock: released, but it is not locked")
  end
  self._locked = false
  wake_first(self)
end

--- Is it taken?
-- @treturn boolean
function Lock:locked()
  return self._locked
end

Lock.__close = Lock.release

function Lock:__tostring()
  return class.describe(self, self._locked and "locked" or "unlocked",
                        self._waiters:count())
end

--- @type Event

local Event = class.new("Event", { types = {} })

--- Make an event. It is not set.
-- @function asyncio.Event()
-- @treturn Event
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local ready = asyncio.Event()
--   asyncio.create_task(function() ready:set() end)
--   ready:wait()
function Event:_init()
  self._set = false
  self._waiters = waiters.new "an event"
end

--- Set it. All who wait now go on, even if it is cleared before they run; who
-- comes later does not wait. Does not wait.
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
  if self._set then return true end
  if not self._waiters:park() or core.is_cancelled() then
    core.raise_cancelled()
  end
  return true
end

function Event:__tostring()
  return class.describe(self, self._set and "set" or "unset",
                        self._waiters:count())
end

return { Lock = Lock, Event = Event }
