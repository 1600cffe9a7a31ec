--- Lines of a log by their time, which stands before each where the log is
-- configured so.
-- @local

local errors = require "luvisor.error"

local M = {}

local readers = {}

function readers.unix(line)
  return tonumber(line:match "^(%d+%.?%d*) ")
end

-- Days from 1970 to a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400
    + (153 * month - 457) // 5 + day - 719469
end

function readers.iso(line)
  local y, mo, d, h, mi, s =
    line:match "^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):([%d.]+)Z "
  if not y then return nil end
  return days(tonumber(y), tonumber(mo), tonumber(d)) * 86400
    + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s)
end

local function reader_of(inst)
  local stamps = inst.spec.log and inst.spec.log.timestamps
  if stamps == true then stamps = "iso" end
  local reader = stamps and readers[stamps]
  if reader then return reader end
  errors.usage("the log of %s has no times: give it "
    .. "`log = { timestamps = \"iso\" }`", inst.name)
end

--- Tells which lines of an instance are not older. A line without a time is as
-- old as the one before it.
-- @tparam Instance inst
-- @tparam ?number from seconds since 1970; nil: all lines
-- @treturn function called with each line
-- @raise UsageError: its log has no times
function M.filter(inst, from)
  if not from then return function() return true end end
  local reader, new = reader_of(inst), false
  return function(line)
    local time = reader(line)
    if time then new = time >= from end
    return new
  end
end

--- Those of a list that are not older.
-- @treturn {string,...}
function M.lines(inst, lines, from)
  local is_new, list = M.filter(inst, from), {}
  for _, line in ipairs(lines) do
    if is_new(line) then list[#list + 1] = line end
  end
  return list
end

return M
