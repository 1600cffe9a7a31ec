--- Where the script called luvisor: for warnings that must say so.
-- @local

local OWN <const> = debug.getinfo(1, "S").source:match "^(.*/)"
local DEEPEST <const> = 12

--- The line of the first caller that is not luvisor's.
-- @tparam[opt="?"] string otherwise when there is none
-- @treturn string "file:line"
return function(otherwise)
  for level = 3, DEEPEST do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and info.source:sub(1, #OWN) ~= OWN then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return otherwise or "?"
end
