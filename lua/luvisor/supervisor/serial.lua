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

-- Those that are no places of a list; or all that are names or numbers.
local function keys_of(t, all)
  local keys = {}
  for key in pairs(t) do
    local is_place = math.type(key) == "integer" and key >= 1 and key <= #t
    local is_plain = type(key) == "string" or type(key) == "number"
    if all and is_plain or not all and not is_place then
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

-- Functions are the same if their code is and the variables that they know from
-- outside, globals left out. Those may lead anywhere: so far they are followed.
local MOST <const> = 1000 -- values

local variable

local function variables_of(f, seen)
  local parts = {}
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if not name then break end
    if name ~= "_ENV" then parts[#parts + 1] = variable(value, seen) end
  end
  return table.concat(parts, ",")
end

local function code_of(f, seen)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return tostring(f) end
  return ("function:%s:%d:%s:%s"):format(info.short_src, info.linedefined,
    string.dump(f, true), variables_of(f, seen))
end

local function fields_of(t, seen)
  local parts = {}
  for _, key in ipairs(keys_of(t, true)) do
    parts[#parts + 1] = tostring(key) .. "=" .. variable(t[key], seen)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function variable(value, seen)
  local kind = type(value)
  local is_followed = kind == "function"
    or kind == "table" and not getmetatable(value)
  if not is_followed then
    return kind == "table" and kind or ("%s %s"):format(kind, tostring(value))
  end
  if seen[value] or seen.count > MOST then return kind end
  seen[value], seen.count = true, seen.count + 1
  return kind == "table" and fields_of(value, seen) or code_of(value, seen)
end

local function function_text(f)
  return variable(f, { count = 0 })
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
