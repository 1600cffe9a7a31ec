--- Time limits of a block: `local _ <close> = asyncio.timeout(5)`.
-- When its time comes it cancels the Task that it is in, once; and when that
-- cancellation comes out of the block, it becomes Timeout. Any other
-- cancellation stays what it is.
-- @module luvisor.asyncio
-- @type Timeout

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"

local M = {}

local Timeout = {}
Timeout.__index = Timeout
Timeout.__name = "luvisor.asyncio.Timeout"

local function expire(self)
  self._state = "expiring"
  self._handle = nil
  self._task:cancel()
end

local function schedule(self, when)
  self._when = when
  if self._handle then self._handle:cancel() end
  self._handle = nil
  if when == nil then return end
  local loop = current.loop()
  self._handle = when <= loop:time() and loop:call_soon(expire, self)
    or loop:call_at(when, expire, self)
end

local function check_when(where, when)
  if when ~= nil and (type(when) ~= "number" or when ~= when) then
    errors.usage("%s: expected a number of seconds, or nil, got %s", where,
                 tostring(when))
  end
end

local function new(when, seconds)
  if current.callers[core.current()] then
    errors.usage "timeout: a callback of the loop has no Task to time"
  end
  local task = current.task()
  local self = setmetatable({
    _state = "active", _task = task, _cancelling = task:cancelling(),
    _seconds = seconds,
  }, Timeout)
  schedule(self, when)
  return self
end

--- When it expires, by the loop's clock.
-- @treturn ?number nil: never
function Timeout:when()
  return self._when
end

--- Let it expire at another time.
-- @tparam ?number when by the loop's clock; nil: never
-- @raise UsageError: it is over, or about to be
function Timeout:reschedule(when)
  check_when("reschedule", when)
  if self._state ~= "active" then
    errors.usage("reschedule: the timeout is %s", self._state)
  end
  schedule(self, when)
end

--- Has it cancelled its block?
-- @treturn boolean
function Timeout:expired()
  return self._state == "expiring" or self._state == "expired"
end

-- A scope of luvisor.task that is cancelled goes on being so: its error passes.
local function pass_on(err)
  if err ~= nil then core.catch(error, err, 0) end
end

local function refuse_again(err)
  if err ~= nil then return end
  errors.usage "timeout: its block has ended; a timeout is for one block"
end

function Timeout:__close(err)
  if self._handle then self._handle:cancel() end
  self._handle = nil
  if self._state == "active" then
    self._state = "finished"
    return
  elseif self._state ~= "expiring" then
    return refuse_again(err)
  end
  self._state = "expired"
  local left = self._task:uncancel()
  pass_on(err)
  if left <= self._cancelling and asyncio_errors.is_cancelled(err) then
    error(asyncio_errors.timeout(self._seconds, err), 0)
  end
end

function Timeout:__tostring()
  local when = ""
  if self._state == "active" then
    when = self._when and (" when=%.3f"):format(self._when) or " when=nil"
  end
  return ("<asyncio.Timeout [%s]%s>"):format(self._state, when)
end

local function enter(limit, fn, ...)
  if fn == nil then return limit end
  local _ <close> = limit
  return fn(...)
end

local function check_function(where, fn)
  if fn == nil or awaitable.is_callable(fn) then return end
  errors.usage("%s: expected a function, got %s", where, awaitable.show(fn))
end

--- Limit the time of the rest of the block, or of a function. At its end what
-- runs is cancelled where it waits, and Timeout is raised.
-- @function asyncio.timeout(delay, fn, ...)
-- @tparam ?number delay seconds; nil: no limit
-- @tparam[opt] function fn called with the further arguments; may wait
-- @return without fn a Timeout, for a variable with `<close>`; else fn's values
-- @raise Timeout, at the end of the block; UsageError: not in a task
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local ok, err = pcall(function()
--     local _ <close> = asyncio.timeout(0.01)
--     asyncio.sleep(10)
--   end)
--   print(err:is(asyncio.TimeoutError)) --> true
function M.timeout(delay, fn, ...)
  check_when("timeout", delay)
  check_function("timeout", fn)
  local when = delay and current.loop():time() + delay
  return enter(new(when, delay), fn, ...)
end

--- The same, up to a time of the loop's clock.
-- @function asyncio.timeout_at(when, fn, ...)
-- @tparam ?number when nil: no limit
-- @tparam[opt] function fn called with the further arguments; may wait
-- @return as `timeout`
-- @raise as `timeout`
function M.timeout_at(when, fn, ...)
  check_when("timeout_at", when)
  check_function("timeout_at", fn)
  return enter(new(when), fn, ...)
end

M.Timeout = setmetatable({}, {
  __index = Timeout, __name = "luvisor.asyncio.Timeout",
  __call = function(_, when) return M.timeout_at(when) end,
})

return M
