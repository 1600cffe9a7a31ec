--- Where the script called luvisor: for warnings that must say so.
-- @local

local core = require "luvisor.core.error"

local OWN <const> = debug.getinfo(1, "S").source:match "^(.*/)"

--- The line of the first caller that is not luvisor's.
-- @tparam[opt="?"] string otherwise when there is none
-- @treturn string "file:line"
return function(otherwise)
  return core.where(OWN) or otherwise or "?"
end
