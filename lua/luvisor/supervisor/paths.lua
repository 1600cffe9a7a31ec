--- Paths as a configuration has them: relative to the folder of the file.
-- @local

local M = {}

-- What is above a link is not what stands before it.
local function parent_of(dir)
  if dir == "" or dir == "/" then return "" end
  local parent, last = dir:match "^(.*)/([^/]+)$"
  if not parent or last == ".." or last == "." then return nil end
  local fs = require "luvisor.fs" -- here: others only want the types of keys
  return not pcall(fs.readlink, dir) and parent or nil
end

--- An absolute path to the same file, without "." and ".." at its beginning.
-- Waits.
-- @tparam string path
-- @tparam string dir where it starts, absolute, if it is relative
-- @treturn string
function M.absolute(path, dir)
  if path:sub(1, 1) == "/" then return path end
  local rest = path
  while true do
    local word, behind = rest:match "^(%.%.?)/*(.*)$"
    local is_dots = word and (behind == "" or rest:find "^%.%.?/")
    local above = is_dots and (word == "." and dir or parent_of(dir))
    if not above then break end
    dir, rest = above, behind
    if rest == "" then return dir == "" and "/" or dir end
  end
  return (dir == "/" and "" or dir) .. "/" .. rest
end

return M
