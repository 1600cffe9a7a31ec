--- What asyncio's functions take: awaitables, and options at the end.
-- An awaitable is a Future or Task, a function, or a list `{fn, arg, …}`: a
-- call that has not begun. Options are a plain table with names only, all of
-- them options of the function.
-- @local

local errors = require "luvisor.error"

local M = {}

local unpack = table.unpack
local no_options <const> = {}

--- Is this value a Future or a Task?
-- @param value any
-- @treturn boolean
function M.is_future(value)
  local meta = type(value) == "table" and getmetatable(value)
  return meta and meta._is_future or false
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end
M.is_callable = is_callable

--- Is it a list `{fn, arg, …}`?
-- @param value any
-- @treturn boolean
function M.is_call(value)
  return type(value) == "table" and getmetatable(value) == nil
    and is_callable(value[1])
end

-- What a call returns is not the call: asyncio.sleep(1) has slept already.
local HINT <const> = "expected a Future, a Task, a function or a list {fn, "
  .. "arg, …}, which is a call that has not begun; got %s"

--- Raise UsageError unless it is an awaitable.
-- @tparam string where what takes it, for the message
-- @param value any
function M.check(where, value)
  if M.is_future(value) or is_callable(value) or M.is_call(value) then
    return
  end
  errors.usage("%s: " .. HINT, where, M.show(value))
end

--- Where a function is defined, for messages.
-- @param fn a function, or what can be called as one
-- @treturn string "file:line"
function M.where(fn)
  if type(fn) ~= "function" then return M.show(fn) end
  local at = debug.getinfo(fn, "S")
  if at.linedefined < 0 then return at.short_src end
  return ("%s:%d"):format(at.short_src, at.linedefined)
end

--- What a value is, in a word, for messages.
-- @param value any
-- @treturn string
function M.show(value)
  local meta = type(value) == "table" and getmetatable(value)
  if meta and meta.__name then return meta.__name end
  if type(value) == "table" then return "a table without a function" end
  return value == nil and "nil" or "a " .. type(value)
end

--- The arguments of a list `{fn, arg, …}`.
-- @tparam table call
-- @return them
function M.arguments(call)
  return unpack(call, 2, call.n or #call)
end

--- Await it here, in the calling task.
-- @param aw an awaitable
-- @return its values
function M.invoke(aw)
  if M.is_future(aw) then return aw:await() end
  if is_callable(aw) then return aw() end
  return aw[1](M.arguments(aw))
end

--- Are these options? A plain table with names only, all in the spec.
-- @param value any
-- @tparam table spec option → type
-- @treturn boolean
function M.is_options(value, spec)
  if type(value) ~= "table" or getmetatable(value) ~= nil
    or next(value) == nil then
    return false
  end
  for key in pairs(value) do
    if type(key) ~= "string" or spec[key] == nil then return false end
  end
  return true
end

--- Take the options off the end of the arguments.
-- @tparam string where the function, for messages
-- @tparam table spec option → type
-- @param ... the arguments
-- @treturn table the options, perhaps none
-- @treturn integer how many arguments there are besides
function M.split(where, spec, ...)
  local n = select("#", ...)
  if n == 0 then return no_options, 0 end
  local last = (select(n, ...))
  if not M.is_options(last, spec) then return no_options, n end
  return errors.check_options(where, last, spec), n - 1
end

--- Check what stands where nothing but options can.
-- @tparam string where the function, for messages
-- @tparam table spec option → type
-- @param value the options, or nil
-- @treturn table
-- @raise UsageError: an unknown option, a value of a wrong type
function M.options(where, spec, value)
  return value == nil and no_options
    or errors.check_options(where, value, spec)
end

return M
