-- Schedules where the clock is put forward and back, and over years. Time zones
-- are rules in TZ, so no data base of them is needed; each needs a program of
-- its own.
local LUVISOR <const> = assert(os.getenv "LUVISOR")
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is = tap.is

local PROGRAM <const> = [[
local cron = require "luvisor.supervisor.cron"
local text, from, n = arg[1], tonumber(arg[2]), tonumber(arg[3])
local at, now, list = assert(cron.parse(text)), from, {}
for i = 1, n do
  now = cron.next({ at = at }, now)
  list[i] = os.date("%m-%d %H:%M %Z", now // 1 | 0)
end
print(table.concat(list, "\n"))
]]

-- The next n times after a time given as seconds since 1970.
local function times(tz, text, from, n)
  return process.capture { LUVISOR, "-e", PROGRAM, text, tostring(from),
    tostring(n), env = { TZ = tz } }
end

local BERLIN <const> = "CET-1CEST,M3.5.0,M10.5.0/3"
-- 2026-03-28 00:00 CET; forward on the 29th at 02:00.
local SPRING <const> = 1774652400
-- 2026-10-24 00:00 CEST; back on the 25th at 03:00.
local AUTUMN <const> = 1792792800

tap.test("a time that the clock leaves out is due when it is put forward",
  function()
    is(times(BERLIN, "30 2 * * *", SPRING, 3),
      "03-28 02:30 CET\n03-29 03:00 CEST\n03-30 02:30 CEST")
  end)

tap.test("a time that the clock shows twice is due once", function()
  is(times(BERLIN, "30 2 * * *", AUTUMN, 3),
    "10-24 02:30 CEST\n10-25 02:30 CEST\n10-26 02:30 CET")
end)

tap.test("what runs every hour or oftener goes by real time", function()
  is(times(BERLIN, "0 * * * *", SPRING + 86400 + 1, 3),
    "03-29 01:00 CET\n03-29 03:00 CEST\n03-29 04:00 CEST")
  is(times(BERLIN, "0 * * * *", AUTUMN + 86400 + 3601, 3),
    "10-25 02:00 CEST\n10-25 02:00 CET\n10-25 03:00 CET")
  is(times(BERLIN, "*/30 * * * *", AUTUMN + 86400 + 2 * 3600 + 1, 4),
    "10-25 02:30 CEST\n10-25 02:00 CET\n10-25 02:30 CET\n10-25 03:00 CET")
end)

tap.test("a midnight that there is not", function()
  -- 2026-11-01 00:00 becomes 01:00.
  local zone = "XXX3YYY,M11.1.0/0,M3.1.0/0"
  is(times(zone, "0 0 * * *", 1793404800, 3),
    "10-31 00:00 XXX\n11-01 01:00 YYY\n11-02 00:00 YYY")
end)

tap.test("half an hour of summer time", function()
  local lord_howe = "LHST-10:30LHDT-11,M10.1.0,M4.1.0" -- forward 10-04 02:00
  is(times(lord_howe, "15 2 * * *", 1790863200 + 86400, 3),
    "10-03 02:15 LHST\n10-04 02:30 LHDT\n10-05 02:15 LHDT")
end)

tap.test("leap days, and the last of a century", function()
  is(times("UTC", "0 0 29 2 *", 1772323200, 2),
    "02-29 00:00 UTC\n02-29 00:00 UTC")
  is(times("UTC", "59 23 31 12 *", 4102444740 - 86400, 1), "12-31 23:59 UTC")
end)

tap.test("weekdays over the end of a year", function()
  is(times("UTC", "0 9 * * mon", 1798416000, 2),
    "12-28 09:00 UTC\n01-04 09:00 UTC")
end)

tap.done()
