-- What an input of the fuzzer stands for: choices, one after the other. After
-- its end all are the first.
-- local cursor = dofile(SOURCE .. "/tests/fuzz/cursor.lua")

local Cursor = {}
Cursor.__index = Cursor

function Cursor:byte()
  local byte = self.bytes:byte(self.at) or 0
  self.at = self.at + 1
  return byte
end

function Cursor:is_over()
  return self.at > #self.bytes
end

--- One of a list.
function Cursor:pick(list)
  return list[self:byte() % #list + 1]
end

--- Up to `most` bytes, as they are.
function Cursor:text(most)
  local size = self:byte() % (most + 1)
  local text = self.bytes:sub(self.at, self.at + size - 1)
  self.at = self.at + size
  return text
end

--- All that is left.
function Cursor:rest()
  local text = self.bytes:sub(self.at)
  self.at = #self.bytes + 1
  return text
end

return function(bytes)
  return setmetatable({ bytes = bytes, at = 1 }, Cursor)
end
