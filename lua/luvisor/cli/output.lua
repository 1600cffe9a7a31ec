--- What commands print: tables for people, JSON for programs.
-- @local

local errors = require "luvisor.error"
local stream = require "luvisor.stream"

local M = {}

--- The row of a command's args for --json.
M.JSON = { flag = "--json", description = "Print JSON." }

--- Print a value as JSON, on one line.
-- @param value
function M.json(value)
  io.write(require "luvisor.json".encode(value), "\n")
end

--- Write at once, and end the program quietly when nobody reads any more, as
-- in `luvisor logs -f | head`. Waits.
-- @tparam string text
function M.write(text)
  io.stdout:flush()
  local ok, err = pcall(stream.stdout.write, stream.stdout, text)
  if ok then return end
  if errors.is_error(err) and err:is "BrokenPipe" then os.exit(0) end
  error(err, 0)
end

local units = { { "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 } }

--- A duration as people say it: its two largest units.
-- @tparam number seconds
-- @treturn string as "3d 4h", "2m 5s", "0s"
function M.duration(seconds)
  local left = math.max(0, math.floor(seconds))
  local parts = {}
  for _, unit in ipairs(units) do
    local n = left // unit[2]
    left = left % unit[2]
    if n > 0 or #parts > 0 or unit[2] == 1 then
      parts[#parts + 1] = ("%d%s"):format(n, unit[1])
    end
    if #parts == 2 then break end
  end
  if parts[2] and parts[2]:find "^0" then parts[2] = nil end
  return table.concat(parts, " ")
end

--- A time of day; with its date, if that is not today.
-- @tparam number at seconds since 1970
-- @treturn string
function M.time(at)
  local day = os.date("%Y-%m-%d", math.floor(at))
  local clock = os.date("%H:%M:%S", math.floor(at))
  return day == os.date "%Y-%m-%d" and clock or day .. " " .. clock
end

-- How many columns it takes: continuation bytes of UTF-8 take none.
local function width(text)
  return #text - select(2, text:gsub("[\x80-\xbf]", ""))
end

local function widths_of(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, width(cell))
    end
  end
  return widths
end

--- Print rows in columns; the first row is their titles.
-- @tparam {{string,...},...} rows
function M.table(rows)
  local widths = widths_of(rows)
  for _, row in ipairs(rows) do
    local line = {}
    for i, cell in ipairs(row) do
      line[i] = cell .. (" "):rep(widths[i] - width(cell))
    end
    io.write((table.concat(line, "  "):gsub("%s+$", "")), "\n")
  end
end

--- Text that others wrote, on one line and without what would move a cursor.
-- @tparam string text
-- @treturn string
function M.plain(text)
  return (text:gsub("\n%s*", "; "):gsub("%c", "?"))
end

return M
