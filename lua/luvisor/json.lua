--- JSON: Lua values to text and back.
-- A table with nothing but [1], [2], … is a list, any other an object; which of
-- the two an empty one is, it has to say: `json.list {}`. Whatever bytes a
-- string has, its text is valid UTF-8. Texts are read by lua-cjson.
-- @module luvisor.json
-- @usage
-- local json = require "luvisor.json"
-- print(json.encode { name = "web", pids = json.list {}, up = true })
-- --> {"name":"web","pids":[],"up":true}
-- print(json.decode('{"n": [1, 2.5]}').n[2]) --> 2.5

local cjson = require "luvisor.core.cjson".new()
local errors = require "luvisor.error"

local M = {}

local DEPTH <const> = 100
local SIZE <const> = 16 << 20
local REPLACEMENT <const> = "\u{FFFD}"

cjson.decode_invalid_numbers(false)

--- What stands for JSON's null, in both directions.
M.null = cjson.null

local List = { __name = "luvisor.json.list" }

--- Mark a table as a list: `[]` when it is empty.
-- @tparam[opt] table t a list; a new one without
-- @treturn table the same
-- @raise UsageError: it has a metatable of its own
-- @usage
-- local json = require "luvisor.json"
-- print(json.encode(json.list {})) --> []
function M.list(t)
  t = t or {}
  local meta = getmetatable(t)
  if type(t) ~= "table" or (meta ~= nil and meta ~= List) then
    errors.usage("json.list: expected a plain table, got %s",
      type(t) == "table" and "one with a metatable" or type(t))
  end
  return setmetatable(t, List)
end

-- Encoding --------------------------------------------------------------------

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function escape(char)
  return escapes[char] or ("\\u%04x"):format(char:byte())
end

