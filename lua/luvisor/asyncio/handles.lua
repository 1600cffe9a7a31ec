--- Handles: what call_soon and call_later return, to cancel the call by.
-- The arguments are the list part.
-- @module luvisor.asyncio
-- @type Handle

local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"

local M = {}

local unpack = table.unpack

local Handle = {}
Handle.__index = Handle
Handle.__name = "luvisor.asyncio.Handle"

--- Do not make the call, if it has not begun. Twice is harmless.
function Handle:cancel()
  self._cancelled = true
  self._fn = nil
end

--- Was it cancelled?
-- @treturn boolean
function Handle:cancelled()
  return self._cancelled == true
end

function Handle:__tostring()
  return ("<asyncio.%s %s>"):format(self._class,
    self._cancelled and "cancelled" or awaitable.where(self._fn))
end
Handle._class = "Handle"

local TimerHandle = {}
for key, value in pairs(Handle) do TimerHandle[key] = value end
TimerHandle.__index = TimerHandle
TimerHandle.__name = "luvisor.asyncio.TimerHandle"
TimerHandle._class = "TimerHandle"

--- When the call is due, by the loop's clock.
-- @function TimerHandle:when
-- @treturn number
function TimerHandle:when()
  return self._when
end

--- @local
function TimerHandle:cancel()
  if self._cancelled then return end
  Handle.cancel(self)
  if self._timers then self._timers:_drop(self) end
end

--- @local
function M.new(loop, fn, ...)
  return setmetatable({
    _loop = loop, _fn = fn, _n = select("#", ...), ...,
  }, Handle)
end

--- One that is called even if the loop has been closed: it does no more than
-- let a task go on.
-- @local
function M.own(loop, fn, ...)
  local handle = M.new(loop, fn, ...)
  handle._is_own = true
  return handle
end

--- @local
function M.timer(loop, when, fn, ...)
  return setmetatable({
    _loop = loop, _when = when, _fn = fn, _n = select("#", ...), ...,
  }, TimerHandle)
end

local function report(handle, err)
  handle._loop:call_exception_handler {
    message = "an error in the callback " .. tostring(handle),
    exception = err,
    handle = handle,
    source_traceback = handle._source_traceback,
  }
end

--- Make the call; an error goes to the loop's exception handler.
-- @local
function M.call(handle)
  local ok, err = xpcall(handle._fn, core.keep_traceback,
                         unpack(handle, 1, handle._n))
  if not ok then report(handle, err) end
end

return M
