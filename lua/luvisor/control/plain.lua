--- Values as JSON can have them.
-- @local

local json = require "luvisor.json"

local M = {}

local DEPTH <const> = 20

local plain

local function is_list(t)
  return #t > 0
end

local function table_of(t, depth)
  local meta = getmetatable(t)
  if meta and meta.__tostring then return tostring(t) end
  local copy = {}
  if is_list(t) then
    for i, value in ipairs(t) do copy[i] = plain(value, depth + 1) end
    return json.list(copy)
  end
  for key, value in pairs(t) do
    copy[tostring(key)] = plain(value, depth + 1)
  end
  return copy
end

local function number_of(n)
  local is_number = n == n and n ~= math.huge and n ~= -math.huge
  return is_number and n or tostring(n)
end

local as_it_is = { string = true, boolean = true, ["nil"] = true }

function plain(value, depth)
  local kind = type(value)
  if kind == "table" then
    return depth < DEPTH and table_of(value, depth) or "…"
  end
  if kind == "number" then return number_of(value) end
  if as_it_is[kind] then return value end
  return tostring(value)
end

--- A copy that can be encoded, whatever it is: what has no JSON is its text.
-- @param value
-- @return the copy
function M.value(value)
  return plain(value, 0)
end

local lists = { "killed" }

--- The status of an instance.
-- @tparam table status as Instance:status gives it
-- @treturn table
function M.status(status)
  local copy = M.value(status)
  for _, name in ipairs(lists) do
    if copy[name] then copy[name] = json.list(copy[name]) end
  end
  return copy
end

--- A list of values, `[]` if it is empty.
-- @tparam {any,...} list
-- @tparam[opt] function fn makes each plain
-- @treturn table
function M.list(list, fn)
  local copy = {}
  for i, value in ipairs(list) do copy[i] = (fn or M.value)(value) end
  return json.list(copy)
end

return M
