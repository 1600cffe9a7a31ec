--- Luvisor's own log: each line one write, `time level service message
-- key=value` or JSON, to stderr.
-- @module luvisor.supervisor.journal

local stream = require "luvisor.stream"
local time = require "luvisor.time"

local M = {}

local levels = { debug = 1, info = 2, warning = 3, error = 4 }

local Journal = {}
Journal.__index = Journal
Journal.__name = "luvisor.supervisor.journal"

local MOST <const> = 1 << 20 -- bytes that may wait for whoever reads it

-- Never waits, for the lives of services go through here, and whoever reads it
-- may be slow, or gone. What the lives of some services say before we wait is
-- one write.
-- Returns whether the line is on its way.
local function to_stderr(line)
  local writer = stream.stderr
  writer:_gather()
  if writer:pending() + #line > MOST then return false end
  -- Having heard that nobody reads, we shall not fail for it at the end.
  if not writer:_put(line) then pcall(writer.drain, writer) end
  return true
end

--- Make one.
-- @tparam table settings format ("text" or "json"), level
-- @tparam[opt] function write called with each line, must not wait; false: it
-- is lost; default: stderr
function M.new(settings, write)
  local self = setmetatable({ _write = write or to_stderr, _lost = 0 }, Journal)
  self:change(settings)
  return self
end

--- Take other settings.
function Journal:change(settings)
  self._json, self._least = settings.format == "json", levels[settings.level]
end

local second, date -- the last that was asked for

local function stamp(at)
  local whole = math.floor(at)
  if whole ~= second then
    second, date = whole, os.date("!%Y-%m-%dT%H:%M:%S", whole)
  end
  return ("%s.%03dZ"):format(date, (at - whole) * 1000 // 1 | 0)
end

M.stamp = stamp

local function escaped(c)
  if c == "\n" then return "\\n" end
  if c == '"' or c == "\\" then return "\\" .. c end
  return ("\\x%02x"):format(c:byte())
end

-- A value that has blanks, quotes or what is not printed is quoted.
local function shown(value)
  local text = tostring(value)
  if text ~= "" and not text:find "[%s%c\"=\\]" then return text end
  return '"' .. text:gsub("[%c\"\\]", escaped) .. '"'
end

-- Nothing in it ends the line, or moves a terminal's cursor.
local function plain(text)
  text = tostring(text)
  return text:find "%c" and text:gsub("%c", escaped) or text
end

local function sorted(fields)
  local names = {}
  for name in pairs(fields) do
    if name ~= "service" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function text_line(level, message, fields)
  local head = stamp(time.wall()) .. " " .. level .. " "
    .. plain(fields.service or "-") .. " " .. plain(message)
  local names = sorted(fields)
  for i, name in ipairs(names) do
    names[i] = " " .. name .. "=" .. shown(fields[name])
  end
  names[#names + 1] = "\n"
  return head .. table.concat(names)
end

local function json_line(level, message, fields)
  local json = require "luvisor.json"
  local record = {}
  for name, value in pairs(fields) do record[name] = value end
  record.time, record.level = stamp(time.wall()), level
  record.message = message
  return json.encode(record) .. "\n"
end

--- Write a line, if its level is not below the least.
-- @tparam string level debug, info, warning, error
-- @tparam string message
-- @tparam[opt] table fields service, and any other
function Journal:write(level, message, fields)
  if levels[level] < self._least then return end
  local line_of = self._json and json_line or text_line
  if self._lost > 0 then
    local lost = line_of("warning", "lines of this log were lost",
      { lines = self._lost })
    if self._write(lost) ~= false then self._lost = 0 end
  end
  if self._write(line_of(level, message, fields or {})) == false then
    self._lost = self._lost + 1
  end
end

for level in pairs(levels) do
  Journal[level] = function(self, message, fields)
    self:write(level, message, fields)
  end
end

return M
