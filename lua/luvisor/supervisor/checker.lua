--- Tables against a schema: types, defaults, unknown keys. It reports every
-- error, and goes on.
-- @module luvisor.supervisor.checker

local options = require "luvisor.options"

local M = {}

local sorted = setmetatable({}, { __mode = "k" }) -- keys, by schema

local function keys_of(schema)
  local names = sorted[schema]
  if names then return names end
  names = {}
  for name in pairs(schema) do names[#names + 1] = name end
  table.sort(names)
  sorted[schema] = names
  return names
end

M.keys_of = keys_of

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if type(value) == "table" or type(value) == "function" then
    return "a " .. type(value)
  end
  return tostring(value)
end

local function report_unknown(name, schema, path, report)
  local near = type(name) == "string"
    and options.nearest(name, keys_of(schema))
  report(path .. tostring(name), "unknown key"
    .. (near and ("; did you mean %q?"):format(near) or ""))
end

local check

local function check_record(entry, value, context, report, path)
  if value ~= nil and type(value) ~= "table" then
    report(path, ("expected a table with keys as %s, got %s"):format(
      table.concat(keys_of(entry.record), ", "), shown(value)))
    value = nil
  end
  if value then
    return (check(value, entry.record, context, report, path .. "."))
  end
  entry.defaults = entry.defaults or check({}, entry.record, context, report)
  return entry.defaults
end

local function check_key(entry, value, context, report, path)
  if entry.record then
    return check_record(entry, value, context, report, path)
  end
  if value == nil then return entry.default end
  local result, expected, whole = entry.kind(value, context)
  if result ~= nil then return result end
  report(path, whole and expected
    or ("expected %s; got %s"):format(expected, shown(value)))
  return entry.default, true
end

--- Check a table.
-- @tparam table value as the user wrote it
-- @tparam table schema key → { kind, default } or { record }
-- @tparam table context for the types
-- @tparam function report called with the key's path and a sentence
-- @tparam[opt=""] string path before the keys in reports
-- @tparam[opt] table known value and result of a check before: a key that has
-- the same value in both is left out of the result
-- @treturn table normalised, every default filled in; defaults are shared by
-- all results, which are only read
-- @treturn table the keys that were wrong, as a set
function M.check(value, schema, context, report, path, known)
  path = path or ""
  local result, wrong = {}, {}
  for name in pairs(value) do
    if not schema[name] then report_unknown(name, schema, path, report) end
  end
  for _, name in ipairs(keys_of(schema)) do
    if not known or not rawequal(value[name], known.value[name]) then
      result[name], wrong[name] = check_key(schema[name], value[name], context,
        report, path .. name)
    end
  end
  return result, wrong
end

check = M.check

--- Check a table that is the value of one key.
-- @tparam table value
-- @tparam table schema
-- @tparam table context
-- @treturn table|nil as `check` has it; nil and all that is wrong in it, a
-- whole sentence
function M.fields(value, schema, context)
  local wrong = {}
  local result = check(value, schema, context, function(name, why)
    wrong[#wrong + 1] = name .. ": " .. why
  end)
  if wrong[1] then return nil, table.concat(wrong, "; ") end
  return result
end

--- Lay the keys of one table over those of another; tables with keys of their
-- own are merged, lists are replaced.
-- @treturn table a new one
function M.merge(below, above, schema)
  local result = {}
  for name, value in pairs(below) do result[name] = value end
  for name, value in pairs(above) do
    local entry = schema[name]
    local both = entry and type(value) == "table"
      and type(result[name]) == "table"
    if both and (entry.record or name == "env") then
      result[name] = M.merge(result[name], value, entry.record or {})
    else
      result[name] = value
    end
  end
  return result
end

return M
