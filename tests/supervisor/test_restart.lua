-- Restart policy: told the time, so that years pass in a moment.
local restart = require "luvisor.supervisor.restart"
local tap = require "luvisor.tap"

local is, ok = tap.is, tap.ok

local function policy(backoff, burst, random)
  local b = { initial = 1, factor = 2, max = 10, jitter = 0, reset_after = 60 }
  for key, value in pairs(backoff or {}) do b[key] = value end
  local u = { count = 1000, within = 30, retry_after = 300 }
  for key, value in pairs(burst or {}) do u[key] = value end
  return restart.new(b, u, random)
end

tap.test("the delay grows by the factor, up to its most", function()
  local p, delays = policy(), {}
  for i = 1, 6 do delays[i] = p:next(0.1, i) end
  tap.is_deeply(delays, { 1, 2, 4, 8, 10, 10 })
end)

tap.test("a run of reset_after forgives what was before", function()
  local p = policy()
  p:next(0, 1)
  p:next(0, 2)
  is(p:next(59.9, 3), 4)
  is(p:next(60, 4), 1)
end)

tap.test("a thousand failures overflow nothing", function()
  local p = policy { factor = 10 }
  for _ = 1, 5000 do p:next(0, 0) end
  is(p:next(0, 0), 10)
  p = policy { initial = 0 }
  for _ = 1, 5000 do p:next(0, 0) end
  is(p:next(0, 0), 0, "no delay stays none")
end)

tap.test("jitter spreads the delay evenly around it", function()
  local least, most = math.huge, 0
  for i = 0, 100 do
    local p = policy({ jitter = 0.5 }, nil, function() return i / 100 end)
    local delay = p:next(0, 0)
    least, most = math.min(least, delay), math.max(most, delay)
  end
  is(least, 0.5)
  is(most, 1.5)
end)

tap.test("of a burst, count starts are allowed, the next is not", function()
  local p = policy({ initial = 0 }, { count = 3, within = 10 })
  for at = 1, 2 do
    p:started(at)
    is(p:next(0, at), 0)
  end
  p:started(3)
  local delay, retry_after = p:next(0, 3)
  is(delay, nil)
  is(retry_after, 300)
end)

tap.test("starts outside the time of the burst do not count", function()
  local p = policy({ initial = 0 }, { count = 3, within = 10 })
  for at = 0, 1000, 5 do
    p:started(at)
    ok(p:next(0, at), "at " .. at)
  end
end)

tap.test("forgive: a start by hand begins anew", function()
  local p = policy({}, { count = 1 })
  p:started(1)
  is(p:next(0, 1), nil)
  p:forgive()
  is(p:next(0, 1), 1)
end)

local function spec(type, policy_name, codes)
  return { type = type, restart = policy_name, success_codes = codes or { 0 } }
end

local cases = {
  { "daemon", "always", { code = 0 }, "retry" },
  { "daemon", "always", { code = 1 }, "retry" },
  { "daemon", "on-failure", { code = 0 }, "halted" },
  { "daemon", "on-failure", { code = 1 }, "retry" },
  { "daemon", "on-failure", { signal = "KILL" }, "retry" },
  { "daemon", "never", { code = 0 }, "halted" },
  { "daemon", "never", { code = 1 }, "failed" },
  { "daemon", "never", { signal = "SEGV" }, "failed" },
  { "oneshot", "never", { code = 0 }, "finished" },
  { "oneshot", "never", { code = 1 }, "failed" },
  { "oneshot", "on-failure", { code = 1 }, "retry" },
  { "oneshot", "always", { code = 0 }, "finished" },
  { "job", "never", { code = 0 }, "again" },
  { "job", "never", { code = 1 }, "again" },
  { "job", "on-failure", { code = 1 }, "retry" },
  { "job", "always", { code = 0 }, "again" },
}

tap.test("what comes after an end that nobody asked for", function()
  for _, case in ipairs(cases) do
    local kind, rule, status, expected = table.unpack(case)
    is(restart.verdict(spec(kind, rule), status), expected,
      ("%s, %s, %s"):format(kind, rule, status.code or status.signal))
  end
end)

tap.test("success_codes names codes and signals", function()
  local s = spec("daemon", "on-failure", { 0, 42, "TERM" })
  is(restart.verdict(s, { code = 42 }), "halted")
  is(restart.verdict(s, { signal = "TERM" }), "halted")
  is(restart.verdict(s, { code = 1 }), "retry")
  is(restart.verdict(s, { signal = "KILL" }), "retry")
end)

tap.test("what on_exit answers goes before the rule", function()
  local s = spec("daemon", "always")
  is(restart.verdict(s, { code = 1 }, "stop"), "halted")
  is(restart.verdict(s, { code = 1 }, "fail"), "failed")
  is(restart.verdict(spec("daemon", "never"), { code = 0 }, "restart"), "retry")
end)

tap.done()
