--- The order of items in a PriorityQueue: Python's, of tuples.
-- Pure.
-- @local

local errors = require "luvisor.error"

local M = {}

--- What stands for nil where nil cannot be stored.
M.NIL = setmetatable({}, { __name = "nil" })

local function type_name(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__name or type(value)
end

local function has_less_than(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__lt ~= nil
end

-- The first elements that differ decide, and else the length.
local function list_less(a, b)
  for i = 1, math.min(#a, #b) do
    if M.less(a[i], b[i]) then return true end
    if M.less(b[i], a[i]) then return false end
  end
  return #a < #b
end

local function operator(a, b)
  return a < b
end

-- How two values of one type are compared; others have no order.
local by_type = { number = operator, string = operator, table = list_less }

--- Does a come before b?
-- @param a
-- @param b
-- @treturn boolean
-- @raise UsageError: they are of different types, and have no `__lt`
function M.less(a, b)
  if rawequal(a, b) then return false end
  if has_less_than(a) or has_less_than(b) then return a < b end
  local kind = type(a)
  if kind ~= type(b) or rawequal(a, M.NIL) or rawequal(b, M.NIL) then
    errors.usage("PriorityQueue: %s and %s have no order", type_name(a),
                 type_name(b))
  end
  local less = by_type[kind]
  return less ~= nil and less(a, b)
end

return M
