--- What commands print: text for people, JSON for programs.
-- @local

local errors = require "luvisor.error"
local screen = require "luvisor.cli.screen"
local stream = require "luvisor.stream"

local M = {}

--- The row of a command's args for --json.
M.JSON = { flag = "--json", description = "Print JSON." }

--- Write at once, and end the program quietly when nobody reads any more, as
-- in `luvisor logs -f | head`. Waits.
-- @tparam string ... texts
function M.write(...)
  local ok, err = pcall(stream.stdout.write, stream.stdout,
    table.concat { ... })
  if ok then return end
  if errors.is_error(err) and err:is "BrokenPipe" then os.exit(0) end
  error(err, 0)
end

--- Print a value as JSON, on one line.
-- @param value
function M.json(value)
  M.write(require "luvisor.json".encode(value), "\n")
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

--- Text that others wrote, on one line and without what would move a cursor.
-- @tparam string text
-- @treturn string
function M.plain(text)
  return (text:gsub("\n%s*", "; "):gsub("%c", "?"))
end

--- A line that others wrote: a terminal gets it without what would move its
-- cursor, all else gets it as it is. Colours stay.
-- @tparam string line
-- @treturn string
function M.line(line)
  if not screen.width() then return line end
  line = line:gsub("()\27", function(at)
    return not line:find("^\27%[[%d;]*m", at) and "?" or nil
  end)
  line = line:gsub("\xc2[\x80-\x9f]", "?")
  return (line:gsub("[%c\127]", function(c)
    return c ~= "\t" and c ~= "\27" and "?" or nil
  end))
end

return M
