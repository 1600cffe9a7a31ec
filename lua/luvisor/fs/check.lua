--- Checks of what names a file and of its permissions: a number, or its octal
-- digits.
-- @local

local errors = require "luvisor.error"

local M = {}

--- Raise UsageError unless it can be a path.
-- @tparam string where the function, as it stands in messages
-- @param path
-- @tparam[opt="the path"] string what it is
function M.path(where, path, what)
  local good = type(path) == "string" and path ~= ""
    and not path:find("\0", 1, true)
  if good then return end
  local shown = type(path) == "string" and ("%q"):format(path) or type(path)
  errors.usage("%s: %s must be a string that is not empty and has no zero "
    .. "byte, got %s", where, what or "the path", shown)
end

--- The number that the system knows of permissions.
-- @tparam ?integer|string value one that has been checked, or nil
-- @treturn ?integer
function M.number(value)
  if type(value) == "string" and value:find("^[0-7]+$") then
    return tonumber(value, 8)
  end
  return value
end

--- The type of such an option, for luvisor.options.
-- @param value
-- @treturn boolean is it that?
-- @treturn string what it should be
function M.permissions(value)
  local n = M.number(value)
  local good = math.type(n) == "integer" and n >= 0 and n <= 4095
  return good, 'permissions, as "644"'
end

return M
