-- A terminal that goes away sends HUP: it once killed the program by default
-- and left its children behind.
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local SCRIPT <const> = [[
  local process = require "luvisor.process"
  local p = process.spawn { "sleep", "600" }
  io.write(p.pid, "\n")
  io.flush()
  p:wait()
]]

local function start(shell)
  return process.spawn {
    shell = shell .. [[ exec "$LUVISOR" -e "$SCRIPT"]],
    env = { SCRIPT = SCRIPT }, stdout = "pipe",
  }
end

tap.test("HUP ends the program in order: no child is left", function()
  local p <close> = start ""
  local child = tonumber(p.stdout:readline())
  p:send_signal "HUP"
  tap.is(p:wait().code, 128 + signal.number "HUP")
  local _, err = pcall(signal.send, child, 0)
  tap.is(err.kind, "NoProcess")
end)

tap.test("but is ignored where it was ignored before, as by nohup", function()
  local p <close> = start "trap '' HUP;"
  p.stdout:readline()
  p:send_signal "HUP"
  p:send_signal "TERM"
  tap.is(p:wait().code, 128 + signal.number "TERM")
end)

tap.done()
