--- File names by pattern: `*`, `?` and `[…]` within the parts of a path.
-- @module luvisor.supervisor.glob

local fs = require "luvisor.fs"

local M = {}

-- A shell's pattern as Lua's. A name that begins with a dot is matched by a
-- pattern that does.
local function lua_pattern(part)
  local pattern = part:gsub("[%^%$%(%)%%%.%+%-]", "%%%0"):gsub("%*", ".*")
    :gsub("%?", "."):gsub("%[!", "[^")
  return "^" .. pattern .. "$"
end

local function names_in(dir)
  local ok, list = pcall(fs.scandir, dir == "" and "/" or dir)
  if not ok then return {} end
  local names = {}
  for i, entry in ipairs(list) do names[i] = entry.name end
  table.sort(names)
  return names
end

local function exists(path)
  return (pcall(fs.stat, path))
end

local function matching(dir, part)
  if not part:find "[%*%?%[]" then
    local path = dir .. "/" .. part
    return exists(path) and { path } or {}
  end
  local pattern, paths = lua_pattern(part), {}
  for _, name in ipairs(names_in(dir)) do
    local hidden = name:sub(1, 1) == "." and part:sub(1, 1) ~= "."
    if not hidden and name:find(pattern) then
      paths[#paths + 1] = dir .. "/" .. name
    end
  end
  return paths
end

--- The files that a pattern names, sorted.
-- @tparam string pattern as "services.d/*.lua"
-- @tparam string dir where a relative one begins
-- @treturn {string,...}
function M.paths(pattern, dir)
  local dirs = { pattern:sub(1, 1) == "/" and "" or dir }
  for part in pattern:gmatch "[^/]+" do
    local found = {}
    for _, one in ipairs(dirs) do
      for _, path in ipairs(matching(one, part)) do found[#found + 1] = path end
    end
    dirs = found
  end
  return dirs
end

return M
