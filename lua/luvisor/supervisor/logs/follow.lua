--- Lines of a log as they are written.
-- @local

local tail = require "luvisor.supervisor.logs.tail"
local task = require "luvisor.task"

local M = {}

local GAP <const> = "luvisor: lines are missing here: too slow a reader"
local LONGEST <const> = 1 << 20 -- a longer line comes in parts

local Follower = {}
Follower.__index = Follower
Follower.__name = "luvisor.supervisor.log_follower"

-- One outlet's part of it.
local function new_source(outlet)
  outlet:open()
  return {
    reader = outlet.sink:follow(), recent = outlet.sink:recent(), rest = "",
    is_file = outlet.settings.target == "file", path = outlet.settings.path,
  }
end

local function lines_before(source, n)
  if n == 0 then return {} end
  if not source.is_file then
    return tail.last(tail.split(source.recent), math.min(n, M.KEPT))
  end
  while not source.reader:has_joined() do source.reader:wait() end
  return tail.lines(source.path, n, source.reader)
end

M.KEPT = 200 -- lines that are there of what goes to no file

--- Follow.
-- @tparam {Outlet,...} outlets
-- @tparam integer n lines of what was before
-- @treturn Follower
function M.new(outlets, n)
  local self = setmetatable({ _sources = {}, _lines = {}, _at = 1 }, Follower)
  for i, outlet in ipairs(outlets) do
    self._sources[i] = new_source(outlet)
  end
  for _, source in ipairs(self._sources) do
    local lines = lines_before(source, n)
    table.move(lines, 1, #lines, #self._lines + 1, self._lines)
  end
  return self
end

local function add(self, line)
  self._lines[#self._lines + 1] = line
end

local function flush(self, source)
  if source.rest ~= "" then add(self, source.rest) end
  source.rest = ""
end

local function put(self, source, bytes)
  local from = 1
  while true do
    local at = bytes:find("\n", from, true)
    if not at then break end
    add(self, source.rest .. bytes:sub(from, at - 1))
    source.rest, from = "", at + 1
  end
  source.rest = source.rest .. bytes:sub(from)
  if #source.rest >= LONGEST then flush(self, source) end
end

-- Is there anything new?
local function read(self, source)
  local bytes, gap = source.reader:read()
  if not bytes then return false end
  if gap then
    flush(self, source)
    add(self, GAP)
  end
  put(self, source, bytes)
  return true
end

local function is_over(self)
  for _, source in ipairs(self._sources) do
    if not source.reader:is_over() then return false end
  end
  return true
end

local function wait(self)
  local waits = {}
  for _, source in ipairs(self._sources) do
    if not source.reader:is_over() then
      waits[#waits + 1] = function() source.reader:wait() end
    end
  end
  if #waits == 1 then return waits[1]() end
  if #waits > 1 then task.race(table.unpack(waits)) end
end

-- What is there when nothing more will come.
local function finish(self)
  for _, source in ipairs(self._sources) do flush(self, source) end
  self._finished = true
end

-- Read until there is a line, or it is over.
local function fill(self)
  self._lines, self._at = {}, 1
  while not self._lines[1] and not self._finished do
    local over, news = is_over(self), false
    for _, source in ipairs(self._sources) do
      news = read(self, source) or news
    end
    if not news and over then
      finish(self)
    elseif not news then
      wait(self)
    end
  end
end

--- The next line; waits.
-- @treturn ?string nil when the log is closed
function Follower:next()
  if self._closed then return nil end
  if not self._lines[self._at] then fill(self) end
  local line = self._lines[self._at]
  self._at = self._at + 1
  return line
end

Follower.__call = Follower.next

--- Twice is harmless.
function Follower:close()
  self._closed = true
  for _, source in ipairs(self._sources) do source.reader:close() end
end

Follower.__close = Follower.close

return M
