-- A Writer whose terminal has lost its program found that it could be written
-- and that nothing was taken, again and again, and the script's end waited for
-- what was left.
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function stuck(p)
  p.tty:read(5)
  local t = task.spawn(pcall, p.tty.write, p.tty, ("x"):rep(1000000))
  tap.eventually(function() return t.state == "waiting" end)
  return t
end

tap.test("a write to a terminal ends when its program does", function()
  local p <close> = process.spawn {
    shell = "stty raw -echo; printf ready; exec sleep 60", pty = true,
  }
  local t = stuck(p)
  p:kill()
  local _, err = t:join()
  tap.is(err.kind, "BrokenPipe")
  tap.throws(function() p.tty:write "x" end, "BrokenPipe")
end)

tap.done()
