-- A dialogue handed over to the user. The user is the test: what hands over is
-- a script that runs at a terminal of its own.

local expect = require "luvisor.expect"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local terminal = require "luvisor.core.terminal"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local HEAD <const> = [[
  local lv = require "luvisor"
  local expect, process = lv.expect, lv.process
  local stream, task = lv.stream, lv.task
]]

-- Says its window's size when it is told of a new one; misses none.
local SIZES <const> = [[
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
print('ready', flush=True)
while True:
    signal.sigwait([signal.SIGWINCH])
    cols, rows = os.get_terminal_size(0)
    print('%d rows, %d columns' % (rows, cols), flush=True)
]]

-- The user, who sees and types what the script's terminal shows and gets.
local function user_of(script, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUVISOR, "-e", HEAD .. script
  return expect.spawn(opts)
end

local function is_raw(user)
  return not terminal.echoes(user._channel.writer:fileno())
end

-- At the end of a script the user's terminal is as it was.
local function ends(user, code)
  user:expect(expect.EOF)
  local status = user:wait()
  tap.is(status.code, code or 0, "its exit code")
end

tap.test("what is typed goes to the program, what it says to the user",
  function()
    local user <close> = user_of [[
      local s <close> = expect.spawn { shell =
        "echo one; echo two; stty -echo; read x; echo \"<$x>\"; read y" }
      s:expect "one"
      print(s:interact())
      io.write("ended\n")
      s:sendline "z"
      s:expect(expect.EOF)
      print(s:wait())
    ]]
    user:expect "two\r\n"
    tap.ok(not user.before:find "one", "only what was not yet matched")
    tap.is(is_raw(user), true, "while it lasts each key is handed on")
    user:sendline "abc"
    tap.is(user:expect "<abc>\r\n", 1)
    user:send "\29"
    tap.is(user:expect "escape\r\nended\r\n", 1)
    tap.is(is_raw(user), false)
    tap.is(user:expect "exited 0\r\n", 1, "the dialogue goes on after it")
    ends(user)
  end)

tap.test("control characters are the program's, not ours", function()
  local user <close> = user_of [[
    local s <close> = expect.spawn { "bash", "-c",
      "trap 'echo caught' INT; echo ready; while :; do read -t 9 x; "
        .. "test \"$x\" = q && exit; done" }
    print(s:interact { escape = false })
    print(s:wait())
  ]]
  user:expect "ready\r\n"
  user:sendcontrol "c"
  tap.is(user:expect "caught", 1)
  user:sendcontrol "]"
  user:sendcontrol "u"
  user:sendline "q"
  tap.is(user:expect "closed\r\nexited 0", 1, "and it ends with the program")
  tap.is(is_raw(user), false)
  ends(user)
end)

tap.test("the program has the user's window size, and is told of a new one",
  function()
    local user <close> = user_of([[
      local s <close> = expect.spawn { "python3", "-c", os.getenv "SIZES" }
      s:expect "ready"
      print(s:interact())
    ]], { pty = { rows = 11, cols = 22 }, env = { SIZES = SIZES } })
    tap.is(user:expect "11 rows, 22 columns\r\n", 1)
    user:resize(33, 44)
    tap.is(user:expect "33 rows, 44 columns\r\n", 1)
    user:send "\29"
    user:expect "escape"
    ends(user)
  end)

tap.test("what is typed behind the escape character is not lost", function()
  local user <close> = user_of [[
    do
      local s <close> = expect.spawn { "cat" }
      print(s:interact { escape = "!" })
    end
    print("stream", stream.stdin:readline())
    local s <close> = expect.spawn { "cat" }
    print(s:interact { escape = "!" })
    print("stream", stream.stdin:readline())
  ]]
  tap.eventually(function() return is_raw(user) end)
  user:send "one!two\n"
  tap.is(user:expect "escape\r\nstream\ttwo\r\n", 1)
  tap.eventually(function() return is_raw(user) end)
  user:send "three!four\n"
  tap.is(user:expect "escape\r\nstream\tfour\r\n", 1)
  ends(user)
end)

tap.test("afterwards a child may have our terminal", function()
  local user <close> = user_of [[
    do
      local s <close> = expect.spawn { "cat" }
      s:interact()
    end
    print "ready"
    local p <close> = process.spawn { shell = "read x; echo \"<$x>\"",
                                      stdin = "inherit" }
    p:wait()
  ]]
  tap.eventually(function() return is_raw(user) end)
  user:send "\29"
  user:expect "ready\r\n"
  user:sendline "typed"
  tap.is(user:expect "<typed>", 1)
  ends(user)
end)

tap.test("the terminal is as it was after a timeout, and after an error",
  function()
    local user <close> = user_of [[
      local s <close> = expect.spawn { "cat" }
      print(pcall(task.timeout, 0.05, s.interact, s))
      s:log(function() error "no log" end)
      print(pcall(s.interact, s))
      s:log(nil)
      io.read()
    ]]
    user:expect "timed out after 0.05 s\r\n"
    tap.eventually(function() return is_raw(user) end)
    user:send "x"
    user:expect "no log"
    tap.eventually(function() return not is_raw(user) end)
    user:sendline()
    ends(user)
  end)

tap.test("the terminal is as it was after a signal", function()
  local user <close> = user_of [[
    local s <close> = expect.spawn { "cat" }
    s:interact()
  ]]
  tap.eventually(function() return is_raw(user) end)
  user.process:terminate()
  tap.eventually(function() return not is_raw(user) end)
  ends(user, 143)
end)

tap.test("the terminal is as it was after the second signal, too", function()
  local user <close> = user_of [[
    local s <close> = expect.spawn { "cat" }
    s:log(function()
      io.stderr:write "busy"
      while true do end
    end)
    s:interact()
  ]]
  tap.eventually(function() return is_raw(user) end)
  user:send "x"
  user:expect "busy"
  user.process:terminate()
  tap.is(is_raw(user), true)
  -- The program ends at the second; a standard signal is not counted while it
  -- is pending.
  tap.eventually(function()
    if not user:isalive() then return true end
    user.process:terminate()
  end)
  tap.is(is_raw(user), false)
  ends(user, 143)
end)

tap.test("continued after a stop, the terminal is raw again", function()
  local user <close> = user_of [[
    process.run { "tty", stdin = "inherit", stdout = "inherit" }
    local s <close> = expect.spawn { "cat" }
    s:interact()
  ]]
  local _, tty = user:expect "/dev/%S+"
  tap.eventually(function() return is_raw(user) end)
  process.run { "stty", "-F", tty, "sane" }
  tap.is(is_raw(user), false)
  user.process:send_signal "CONT"
  tap.eventually(function() return is_raw(user) end)
  user:send "\29"
  ends(user)
end)

tap.test("two cannot be handed over at once", function()
  local user <close> = user_of [[
    local s <close> = expect.spawn { "cat" }
    local t <close> = expect.spawn { "cat" }
    local first = task.spawn(function() return s:interact() end)
    task.sleep(0)
    print(pcall(t.interact, t))
    print(pcall(s.expect, s, "x"))
    print(first:join())
  ]]
  user:expect { literal = "false\tinteract: the terminal is handed over" }
  user:expect { literal = "false\texpect: another task is in interact" }
  user:send "\29"
  user:expect "escape"
  ends(user)
end)

tap.test("it ends when another task closes the session", function()
  local user <close> = user_of [[
    local s = expect.spawn { "cat" }
    local first = task.spawn(function() return s:interact() end)
    task.sleep(0)
    s:close()
    print(first:join())
  ]]
  tap.is(user:expect "closed\r\n", 1)
  ends(user)
end)

tap.test("it needs no terminal", function()
  local script <const> = HEAD .. [[
    local s <close> = expect.spawn { "sort", pty = PTY }
    local log = { input = "", output = "" }
    s:log(function(text, what) log[what] = log[what] .. text end, "both")
    print(s:interact())
    s:sendeof()
    s:expect(expect.EOF)
    io.write(s.before)
    io.stderr:write(log.input, log.output)
  ]]
  for _, pty in ipairs { "false", "{ echo = false }" } do
    local r = process.run { LUVISOR, "-e", (script:gsub("PTY", pty)),
                            input = "b\na\n" }
    tap.is((r.stdout:gsub("\r", "")), "end\na\nb\n")
    tap.is((r.stderr:gsub("\r", "")),
      "b\na\n" .. (pty == "false" and "" or "\4") .. "a\nb\n")
  end
end)

tap.done()