-- Each byte that belongs to no character becomes U+FFFD.
local function repaired(s)
  if utf8.len(s) then return s end
  local parts, from = {}, 1
  repeat
    local length, bad = utf8.len(s, from)
    parts[#parts + 1] = s:sub(from, length and #s or bad - 1)
    if length then break end
    parts[#parts + 1] = REPLACEMENT
    from = bad + 1
  until from > #s
  return table.concat(parts)
end

local function string_text(s)
  return '"' .. repaired(s):gsub('[\0-\31"\\]', escape) .. '"'
end

local function refuse(path, format, ...)
  local where = table.concat(path)
  errors.usage("json.encode: %s%s", where == "" and "" or where .. ": ",
    format:format(...))
end

-- As short as it can be without becoming another number.
local function float_text(n)
  local text = ("%.15g"):format(n)
  if tonumber(text) ~= n then text = ("%.17g"):format(n) end
  return text:find "[.eE]" and text or text .. ".0"
end

local function number_text(n, path)
  if math.type(n) == "integer" then return ("%d"):format(n) end
  if n ~= n or n == math.huge or n == -math.huge then
    refuse(path, "%s is no number in JSON", n ~= n and "NaN" or tostring(n))
  end
  return float_text(n)
end

local add

local function is_list(t)
  if getmetatable(t) == List then return true end
  return rawlen(t) > 0
end

local function add_list(out, t, path)
  local count = 0
  for key in next, t do
    if math.type(key) ~= "integer" or key < 1 or key > rawlen(t) then
      refuse(path, "a list with a key %s", tostring(key))
    end
    count = count + 1
  end
  if count ~= rawlen(t) then refuse(path, "a list with holes") end
  out[#out + 1] = "["
  for i = 1, count do
    if i > 1 then out[#out + 1] = "," end
    path[#path + 1] = ("[%d]"):format(i)
    add(out, rawget(t, i), path)
    path[#path] = nil
  end
  out[#out + 1] = "]"
end

local function keys_of(t, path)
  local keys = {}
  for key in next, t do
    if type(key) ~= "string" then
      refuse(path, "the key %s is no string", tostring(key))
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function add_object(out, t, path)
  out[#out + 1] = "{"
  for i, key in ipairs(keys_of(t, path)) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = string_text(key) .. ":"
    path[#path + 1] = "." .. key
    add(out, rawget(t, key), path)
    path[#path] = nil
  end
  out[#out + 1] = "}"
end

local function add_table(out, t, path)
  if #path >= DEPTH then
    refuse({ table.concat(path, "", 1, 8), "…" },
      "more than %d tables in each other: is one in itself?", DEPTH)
  end
  if is_list(t) then add_list(out, t, path) else add_object(out, t, path) end
end

local adders = {
  table = add_table,
  string = function(out, s) out[#out + 1] = string_text(s) end,
  boolean = function(out, b) out[#out + 1] = tostring(b) end,
  number = function(out, n, path) out[#out + 1] = number_text(n, path) end,
  ["nil"] = function(out) out[#out + 1] = "null" end,
}

function add(out, value, path)
  local adder = adders[type(value)]
  if adder then return adder(out, value, path) end
  if value ~= M.null then refuse(path, "a %s has no text", type(value)) end
  out[#out + 1] = "null"
end

--- A value as JSON, on one line, keys sorted: the same value is the same text.
-- @param value nil, json.null, booleans, numbers, strings, tables of them;
-- metatables are not looked at
-- @treturn string
-- @raise UsageError that says where in the value it is: functions and their
-- like, numbers that are none (NaN, infinite), keys that are no strings, lists
-- with holes, more than 100 tables in each other
-- @usage
-- local json = require "luvisor.json"
-- print(json.encode { 1, "two", { three = 3.5 } }) --> [1,"two",{"three":3.5}]
function M.encode(value)
  local out = {}
  add(out, value, {})
  return table.concat(out)
end

-- Decoding --------------------------------------------------------------------

-- cjson makes every number a float. Whole ones that a float holds exactly are
-- integers again.
local function number_of(n)
  if n % 1 == 0 and n >= -2 ^ 53 and n <= 2 ^ 53 then
    return math.tointeger(n)
  end
  if n - n ~= 0 then
    errors.raise { kind = "SyntaxError",
      message = "JSON: a number is too large for a float" }
  end
  return n
end

local function tidy(value, nulls)
  if type(value) == "number" then return number_of(value) end
  if value == M.null and not nulls then return nil end
  if type(value) ~= "table" then return value end
  for key, inner in next, value do value[key] = tidy(inner, nulls) end
  return value
end

local function place(text, at)
  local before = text:sub(1, at - 1)
  local _, lines = before:gsub("\n", "")
  return lines + 1, at - (before:match ".*()\n" or 0)
end

local tokens = {
  T_OBJ_BEGIN = '"{"', T_OBJ_END = '"}"', T_ARR_BEGIN = '"["',
  T_ARR_END = '"]"', T_STRING = "a string", T_NUMBER = "a number",
  T_BOOLEAN = "true or false", T_NULL = "null", T_COLON = '":"',
  T_COMMA = '","', T_END = "the end",
}

-- cjson says "Expected … but found … at character 7".
local function raise_syntax(text, message)
  local what, at = message:match "^(.*) at character (%d+)$"
  at = tonumber(at)
  local line, column
  if at then line, column = place(text, at) end
  what = (what or message):gsub("T_[%u_]+", tokens)
    :gsub("^[EF]", string.lower)
  errors.raise {
    kind = "SyntaxError", position = at, line = line, column = column,
    message = at and ("JSON: line %d, column %d: %s"):format(line, column, what)
      or "JSON: " .. what,
  }
end

local spec = { nulls = "boolean", max_size = "size", max_depth = "count" }

--- Read a JSON text.
-- @tparam string text
-- @tparam[opt] table opts nulls: whether null is json.null (default), or false:
-- nothing at all; max_size: bytes, 16 MiB; max_depth: of nesting, 100
-- @return the value. Whole numbers up to 2^53 are integers, the rest are floats
-- @raise SyntaxError with position (from 1), line, column (without them for a
-- number that no float can hold, as 1e999); LimitOverrun: too long; UsageError
-- @usage
-- local json = require "luvisor.json"
-- local ok, err = pcall(json.decode, '{"a": }')
-- print(err) --> JSON: line 1, column 7: expected value but found "}"
function M.decode(text, opts)
  opts = errors.check_options("json.decode", opts, spec)
  if type(text) ~= "string" then
    errors.usage("json.decode: expected a string, got %s", type(text))
  end
  local max = opts.max_size or SIZE
  if #text > max then
    errors.raise { kind = "LimitOverrun",
      message = ("JSON: %d bytes, more than %d"):format(#text, max) }
  end
  cjson.decode_max_depth(opts.max_depth or DEPTH)
  local ok, value = pcall(cjson.decode, text)
  if not ok then raise_syntax(text, tostring(value)) end
  return tidy(value, opts.nulls ~= false)
end

return M
