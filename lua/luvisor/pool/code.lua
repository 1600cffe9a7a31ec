--- Functions as bytes: what a worker can call that is in no module.
-- A function that uses nothing from outside but globals can be sent; its
-- globals are then the worker's.
-- @local

local errors = require "luvisor.error"

local M = {}

local MOST <const> = 256 -- functions that a worker keeps ready

local dumps = setmetatable({}, { __mode = "k" })

-- Without debug information no upvalue has a name.
local function is_globals(name, value)
  return (name == "_ENV" or name == "(no name)") and rawequal(value, _G)
end

local function check_upvalues(where, fn, place)
  for i = 1, math.huge do
    local name, value = debug.getupvalue(fn, i)
    if not name then return end
    if not is_globals(name, value) then
      errors.usage("%s: the function at %s uses %q from outside; in another "
        .. "process it has only its arguments and the globals there", where,
        place, name)
    end
  end
end

--- A function that a worker can make again by `load`.
-- @tparam string where for messages
-- @tparam function fn
-- @treturn string its code
-- @treturn string what it is called in messages
-- @raise UsageError: it is written in C, or has an upvalue, which is named
function M.dump(where, fn)
  local info = debug.getinfo(fn, "S")
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  if info.what == "C" then
    errors.usage("%s: a function written in C cannot be sent to another "
      .. "process; one written in Lua can, and may call it", where)
  end
  check_upvalues(where, fn, place)
  local code = dumps[fn]
  if not code then
    code = string.dump(fn)
    dumps[fn] = code
  end
  return code, "the function at " .. place
end

local loaded, count = {}, 0

--- The function of this code, with our globals.
-- @tparam string code
-- @treturn function
function M.load(code)
  local fn = loaded[code]
  if fn then return fn end
  fn = assert(load(code, "=(sent)", "b"))
  for i = 1, debug.getinfo(fn, "u").nups do debug.setupvalue(fn, i, _G) end
  if count == MOST then loaded, count = {}, 0 end
  loaded[code], count = fn, count + 1
  return fn
end

return M
