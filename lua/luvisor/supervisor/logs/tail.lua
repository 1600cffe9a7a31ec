--- The last lines of a log, found from its end, over rotated and compressed
-- files.
-- @local

local core = require "luvisor.core.sink"
local fs = require "luvisor.fs"
local process = require "luvisor.process"

local M = {}

local MOST <const> = 4 << 20 -- bytes in all

--- The lines of a text; its last one may have no newline. Patterns would take
-- the square of the time where lines are long.
-- @tparam string text
-- @treturn {string,...}
function M.split(text)
  local lines, from = {}, 1
  while from <= #text do
    local at = text:find("\n", from, true) or #text + 1
    lines[#lines + 1] = text:sub(from, at - 1)
    from = at + 1
  end
  return lines
end

--- The last n of a list.
function M.last(lines, n)
  if #lines <= n then return lines end
  return table.move(lines, #lines - n + 1, #lines, 1, {})
end

-- The end of what is in a compressed file.
local function unzipped(path)
  local p <close> = process.spawn {
    "gzip", "-dc", path, stdout = "pipe", stderr = "null", name = "gzip",
  }
  local chunks, size, first, last = {}, 0, 1, 0
  for chunk in p.stdout:chunks() do
    last, size = last + 1, size + #chunk
    chunks[last] = chunk
    while size - #chunks[first] >= MOST do
      size = size - #chunks[first]
      chunks[first], first = nil, first + 1
    end
  end
  return table.concat(chunks, "", first, last):sub(-MOST)
end

-- What is in the file of this number; nil: there is none.
local function text_of(path, number)
  local name = ("%s.%d"):format(path, number)
  if fs.exists(name .. ".gz") then return unzipped(name .. ".gz") end
  if fs.exists(name) then return (core.tail(name, math.maxinteger, MOST)) end
  return nil
end

--- The last lines.
-- @tparam string path
-- @tparam integer n how many, at most; 4 MiB in all
-- @param[opt] follower those before what it will read
-- @treturn {string,...}
-- @raise OSError
function M.lines(path, n, follower)
  local text, number, left = core.tail(path, n, MOST, follower)
  local parts = { M.split(text) }
  while left > 0 and number > 0 do
    local older = text_of(path, number)
    if not older then break end
    local lines = M.last(M.split(older), left)
    table.insert(parts, 1, lines)
    left, number = left - #lines, number + 1
  end
  local all = {}
  for _, lines in ipairs(parts) do
    table.move(lines, 1, #lines, #all + 1, all)
  end
  return all
end

return M
