--- Lines of a stream that match a pattern.
-- @local

local M = {}

-- What is looked at of a line: a pattern with two "*" may take the square of
-- that, and what a service writes shall not hold up the others.
local LONGEST <const> = 4096

local Matcher = {}
Matcher.__index = Matcher
Matcher.__name = "luvisor.supervisor.matcher"

--- Make one.
-- @tparam string pattern
-- @tparam function fn called with the captures of each line that matches
-- @raise the pattern is none
function M.new(pattern, fn)
  string.find("", pattern)
  return setmetatable({ _pattern = pattern, _fn = fn, _rest = "" }, Matcher)
end

local function call(self, first, ...)
  if first ~= nil then self._fn(first, ...) end
end

local function look(self, line)
  if line:sub(-1) == "\r" then line = line:sub(1, -2) end
  call(self, line:match(self._pattern))
end

--- Bytes have come. Calls fn for each line that ends in them and matches.
-- @tparam string bytes
function Matcher:put(bytes)
  local from = 1
  while true do
    local at = bytes:find("\n", from, true)
    local part = bytes:sub(from, (at or 0) - 1)
    local room = LONGEST - #self._rest
    self._rest = self._rest .. (room > 0 and part:sub(1, room) or "")
    if not at then return end
    local line = self._rest
    self._rest, from = "", at + 1
    look(self, line)
  end
end

--- Nothing more comes of the line that is not ended.
function Matcher:flush()
  if self._rest == "" then return end
  local line = self._rest
  self._rest = ""
  look(self, line)
end

return M
