-- What a session says to its program, and how the two part.

local core_process = require "luvisor.core.process"
local expect = require "luvisor.expect"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- A program that asks for a password as passwd does: it turns the echo off,
-- and drops what was typed before. READY is what it does before that.
local PASSWORD <const> = [[
  READY
  stty -echo
  printf 'Password: '
  read -r x
  stty echo
  echo
  echo "got $x"
]]

local function asking(ready, opts)
  opts = opts or {}
  opts.shell = PASSWORD:gsub("READY", ready or ":")
  return expect.spawn(opts)
end

local function shell()
  return expect.spawn { "bash", "--norc", "-i",
                        env = { PS1 = "$ ", TERM = "dumb" } }
end

tap.test("a line is sent with its end, and echoed by the terminal", function()
  local s <close> = expect.spawn { shell = "read x; read y; echo \"<$x,$y>\"" }
  s:sendline "one"
  s:sendline()
  tap.is(s:expect "<one,>", 1)
  tap.is(s.before, "one\r\n\r\n")
end)

tap.test("a number can be sent", function()
  local s <close> = expect.spawn { shell = "read x; echo \"<$x>\"",
                                   pty = { echo = false } }
  s:send(4)
  s:sendline(2)
  tap.is(s:expect "<42>", 1)
end)

tap.test("with noecho nothing is sent before the echo is off", function()
  local s <close> = asking "sleep 0.1"
  s:sendline("secret", { noecho = true })
  tap.is(s:expect "got secret", 1)
  tap.ok(not s.before:find "secret", "it was not shown")
  s:expect(expect.EOF)
end)

tap.test("with noecho it does not wait for ever", function()
  local s <close> = expect.spawn { "cat" }
  local _, err = tap.throws(function()
    s:sendline("secret", { noecho = true, timeout = 0.01 })
  end, "Timeout")
  tap.like(tostring(err), '^sendline: the terminal of "cat" still shows')
  s.timeout = 0
  tap.throws(function() s:sendline("secret", { noecho = true }) end, "Timeout")
  s.timeout = 10
  s:sendline "open"
  tap.is(s:expect "open", 1)
  tap.is(s.before, "", "nothing was sent")
  s:sendeof()
  s:expect(expect.EOF)
  tap.throws(function() s:sendline("x", { noecho = true, timeout = false }) end,
    "BrokenPipe")
end)

tap.test("a wait for the echo to go can be cancelled", function()
  local s <close> = expect.spawn { "cat", timeout = false }
  local t = task.spawn(function() s:sendline("x", { noecho = true }) end)
  waits(t)
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  s:sendline "y"
  tap.is(s:expect "^y\r\ny", 1)
end)

tap.test("what Python's getpass asks for is not shown", function()
  local s <close> = expect.spawn { "python3", "-c",
    "import getpass; print('got', getpass.getpass('Your key: '))" }
  s:expect "Your key: "
  s:sendline("secret", { noecho = true })
  tap.is(s:expect "got secret", 1)
  tap.ok(not s.before:find "secret")
end)

tap.test("control characters are signals for the terminal's foreground",
  function()
    local s <close> = shell()
    s:expect "%$ "
    s:sendline "sh -c 'echo ready; exec cat'"
    s:expect "ready\r\n"
    s:sendcontrol "c"
    s:expect "%$ "
    s:sendline "echo it exited $?"
    tap.is(s:expect "it exited 130", 1, "the shell itself goes on")
    s:expect "%$ "
    s:sendcontrol "D"
    tap.is(s:expect(expect.EOF), 1)
    tap.is(s:wait().code, 0)
  end)

tap.test("each key has its character", function()
  local s <close> = expect.spawn { shell = "stty raw -echo; printf ready; "
    .. "dd bs=1 count=9 2>/dev/null | od -An -tu1" }
  s:expect "ready"
  for key in ("aZ@[\\]^_?"):gmatch "." do s:sendcontrol(key) end
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s.before:match "[%d ]+", "   1  26   0  27  28  29  30  31 127")
end)

tap.test("sendeof sends the terminal's own character for it", function()
  local s <close> = expect.spawn { shell = "stty eof x; printf ready; cat" }
  s:expect "ready"
  s:sendeof()
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s:wait().code, 0)
end)

