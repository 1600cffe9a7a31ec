-- Durations, sizes and schedules.
local cron = require "luvisor.supervisor.cron"
local tap = require "luvisor.tap"
local units = require "luvisor.supervisor.units"

local is, ok = tap.is, tap.ok

tap.test("durations", function()
  for text, seconds in pairs {
    ["500ms"] = 0.5, ["10s"] = 10, ["5m"] = 300, ["1h"] = 3600,
    ["1h30m"] = 5400, ["2d"] = 172800, ["1.5s"] = 1.5,
  } do is(units.duration(text), seconds, text) end
  is(units.duration(7), 7)
  for _, bad in ipairs { "", "10", "s", "5 m", "-1s", "1x", -1, true, "1m2" } do
    is(units.duration(bad), nil, tostring(bad))
  end
end)

tap.test("sizes", function()
  for text, bytes in pairs {
    ["10"] = 10, ["64K"] = 65536, ["10M"] = 10485760, ["10MB"] = 10485760,
    ["1GiB"] = 1 << 30, ["1.5k"] = 1536, ["8 M"] = 8 << 20,
  } do is(units.size(text), bytes, text) end
  for _, bad in ipairs { "", "M", "10X", -1, 1.5, "ten" } do
    is(units.size(bad), nil, tostring(bad))
  end
end)

local function at(y, m, d, h, min, s)
  return os.time { year = y, month = m, day = d, hour = h, min = min,
                   sec = s or 0 }
end

local function next_of(text, now)
  local parsed = assert(cron.parse(text))
  return os.date("%Y-%m-%d %H:%M:%S", cron.next({ at = parsed }, now))
end

tap.test("the next time of an expression", function()
  local now = at(2026, 11, 21, 14, 23, 30) -- a Saturday
  for text, expected in pairs {
    ["* * * * *"] = "2026-11-21 14:24:00",
    ["*/5 * * * *"] = "2026-11-21 14:25:00",
    ["0 3 * * *"] = "2026-11-22 03:00:00",
    ["23 14 * * *"] = "2026-11-22 14:23:00",
    ["0 0 1 * *"] = "2026-12-01 00:00:00",
    ["0 0 1 1 *"] = "2027-01-01 00:00:00",
    ["0 9 * * mon-fri"] = "2026-11-23 09:00:00",
    ["0 9 * * 7"] = "2026-11-22 09:00:00",
    ["0 0 29 feb *"] = "2028-02-29 00:00:00",
    ["15,45 10-12/2 * * *"] = "2026-11-22 10:15:00",
    ["0 12 13 * fri"] = "2026-11-27 12:00:00",
    ["@daily"] = "2026-11-22 00:00:00",
    ["@hourly"] = "2026-11-21 15:00:00",
  } do is(next_of(text, now), expected, text) end
end)

tap.test("one that never comes", function()
  is(cron.next({ at = cron.parse "0 0 31 2 *" }, at(2026, 1, 1, 0, 0)),
    math.huge)
end)

tap.test("what is no expression is refused in words", function()
  for text, why in pairs {
    ["* * * *"] = "expected five fields", ["60 * * * *"] = "min is from 0",
    ["* * 0 * *"] = "day is from 1", ["a * * * *"] = "min is from",
    ["5-1 * * * *"] = "min is from", ["*/0 * * * *"] = "min is from",
    [""] = "expected five fields",
  } do
    local parsed, complaint = cron.parse(text)
    ok(parsed == nil and complaint:find(why, 1, true) ~= nil, text)
  end
end)

tap.test("every: a missed run is made up once", function()
  is(cron.next({ every = 300 }, 1000), 1300)
  is(cron.next({ every = 300 }, 1000, 900), 1200)
  is(cron.next({ every = 300 }, 10000, 900), 10000)
  is(cron.next({ every = 300 }, 1000, 5000), 1300, "the clock was set back")
end)

tap.test("at: a missed run is made up once", function()
  local daily = { at = cron.parse "0 3 * * *" }
  local now = at(2026, 11, 21, 14, 0)
  is(cron.next(daily, now, at(2026, 11, 19, 3, 0)), now)
  is(cron.next(daily, now, at(2026, 11, 21, 3, 0, 5)), at(2026, 11, 22, 3, 0))
end)

tap.test("the beats of a period keep its cadence", function()
  is(cron.beat(300, 1000, 1000), 1300)
  is(cron.beat(300, 1000, 1299), 1300)
  is(cron.beat(300, 1000, 1300), 1600)
  is(cron.beat(300, 1000, 99999), 100000)
  is(cron.beat(300, 1000, 500), 800, "the clock was set back")
end)

tap.done()
