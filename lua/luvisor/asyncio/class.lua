--- Classes as asyncio has them: called without `new`, with arguments by place
-- or by name.
-- The class is the metatable of its objects, so `getmetatable(q) ==
-- asyncio.Queue` is Python's `type(q) is asyncio.Queue`.
-- @local

local errors = require "luvisor.error"

local M = {}

-- Python's keyword arguments: one plain table.
local function is_named(n, first)
  return n == 1 and type(first) == "table" and getmetatable(first) == nil
    and first[1] == nil
end

local function by_name(class, ...)
  local n, params = select("#", ...), class._params
  if is_named(n, ...) then return (...) end
  if n > #params then
    errors.usage("asyncio.%s: takes at most %d argument%s, got %d", class._name,
                 #params, #params == 1 and "" or "s", n)
  end
  local args = {}
  for i, name in ipairs(params) do args[name] = (select(i, ...)) end
  return args
end

local function construct(class, ...)
  local args = by_name(class, ...)
  errors.check_options("asyncio." .. class._name, args, class._params.types)
  local object = setmetatable({}, class)
  class._init(object, args)
  return object
end

-- Metamethods are looked up in the metatable itself, not in what it inherits.
local function inherit(class, base)
  for key, value in pairs(base) do
    if key:find("^__") and not class[key] then class[key] = value end
  end
end

--- Make a class. It has to be given `_init(object, args)`, args by name.
-- @tparam string name as in Python, "Queue"
-- @tparam table params the names of its arguments, in order, and `types`:
-- name → type, see luvisor.options
-- @tparam[opt] table base the class that it inherits from
-- @treturn table the class; `class(...)` makes an object
function M.new(name, params, base)
  local class = {
    __name = "luvisor.asyncio." .. name, _name = name, _params = params,
  }
  class.__index = class
  if base then inherit(class, base) end
  return setmetatable(class, { __call = construct, __index = base })
end

--- What tostring gives of an object: `<asyncio.Lock at 0x… [locked]>`.
-- @tparam table object
-- @tparam string state
-- @tparam[opt=0] integer waiting how many tasks stand in its line
-- @treturn string
function M.describe(object, state, waiting)
  if waiting and waiting > 0 then
    state = ("%s, waiters:%d"):format(state, waiting)
  end
  return ("<asyncio.%s at %p [%s]>"):format(object._name, object, state)
end

return M
