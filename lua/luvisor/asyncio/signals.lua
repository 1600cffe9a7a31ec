--- Callbacks of a loop for signals.
-- @module luvisor.asyncio

local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local signal = require "luvisor.core.signal"

local Loop = {}

-- The handlers of a loop, by the number of the signal.
local Handlers = {}
Handlers.__index = Handlers

--- @local
function Handlers:remove(number)
  local listener = self[number]
  self[number] = nil
  if listener then listener:close() end
  return listener ~= nil
end

--- @local
function Handlers:close()
  for number in pairs(self) do self:remove(number) end
end

local function serve(loop, listener, fn, args)
  for _ in listener do
    if loop:is_closed() then return end
    loop:call_soon(fn, table.unpack(args, 1, args.n))
  end
end

--- Have a function called, by the loop, for each arrival of a signal. It takes
-- the place of an earlier one. While there is one for INT or TERM the signal
-- does not end the program.
-- @param sig "TERM", "SIGTERM" or 15
-- @tparam function fn called with the further arguments
-- @raise UsageError: no such signal, or one that cannot be caught
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local loop = asyncio.get_running_loop()
--   loop:add_signal_handler("HUP", print, "reload")
--   loop:remove_signal_handler("HUP")
function Loop:add_signal_handler(sig, fn, ...)
  if not awaitable.is_callable(fn) then
    errors.usage("add_signal_handler: expected a function, got %s",
                 awaitable.show(fn))
  end
  local number = signal.number(sig)
  local listener = signal._listen(sig)
  self._signals = self._signals or setmetatable({}, Handlers)
  self._signals:remove(number)
  self._signals[number] = listener
  core.detached(serve, self, listener, fn, table.pack(...))
end

--- Let the signal do again what it does by default.
-- @param sig
-- @treturn boolean false: it had no handler
function Loop:remove_signal_handler(sig)
  local number = signal.number(sig)
  return self._signals and self._signals:remove(number) or false
end

return { loop = Loop }
