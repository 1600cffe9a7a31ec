--- Work for other processors: functions that run in worker processes, where
-- Python has threads. See luvisor.pool for what can be sent there: a function
-- that uses nothing from outside but globals, and arguments that can be copied.
-- @module luvisor.asyncio

local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local pools = require "luvisor.pool"

local M = {}

local Loop = {}

local function check_pool(where, pool)
  local meta = getmetatable(pool)
  if type(meta) == "table" and meta.__name == "luvisor.Pool" then return end
  errors.usage("%s: expected a pool of luvisor.pool, or nil", where)
end

local function pool_of(loop)
  loop._executor = loop._executor or pools.new()
  return loop._executor
end

--- Call a function in a worker process, and wait for its results.
-- @tparam ?Pool pool of luvisor.pool; nil: the loop's own, made at the first
-- call
-- @tparam function|string fn called with the further arguments, or the name of
-- a function of the pool's module
-- @return copies of its results
-- @raise its error; what `pool:call` raises; Cancelled: its worker is stopped
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local loop = asyncio.get_running_loop()
--   print(loop:run_in_executor(nil, function(n)
--     local sum = 0
--     for i = 1, n do sum = sum + i end
--     return sum
--   end, 1000)) --> 500500
function Loop:run_in_executor(pool, fn, ...)
  if pool ~= nil then check_pool("run_in_executor", pool) end
  pool = pool or pool_of(self)
  return pool:call(fn, ...)
end

--- Set the pool of `run_in_executor(nil, …)`. It is closed with the loop.
-- @tparam Pool pool
function Loop:set_default_executor(pool)
  check_pool("set_default_executor", pool)
  self._executor = pool
end

--- Close the loop's own pool. Waits until its workers are gone.
function Loop:shutdown_default_executor()
  local pool = self._executor
  self._executor = false
  if pool then pool:close() end
end

M.loop = Loop

--- Call a function in a worker process, and wait for its results: as
-- `run_in_executor` of the running loop. (Python's is a thread.)
-- @function asyncio.to_thread(fn, ...)
-- @tparam function fn called with the further arguments
-- @return copies of its results
-- @raise as `run_in_executor`
function M.to_thread(fn, ...)
  return Loop.run_in_executor(current.loop(), nil, fn, ...)
end

return M
