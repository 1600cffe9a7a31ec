--- Restart policy: whether and when to start a service again after it ended.
-- Pure: it is told the time and keeps no timer, so tests need no clock.
-- @module luvisor.supervisor.restart

local M = {}

local Policy = {}
Policy.__index = Policy
Policy.__name = "luvisor.supervisor.restart"

--- Make a policy.
-- @tparam table backoff initial, factor, max (seconds), jitter (0 to 1),
-- reset_after: a run this long forgives what was before it (seconds)
-- @tparam table burst count, within (seconds), retry_after (seconds or false)
-- @tparam[opt=math.random] function random from 0 to 1
-- @usage
-- local p = restart.new({ initial = 0.1, factor = 2, max = 60, jitter = 0,
--                         reset_after = 10 },
--                       { count = 5, within = 30, retry_after = 300 })
-- p:started(0)
-- print(p:next(1, 1)) --> 0.1
function M.new(backoff, burst, random)
  local self = setmetatable({ _random = random }, Policy)
  self:set(backoff, burst)
  self:forgive()
  return self
end

--- Take other rules; what has been counted stays.
function Policy:set(backoff, burst)
  self._backoff, self._burst = backoff, burst
end

--- Forget what was: somebody asked for the start by hand.
function Policy:forgive()
  self._failures = 0
  self._starts = {}
end

-- Forget the starts that the burst's time is over for. Oldest first.
local function forget_old(self, now)
  local starts, since, n = self._starts, now - self._burst.within, 0
  while starts[n + 1] and starts[n + 1] <= since do n = n + 1 end
  if n > 0 then table.move(starts, n + 1, #starts + n, 1) end
end

--- A start is made.
-- @tparam number now seconds
function Policy:started(now)
  local starts, count = self._starts, self._burst.count
  forget_old(self, now)
  starts[#starts + 1] = now
  while #starts > count do table.remove(starts, 1) end
end

-- How many starts have been made within the burst's time.
local function recent(self, now)
  forget_old(self, now)
  return #self._starts
end

local function jittered(self, delay)
  local random = self._random or math.random
  return delay * (1 + self._backoff.jitter * (2 * random() - 1))
end

--- It ended after running for `lived` seconds and is to be started again.
-- @tparam number lived seconds
-- @tparam number now seconds
-- @treturn number|nil seconds to wait before the next start; nil: there were
-- too many starts, it has failed
-- @treturn number|false if it has failed: seconds after which to try again
function Policy:next(lived, now)
  local rule = self._backoff
  if lived >= rule.reset_after then self._failures = 0 end
  local delay = math.min(rule.initial * rule.factor ^ self._failures, rule.max)
  local grows = delay > 0 and delay < rule.max -- 0 times 2^1024 is no number
  if grows then self._failures = self._failures + 1 end
  if recent(self, now) >= self._burst.count then
    return nil, self._burst.retry_after
  end
  return jittered(self, delay)
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

--- Did it end well?
-- @tparam table spec the service
-- @tparam table status code or signal (a name)
-- @treturn boolean
function M.is_success(spec, status)
  if status.signal then return contains(spec.success_codes, status.signal) end
  return contains(spec.success_codes, status.code)
end

local wants_again = {
  always = function() return true end,
  ["on-failure"] = function(success) return not success end,
  never = function() return false end,
}

-- What on_exit may return, as an event of the machine.
local asked = { stop = "halted", restart = "retry", fail = "failed" }

--- What comes after an end that nobody asked for.
-- @tparam table spec the service
-- @tparam table status how it ended
-- @tparam[opt] string answer what on_exit returned: "stop", "restart", "fail"
-- @treturn string an event of the machine: retry, halted, failed, finished
-- (oneshot), again (job)
function M.verdict(spec, status, answer)
  if asked[answer] then return asked[answer] end
  local success = M.is_success(spec, status)
  if wants_again[spec.restart](success) and
    not (success and spec.type ~= "daemon") then return "retry" end
  if spec.type == "job" then return "again" end
  if not success then return "failed" end
  return spec.type == "oneshot" and "finished" or "halted"
end

return M
