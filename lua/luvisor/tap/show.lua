--- How a failed assertion shows values: as Lua writes them, in YAML blocks.
-- Pure. The YAML is kept to the forms that every TAP reader knows: one map of
-- plain or double-quoted scalars and literal blocks.
-- @local

local M = {}

local MAX_BYTES <const> = 2000 -- of one string
local MAX_ITEMS <const> = 24 -- of one table
local MAX_DEPTH <const> = 5

local function shorten(text)
  if #text <= MAX_BYTES then return text end
  return ("%s… (%d bytes in all)"):format(text:sub(1, MAX_BYTES), #text)
end

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t",
  ["\r"] = "\\r",
}

local function hex(byte)
  return ("\\x%02x"):format(byte:byte())
end

--- A string in double quotes, valid both as Lua and as YAML.
-- @tparam string text
-- @treturn string
function M.quoted(text)
  local rest = utf8.len(text) and "" or "\128-\255"
  local escaped = text:gsub('["\\%c\127' .. rest .. "]", function(byte)
    return escapes[byte] or hex(byte)
  end)
  return '"' .. escaped .. '"'
end

local function is_name(key)
  return type(key) == "string" and key:find("^[%a_][%w_]*$") ~= nil
end

--- A key as it stands after a table in Lua: `.name`, `[3]`, `["a b"]`.
-- @param key any
-- @treturn string
function M.subscript(key)
  if is_name(key) then return "." .. key end
  local text = type(key) == "string" and M.quoted(key) or tostring(key)
  return "[" .. text .. "]"
end

--- The keys of a table in an order that does not change between runs.
-- @tparam table t
-- @treturn table numbers first, then the others by type and text
function M.sorted_keys(t)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    local ta, tb = type(a), type(b)
    if ta ~= tb then return ta == "number" or tb ~= "number" and ta < tb end
    if ta == "number" or ta == "string" then return a < b end
    return tostring(a) < tostring(b)
  end)
  return keys
end

local show

local function show_table(t, depth, seen)
  if seen[t] then return "<the table around it>" end
  if depth >= MAX_DEPTH then return "{…}" end
  seen[t] = true
  local parts, list_end = {}, #t
  for _, key in ipairs(M.sorted_keys(t)) do
    if #parts == MAX_ITEMS then
      parts[#parts + 1] = "…"
      break
    end
    local value = show(rawget(t, key), depth + 1, seen)
    local in_list = math.type(key) == "integer" and key >= 1 and key <= list_end
    if in_list then
      parts[#parts + 1] = value
    else
      local left = is_name(key) and key or M.subscript(key)
      parts[#parts + 1] = left .. " = " .. value
    end
  end
  seen[t] = nil
  return "{" .. table.concat(parts, ", ") .. "}"
end

function show(value, depth, seen)
  if type(value) == "string" then return M.quoted(shorten(value)) end
  if type(value) ~= "table" then return tostring(value) end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then return tostring(value) end
  return show_table(value, depth, seen)
end

--- Any value on one line, as Lua would write it where that is possible.
-- @param value any
-- @treturn string
function M.value(value)
  return show(value, 0, {})
end

-- A literal block is for people; what it cannot hold is quoted.
local function fits_block(text)
  return text:find("\n", 1, true) and utf8.len(text)
    and not text:find("^[ \n]") and not text:find("[^%C\n\t]")
end

local function scalar(value, indent)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" or kind == "number" then
    return tostring(value)
  end
  local text = kind == "string" and shorten(value) or M.value(value)
  if not fits_block(text) then return M.quoted(text) end
  local inner = "\n" .. indent .. "  "
  return "|" .. inner .. text:gsub("\n+$", ""):gsub("\n", inner)
end

--- A YAML block of diagnostics.
-- @tparam table fields list of `{ key, value }`
-- @tparam string indent what stands before the test point
-- @treturn string lines, the last without a newline
function M.yaml(fields, indent)
  local inner = indent .. "  "
  local lines = { inner .. "---" }
  for _, field in ipairs(fields) do
    lines[#lines + 1] = ("%s%s: %s"):format(inner, field[1],
                                            scalar(field[2], inner))
  end
  lines[#lines + 1] = inner .. "..."
  return table.concat(lines, "\n")
end

return M
