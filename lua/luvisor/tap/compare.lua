--- Deep comparison that says where two values differ.
-- Pure. Metatables are not looked at, NaN is equal to NaN, and tables that
-- contain themselves are compared as far as they differ.
-- @local

local show = require "luvisor.tap.show"

local M = {}

--- Are the two the same value?
-- @param a any
-- @param b any
-- @treturn boolean `==`, or both NaN
function M.same(a, b)
  return a == b or a ~= a and b ~= b
end

local function union_keys(a, b)
  local all = {}
  for key in next, a do all[key] = true end
  for key in next, b do all[key] = true end
  return show.sorted_keys(all)
end

-- seen[a][b]: this pair is being compared further up.
local function differ(a, b, path, seen)
  if rawequal(a, b) then return nil end
  if type(a) ~= "table" or type(b) ~= "table" then
    if M.same(a, b) then return nil end
    return { path = path, got = a, expected = b }
  end
  seen[a] = seen[a] or {}
  if seen[a][b] then return nil end
  seen[a][b] = true
  for _, key in ipairs(union_keys(a, b)) do
    local found = differ(rawget(a, key), rawget(b, key),
                         path .. show.subscript(key), seen)
    if found then return found end
  end
  return nil
end

--- Find the first difference.
-- @param got any
-- @param expected any
-- @treturn ?table nil if they are equal; else path ("" is the value itself),
-- got and expected there
function M.difference(got, expected)
  return differ(got, expected, "", {})
end

return M
