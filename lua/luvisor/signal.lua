--- Signals to the program: waiting for them, handling, ignoring, sending.
-- A signal is "TERM", "SIGTERM" or 15. Without a handler the first INT or TERM
-- cancels the root nursery, the second ends the program at once; QUIT prints
-- what every task does.
-- @module luvisor.signal

local core = require "luvisor.core.signal"
local errors = require "luvisor.error"
local task = require "luvisor.core.task"

local M = {}

--- Wait for one of these signals.
-- @param ... signals
-- @treturn string its name, as "TERM"
-- @raise UsageError for a name that is none, and for KILL and STOP
function M.wait(...)
  local listener <close> = core._listen(...)
  return listener:next()
end

--- Listen from now on: an iterator that loses no arrival, however long the
-- loop's body takes.
-- @tparam table signals a list
-- @return an iterator of names; it stops listening when the loop is left, or
-- by close()
-- @usage
-- local reloads <close> = signal.listen { "HUP", "USR1" }
-- process.run { shell = "kill -HUP $PPID" }
-- for name in reloads do
--   print(name) --> HUP
--   break
-- end
function M.listen(signals)
  if type(signals) ~= "table" then
    errors.usage("listen: expected a list of signals, got %s", type(signals))
  end
  local listener = core._listen(table.unpack(signals))
  return listener, nil, nil, listener
end

local Handle = {}
Handle.__index = Handle
Handle.__name = "luvisor.SignalHandle"

--- Stop handling the signal.
-- @function Handle:close
function Handle:close()
  self._listener:close()
end

Handle.__close = Handle.close

--- Call fn for each arrival, as a task of the root nursery.
-- @param sig
-- @tparam function fn called with the signal's name; may wait
-- @treturn Handle with close(); it does not keep the program alive
function M.on(sig, fn)
  if type(fn) ~= "function" then
    errors.usage("on: expected a function, got %s", type(fn))
  end
  local listener = core._listen(sig)
  task.detached(function()
    for name in listener do task.spawn_root(fn, name) end
  end)
  return setmetatable({ _listener = listener }, Handle)
end

--- From now on the signal does nothing to us (`on` = false: what it does by
-- default). Children start with defaults in any case.
-- @function ignore
-- @param sig
-- @tparam[opt] boolean on
M.ignore = core.ignore

--- Send a signal, as kill(2).
-- @function send
-- @tparam integer pid
-- @param sig
-- @raise NoProcess, OSError
M.send = core.send

--- The number of a signal.
-- @function number
-- @param sig
-- @treturn integer
M.number = core.number

--- The name of a signal, without "SIG".
-- @function name
-- @param sig
-- @treturn string
M.name = core.name

return M