tap.test("much is sent to a program that speaks at the same time", function()
  for _, pty in ipairs { { echo = false }, false } do
    local s <close> = expect.spawn { "cat", pty = pty, timeout = 50 }
    local line <const> = ("x"):rep(99) .. "\n"
    s:send(line:rep(10000))
    s:sendline "end"
    tap.is(s:expect "end\r?\n", 1)
    tap.is(#s.before, (pty and 101 or 100) * 10000, "all has come back")
  end
end)

tap.test("what is sent while nobody reads can be cancelled", function()
  local s <close> = expect.spawn { shell = "stty raw -echo; printf ready; "
                                     .. "exec sleep 60" }
  s:expect "ready"
  local t = task.spawn(s.send, s, ("x"):rep(1000000))
  waits(t)
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  tap.ok(s:isalive())
end)

tap.test("a program that ends takes no more, and who sends is told", function()
  local s <close> = expect.spawn { shell = "stty raw -echo; printf ready; "
                                     .. "exec sleep 60" }
  s:expect "ready"
  local t = task.spawn(pcall, s.send, s, ("x"):rep(1000000))
  waits(t)
  s.process:kill()
  tap.is(select(2, t:join()).kind, "BrokenPipe")
  tap.throws(function() s:send "x" end, "nobody is at the terminal")
  tap.is(s:expect(expect.EOF), 1)
  local p <close> = expect.spawn { "true", pty = false }
  p:wait()
  tap.throws(function() p:send(("x"):rep(100000)) end, "BrokenPipe")
end)

tap.test("a program killed in the middle of a dialogue is at its end",
  function()
    local s <close> = expect.spawn { shell = "echo begun; exec sleep 60" }
    local t = task.spawn(function() return pcall(s.expect, s, "done") end)
    tap.eventually(function() return s._channel.buffer:size() > 0 end)
    s.process:kill()
    local _, err = t:join()
    tap.is(err.kind, "IncompleteRead")
    tap.like(tostring(err), "before it said \"done\"\n  | begun$")
    tap.is(s:wait().signal, "KILL")
    tap.is(s:expect "begun", 1)
  end)

tap.test("a grandchild that holds the terminal does not hold up wait",
  function()
    local s <close> = expect.spawn { shell = "trap '' HUP; sleep 60 & exit 5" }
    tap.is(s:wait().code, 5)
    tap.is(s:isalive(), false)
  end)

tap.test("wait reads what the program must say before it can end", function()
  for _, pty in ipairs { true, false } do
    local s <close> = expect.spawn { "seq", "20000", pty = pty }
    tap.is(s:wait(10).code, 0)
    tap.is(s:expect "20000\r?\n", 1)
  end
  local s <close> = expect.spawn { "cat" }
  tap.throws(function() s:wait(0.01) end, "Timeout")
  s:sendeof()
  tap.is(s:wait().code, 0)
  tap.is(s:wait().code, 0, "and again")
end)

tap.test("the log has what is said, each byte once", function()
  local s <close> = asking("printf 'Name: '; read y", { timeout = 5 })
  local said, sent = {}, {}
  s:log(function(text, direction)
    local list = direction == "output" and said or sent
    list[#list + 1] = text
  end, "both")
  s:expect "Name: "
  s:sendline "ann"
  s:expect "Password: "
  s:sendline("secret", { noecho = true })
  s:expect(expect.EOF)
  tap.is(table.concat(said), "Name: ann\r\nPassword: \r\ngot secret\r\n")
  tap.is(table.concat(sent), "ann\n", "and no password")
end)

tap.test("the log can be a Writer or a file", function()
  local name = os.tmpname()
  do
    local r, w = stream.pipe()
    local file <close> = io.open(name, "w")
    local s <close> = expect.spawn { "cat", pty = { echo = false } }
    s:log(w)
    s:sendline "one"
    s:expect "one\r\n"
    s:log(file)
    s:sendline "two"
    s:expect "two\r\n"
    s:log(nil)
    s:sendline "three"
    s:expect "three\r\n"
    file:close()
    w:close()
    tap.is(r:read(), "one\r\n")
    for line in io.lines(name) do tap.is(line, "two\r") end
    tap.throws(function() s:log(file) end, "got closed file")
  end
  os.remove(name)
end)

tap.test("a log that fails is an error of who reads, and nothing is lost",
  function()
    local s <close> = expect.spawn { "cat", pty = { echo = false } }
    s:log(function() error "disk full" end)
    s:sendline "one"
    tap.throws(function() s:expect "one" end, "disk full")
    s:log(nil)
    tap.is(s:expect "^one", 1)
  end)

tap.test("a new size is told to the program", function()
  local s <close> = expect.spawn { "python3", "-c", [[
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
while True:
    print(os.get_terminal_size(0), flush=True)
    signal.sigwait([signal.SIGWINCH])
]] }
  s:expect { literal = "(columns=80, lines=24)" }
  s:resize(50, 132)
  tap.is(s:expect { literal = "(columns=132, lines=50)" }, 1)
end)

tap.test("close ends a shell, which ignores TERM", function()
  local s = shell()
  s:expect "%$ "
  s:close()
  tap.is(s:wait().signal, "HUP")
  tap.is_deeply(core_process.children(), {})
end)

tap.test("a session that is left by an error takes its program along",
  function()
    tap.throws(function()
      local s <close> = expect.spawn { "sleep", "60" }
      s:expect("x", { timeout = 0 })
    end, "Timeout")
    tap.is_deeply(core_process.children(), {})
  end)

tap.test("a program that was detached lives on", function()
  local s = expect.spawn { shell = "trap '' HUP; echo ready; exec sleep 60" }
  s:expect "ready"
  s.process:detach()
  s:close()
  tap.is(s:isalive(), true)
  s.process:kill()
  tap.is(s:wait().signal, "KILL")
end)

tap.done()
