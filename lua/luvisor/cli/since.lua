--- A time in the past, as people say it.
-- @local

local time = require "luvisor.time"
local units = require "luvisor.supervisor.units"

local M = {}

local EXPECTED <const> = "expected a duration (10m: ten minutes ago) or a time "
  .. "(12:30, 2026-01-31, '2026-01-31 12:30:00'), got '%s'"

local DATE <const> = "^(%d%d%d%d)-(%d%d)-(%d%d)$"

local function date_of(text)
  if text == "" then
    local today = os.date "*t"
    return today.year, today.month, today.day
  end
  return text:match(DATE)
end

local function clock_of(text)
  if text == "" then return 0, 0, 0 end
  local hour, min, sec = text:match "^(%d%d?):(%d%d):?(%d?%d?)$"
  return hour, min, tonumber(sec) or 0
end

-- What os.time makes of a day that is not in the calendar is another day.
local function is_real(t)
  local back = os.date("*t", os.time { year = t.year, month = t.month,
                                       day = t.day })
  return back.day == tonumber(t.day) and tonumber(t.hour) < 24
    and tonumber(t.min) < 60 and t.sec < 60
end

local function parse_time(text)
  local date, clock = text:match "^(%d+%-%d+%-%d+)[ T]?(.*)$"
  if not date then date, clock = "", text end
  local t = {}
  t.year, t.month, t.day = date_of(date)
  t.hour, t.min, t.sec = clock_of(clock)
  if not t.year or not t.hour or text == "" then return nil end
  return is_real(t) and os.time(t) or nil
end

--- Read a duration (so long ago), or a local time: of today, if there is no
-- date; midnight, if there is no time of day.
-- @tparam string text "10m", "12:30", "2026-01-31", "2026-01-31 12:30:00"
-- @treturn number|nil seconds since 1970
-- @treturn string what was expected
function M.parse(text)
  local ago = units.duration(tonumber(text) or text)
  if ago then return time.wall() - ago end
  local at = parse_time(text)
  if at then return at end
  return nil, EXPECTED:format(text)
end

return M
