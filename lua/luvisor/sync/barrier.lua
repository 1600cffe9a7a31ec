--- A barrier: nobody goes on before n have come.
-- @module luvisor.sync
-- @type Barrier

local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local M = {}

local Barrier = {}
Barrier.__index = Barrier
Barrier.__name = "luvisor.barrier"

--- Make a barrier. It can be used again and again: when n have come, they go
-- on and the next n meet at it.
-- @function sync.barrier(n) -> Barrier
-- @tparam integer n how many meet
-- @treturn Barrier
-- @raise UsageError: n is no positive integer
-- @usage
--   local sync, task = require "luvisor.sync", require "luvisor.task"
--   local start = sync.barrier(2)
--   task.spawn(start.wait, start)
--   print(start:wait())
function M.new(n)
  if math.type(n) ~= "integer" or n < 1 then
    errors.usage("sync.barrier: n must be a positive integer, got %s",
                 tostring(n))
  end
  return setmetatable({
    _parties = n, _broken = false, _waiters = waiters.new "a barrier",
  }, Barrier)
end

local function raise_broken()
  errors.raise { kind = "Closed", message = "barrier is broken" }
end

--- Wait until n tasks wait here; then all go on. Waits, but for the last one.
-- A cancelled waiter leaves and another must come in its place: it does not
-- break the barrier (asyncio's rule; threads differ). One that is cancelled in
-- the very moment in which the last one comes counts as having come.
-- @treturn integer 1 … n, in the order of their coming: each gets another one
-- @raise Closed ("barrier is broken") at and after `abort`, and for those who
-- wait at a `reset`; the cancellation; UsageError outside a task, if it has to
-- wait
function Barrier:wait()
  if self._broken then raise_broken() end
  local line = self._waiters
  if line:count() + 1 < self._parties then
    return line:wait() or raise_broken()
  end
  local index = 1
  while line:wake(index) do index = index + 1 end
  return index
end

--- Break it: all who wait and all who come raise Closed, until `reset`.
-- Does not wait.
function Barrier:abort()
  self._broken = true
  self._waiters:wake_all(false)
end

--- Make it as new: all who wait raise Closed, who comes later waits as at
-- first. Does not wait.
function Barrier:reset()
  self._broken = false
  self._waiters:wake_all(false)
end

--- How many wait at it now?
-- @treturn integer
function Barrier:waiting()
  return self._waiters:count()
end

--- Is it broken?
-- @treturn boolean
function Barrier:is_broken()
  return self._broken
end

return M
