--- When a job runs next. Pure: it is told the time.
-- A schedule is { every = seconds } or { at = fields }, the five fields of
-- cron(5) in local time; what the clock does in between (summer time, steps)
-- is os.date's to say.
-- @module luvisor.supervisor.cron

local M = {}

local MINUTE <const> = 60
local QUARTER <const> = 15 * MINUTE -- clocks are changed at quarters of hours
local DAY <const> = 24 * 60 * MINUTE
local SHIFT <const> = 60 * MINUTE -- by which clocks go back

local names = {
  month = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7,
            aug = 8, sep = 9, oct = 10, nov = 11, dec = 12 },
  wday = { sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6 },
}

local fields = {
  { "min", 0, 59 }, { "hour", 0, 23 }, { "day", 1, 31 }, { "month", 1, 12 },
  { "wday", 0, 7 },
}

local nicknames = {
  ["@yearly"] = "0 0 1 1 *", ["@annually"] = "0 0 1 1 *",
  ["@monthly"] = "0 0 1 * *", ["@weekly"] = "0 0 * * 0",
  ["@daily"] = "0 0 * * *", ["@midnight"] = "0 0 * * *",
  ["@hourly"] = "0 * * * *",
}

local function number_of(field, text)
  local known = names[field[1]]
  local n = known and known[text:lower()] or tonumber(text)
  if math.type(n) ~= "integer" or n < field[2] or n > field[3] then
    return nil
  end
  return n
end

-- "1-10/3" → from, to, step
local function range_of(field, part)
  local body, step = part:match "^([^/]+)/(%d+)$"
  body, step = body or part, tonumber(step or 1)
  if step < 1 then return nil end
  if body == "*" then return field[2], field[3], step end
  local low, high = body:match "^(%w+)-(%w+)$"
  local from = number_of(field, low or body)
  local to = high and number_of(field, high)
    or (step > 1 and field[3] or from)
  if not from or not to or (high and to < from) then return nil end
  return from, to, step
end

local function parse_field(field, text)
  local set = { any = text:sub(1, 1) == "*" }
  for part in text:gmatch "[^,]+" do
    local from, to, step = range_of(field, part)
    if not from then return nil end
    for n = from, to, step do set[n] = true end
  end
  if text:find "^,$" or text == "" then return nil end
  if field[1] == "wday" and set[7] then set[0] = true end
  return set
end

--- Read an expression of cron.
-- @tparam string text as "0 3 * * *", "*/5 * * * mon-fri", "@daily"
-- @treturn table|nil for `next`; nil and a sentence if it is none
function M.parse(text)
  local words = {}
  for word in (nicknames[text] or text):gmatch "%S+" do
    words[#words + 1] = word
  end
  if #words ~= 5 then
    return nil, ("expected five fields as in \"0 3 * * *\", got %d")
      :format(#words)
  end
  local at = { text = text }
  for i, field in ipairs(fields) do
    at[field[1]] = parse_field(field, words[i])
    if not at[field[1]] then
      return nil, ("the field %s is from %d to %d, got %q"):format(field[1],
        field[2], field[3], words[i])
    end
  end
  return at
end

-- As cron(5): if both day fields are restricted, one that fits is enough.
local function day_fits(at, date)
  local day, wday = at.day[date.day], at.wday[date.wday - 1]
  if at.day.any or at.wday.any then return day and wday end
  return day or wday
end

local function fits(at, date)
  return at.month[date.month] and day_fits(at, date) and at.hour[date.hour]
    and at.min[date.min]
end

local function next_minute(one, tomorrow)
  one.min = one.min + 1
  if one.min == 60 then one.hour, one.min = one.hour + 1, 0 end
  if one.hour < 24 then return end
  one.hour, one.day, one.month, one.wday = 0, tomorrow.day, tomorrow.month,
    tomorrow.wday
end

-- Would it have been due between two minutes that the clock shows one after the
-- other?
local function is_left_out(at, before, date)
  local gap = (date.hour * 60 + date.min - before.hour * 60 - before.min) % 1440
  for _ = 2, gap do
    next_minute(before, date)
    if fits(at, before) then return true end
  end
  return false
end

local function is_shown_again(date, time)
  if date.isdst then return false end
  local before = os.date("*t", time - SHIFT)
  return before.isdst and before.hour == date.hour and before.min == date.min
end

-- A time of day that the clock leaves out when it is put forward is due at once
-- afterwards; one that it shows twice is due when it is shown first. So has
-- cron(8), and not where every hour is meant.
local function is_due(at, date, time)
  if at.hour.any then return fits(at, date) end
  if fits(at, date) then return not is_shown_again(date, time) end
  return is_left_out(at, os.date("*t", time - MINUTE), date)
end

-- The first minute of a later day; the clock may not show midnight.
local function day_from(date, time, month, day)
  local start = os.time { year = date.year, month = month, day = day, hour = 0 }
  if start <= time then return time + QUARTER end
  return start
end

-- How far one may go on from a time at which it is not due.
local function step(at, date, time)
  if not at.month[date.month] then
    return day_from(date, time, date.month + 1, 1)
  elseif not day_fits(at, date) then
    return day_from(date, time, date.month, date.day + 1)
  elseif not at.hour[date.hour] then
    return time + QUARTER - time % QUARTER
  end
  return time + MINUTE
end

-- The next minute that is due, at most eight years ahead (29 February). It goes
-- by real time, for local time has gaps and comes twice.
local function next_match(at, now)
  local time = (math.floor(now) // MINUTE + 1) * MINUTE
  local limit = time + 8 * 366 * DAY
  while time < limit do
    local date = os.date("*t", time)
    if is_due(at, date, time) then return time end
    time = step(at, date, time)
  end
  return math.huge
end

--- The next beat of a period that began at `start`.
-- @tparam number every seconds
-- @tparam number start seconds since 1970
-- @tparam number now
-- @treturn number
function M.beat(every, start, now)
  if start > now then return now + every end -- the clock was set back
  return start + (math.floor((now - start) / every) + 1) * every
end

--- When it runs next.
-- @tparam table schedule every (seconds) or at (from `parse`)
-- @tparam number now seconds since 1970
-- @tparam[opt] number last when it last ran; a run that was missed since then
-- is due now, once
-- @treturn number seconds since 1970; math.huge: never
function M.next(schedule, now, last)
  local from = last or now
  if last and last > now then from = now end -- the clock was set back
  local due = schedule.every and from + schedule.every
    or next_match(schedule.at, from)
  return math.max(due, now)
end

return M
