-- The logs of `luvisor up`: moved away by an outsider, and at its end.
local fs = require "luvisor.fs"
local tap = require "luvisor.tap"

local ups = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/up.lua")

local is, ok = tap.is, tap.ok

tap.test("USR1: files that were moved away are left for new ones", function()
  local up <close> = ups.start [[
    service "echo" {
      command = { shell = "mkfifo pipe; exec 3<>pipe; exec cat <&3" },
    }
  ]]
  local function say(text)
    local file <close> = assert(io.open(up.dir .. "/pipe", "w"))
    file:write(text)
  end
  local function has(name, text)
    tap.eventually(function()
      return fs.read_file(up.dir .. "/log/" .. name) == text
    end, 20, name)
  end
  tap.eventually(function() return fs.exists(up.dir .. "/pipe") end, 20)
  say "one\n"
  has("echo.log", "one\n")
  fs.rename(up.dir .. "/log/echo.log", up.dir .. "/log/moved")
  up.process:send_signal "USR1"
  up:says "opened the logs again"
  say "two\n"
  has("echo.log", "two\n")
  has("moved", "one\n")
end)

tap.test("what a service says while it is stopped is in its log", function()
  local up <close> = ups.start [[
    service "last" { command = { shell = [=[
      trap 'seq 1 20000; echo end; exit' TERM
      echo up
      while :; do sleep 0.01; done
    ]=] } }
  ]]
  local log = up.dir .. "/log/last.log"
  tap.eventually(function() return fs.read_file(log) == "up\n" end, 20)
  up.process:send_signal "TERM"
  is(up.process:wait(30).code, 0)
  local numbers = {}
  for i = 1, 20000 do numbers[i] = i end
  local said = table.concat(numbers, "\n") .. "\nend\n"
  ok(fs.read_file(log):find(said, 1, true) ~= nil)
end)

tap.done()
