--- Any value as one text, the same for the same value: to compare specs, and
-- to show the effective configuration as Lua.
-- @module luvisor.supervisor.serial

local M = {}

local function is_word(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil
end

local function by_key(a, b)
  if type(a) == type(b) then return a < b end
  return type(a) == "number"
end

local function keys_of(t)
  local keys = {}
  for key in pairs(t) do
    if not (math.type(key) == "integer" and key >= 1 and key <= #t) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, by_key)
  return keys
end

local text

local function table_text(t, indent)
  local parts, deeper = {}, indent and indent .. "  "
  for _, value in ipairs(t) do parts[#parts + 1] = text(value, deeper) end
  for _, key in ipairs(keys_of(t)) do
    local name = is_word(key) and key or ("[%s]"):format(text(key))
    parts[#parts + 1] = name .. " = " .. text(t[key], deeper)
  end
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if not indent or #line + #indent < 70 and not line:find "\n" then
    return line
  end
  return "{\n" .. deeper .. table.concat(parts, ",\n" .. deeper) .. ",\n"
    .. indent .. "}"
end

local function function_text(f)
  local info = debug.getinfo(f, "S")
  return ("function:%s:%d:%s"):format(info.short_src, info.linedefined,
    pcall(string.dump, f, true) and string.dump(f, true) or tostring(f))
end

function text(value, indent)
  if type(value) == "table" then return table_text(value, indent) end
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "function" then
    if not indent then return function_text(value) end
    local info = debug.getinfo(value, "S")
    return ("nil --[[ function at %s:%d ]]"):format(info.short_src,
      info.linedefined)
  end
  return tostring(value)
end

--- A value as text.
-- @param value of Lua's own types
-- @tparam[opt] string indent with it, over several lines, for people
-- @treturn string
M.text = text

return M
