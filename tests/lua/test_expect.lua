-- What expect waits for, what it returns, and what it leaves behind.

local expect = require "luvisor.expect"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- A session with a program that says what it is sent.
local function echoing(opts)
  opts = opts or {}
  opts[1] = "cat"
  opts.pty = opts.pty == nil and { echo = false } or opts.pty
  return expect.spawn(opts)
end

-- A session with a program that says this and then waits.
local function saying(text, opts)
  opts = opts or {}
  opts.shell = "printf '%s' " .. text .. "; exec sleep 60"
  return expect.spawn(opts)
end

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

tap.test("it returns the pattern's place, the match and the captures",
  function()
    local s <close> = saying "'one two three'"
    tap.is_deeply({ s:expect "t(w)(o)" }, { 1, "two", "w", "o" })
    tap.is(s.before, "one ")
    tap.is(s.after, "two")
    tap.is_deeply(s.captures, { "w", "o" })
    tap.is_deeply({ s:expect { "x", "()three()" } }, { 2, "three", 2, 7 },
      "positions are those in before and match together")
    tap.is(s.before, " ")
    tap.is_deeply({ s.dropped, s.captures }, { 0, { 2, 7 } })
  end)

tap.test("the match that begins first wins, not the pattern that stands first",
  function()
    local s <close> = saying "'abcd abcd'"
    tap.is_deeply({ s:expect { "cd", "bcd" } }, { 2, "bcd" })
    tap.is_deeply({ s:expect { "bc", "bcd", "bc.*" } }, { 1, "bc" },
      "of those that begin together the first in the list, not the longest")
    tap.is(s.before, " a")
    tap.is(s:expect "d", 1, "and what follows is still there")
  end)

tap.test("a literal is no pattern", function()
  local s <close> = saying "'a.c 100% (x) $ '"
  tap.is_deeply({ s:expect { { literal = "100%" } } }, { 1, "100%" })
  tap.is(s.before, "a.c ")
  tap.is_deeply({ s:expect { literal = "(x)" } }, { 1, "(x)" })
  tap.is_deeply({ s:expect { "%$ $" } }, { 1, "$ " },
    "$ is the end of what has come")
end)

tap.test("a match is tried on what has come so far", function()
  local s <close> = echoing()
  s:sendline "12"
  tap.is_deeply({ s:expect "%d+%s*$" }, { 1, "12\r\n" })
  s:sendline "x34"
  tap.is_deeply({ s:expect "^x" }, { 1, "x" }, "^ is where the last one ended")
  tap.throws(function() s:expect("^4", { timeout = 0 }) end, "Timeout")
  tap.is_deeply({ s:expect "^3" }, { 1, "3" })
end)

tap.test("the end that is waited for has all that came before it", function()
  local s <close> = expect.spawn { "printf", "one two" }
  tap.is(s:expect "one", 1)
  tap.is_deeply({ s:expect { "x", expect.EOF } }, { 2, expect.EOF })
  tap.is(s.before, " two")
  tap.is(s.after, expect.EOF)
  tap.is_deeply({ s:expect(expect.EOF) }, { 1, expect.EOF }, "and again")
  tap.is(s.before, "")
  tap.is(s:wait().code, 0)
end)

tap.test("an end that is not waited for is an error that loses nothing",
  function()
    local s <close> = expect.spawn { shell = "echo one; echo two; exit 3" }
    s:wait()
    local _, err = tap.throws(function() s:expect { "three", "f%a+" } end,
      "IncompleteRead")
    tap.is(tostring(err),
      '"sh" exited 3 before it said "three" or "f%a+"\n  | one\n  | two')
    tap.is(err.partial, "one\r\ntwo\r\n")
    tap.is_deeply(err.patterns, { "three", "f%a+" })
    tap.is(err.status.code, 3)
    tap.is(s.before, "one\r\ntwo\r\n")
    tap.is(s.after, expect.EOF)
    tap.is(s:expect "two", 1, "a later expect goes on")
    tap.is(s.before, "one\r\n")
    tap.throws(function() s:expect(expect.TIMEOUT) end,
      '"sh" exited 3 before the time was over')
    tap.is(s:expect(expect.EOF), 1)
    tap.throws(function() s:expect "more" end, "; nothing came$")
  end)

tap.test("a timeout that is not waited for is an error that loses nothing",
  function()
    local s <close> = saying("'login: '", { timeout = 0.05 })
    local _, err = tap.throws(function()
      s:expect { "Password:", { literal = "\27[0m\r\n" }, expect.EOF }
    end, "Timeout")
    tap.is(tostring(err), '"sh" did not say "Password:" or "\\e[0m\\r\\n", '
      .. "or end within 0.05 s\n  | login: ")
    tap.is_deeply({ err.seconds, err.tail, s.before, s.after },
      { 0.05, "login: ", "login: ", expect.TIMEOUT })
    tap.is_deeply({ s:expect("login", { timeout = 5 }) }, { 1, "login" })
    tap.is(s.before, "")
  end)

tap.test("a timeout that is waited for is an answer, and takes nothing",
  function()
    local s <close> = saying "abc"
    tap.is(s:expect "a", 1)
    tap.is_deeply({ s:expect({ "x", expect.TIMEOUT }, { timeout = 0.01 }) },
      { 2, expect.TIMEOUT })
    tap.is_deeply({ s.before, s.after }, { "bc", expect.TIMEOUT })
    tap.is(s:expect "c", 1)
    tap.is_deeply({ s:expect(expect.TIMEOUT, { timeout = 0 }) },
      { 1, expect.TIMEOUT })
    tap.is(s.before, "")
  end)

tap.test("what was there at a timeout is `before`, also when more has come",
  function()
    local s <close> = echoing()
    s:sendline "one"
    s:expect "^one"
    s:sendline "two"
    tap.eventually(function()
      return s:expect({ "two\r\n", expect.TIMEOUT }, { timeout = 0 }) == 1
    end)
    s:expect({ "x", expect.TIMEOUT }, { timeout = 0 })
    s:sendline "three"
    s:send "\4"
    s:wait()
    tap.is(s.before, "", "nothing was there then")
    tap.is(s:expect "three", 1)
  end)

tap.test("timeout = 0 takes what the kernel has, and does not wait", function()
  local s <close> = expect.spawn { shell = "printf abc", timeout = 0 }
  s.process:wait()
  tap.is_deeply({ s:expect "b" }, { 1, "b" })
  tap.is_deeply({ s:expect { expect.EOF, "c" } }, { 2, "c" })
  tap.eventually(function() return s:expect { "x", expect.EOF } == 2 end)
end)

tap.test("timeout = false waits as long as it takes", function()
  local s <close> = saying("'a b'", { timeout = 0.01 })
  s:expect({ "a", expect.TIMEOUT }, { timeout = false })
  tap.is(s.before, "")
  s.timeout = false
  tap.is(s:expect "b", 1)
  local t = task.spawn(function() return s:expect "c" end)
  waits(t)
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
end)

tap.test("cancelled at its wait, it has lost nothing", function()
  local s <close> = echoing()
  local t = task.spawn(function() return s:expect "no such" end)
  waits(t)
  s:sendline "one"
  tap.eventually(function() return s._channel.buffer:size() >= 5 end)
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  tap.is_deeply({ s:expect "%a+" }, { 1, "one" })
  tap.throws(function() task.timeout(0.01, s.expect, s, "two") end, "Timeout")
  s:sendline "two"
  tap.is(s:expect "two", 1)
end)

tap.test("two tasks cannot expect at once", function()
  local s <close> = echoing()
  local t = task.spawn(function() return s:expect "%a+" end)
  waits(t)
  tap.throws(function() s:expect "x" end,
    { kind = "Busy",
      message = "expect: another task is in expect of this session" })
  tap.throws(function() s:interact() end, "Busy")
  s:sendline "one"
  tap.is_deeply({ t:join() }, { 1, "one" })
  s:sendline "two"
  tap.is(s:expect "two", 1, "one after the other they can")
end)

tap.test("many matches, one after the other", function()
  local s <close> = expect.spawn { shell =
    "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i; done" }
  for i = 1, 1000 do
    local _, _, n = s:expect "line (%d+)\r\n"
    if tonumber(n) ~= i then tap.is(n, i) end
  end
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s.before, "")
end)

tap.test("without a terminal it speaks through pipes", function()
  local s <close> = expect.spawn { shell =
    "test -t 0 || echo no terminal; echo oops >&2; read x; echo got $x; cat",
    pty = false }
  tap.is(s:expect "no terminal\n", 1)
  tap.is(s:expect "oops\n", 1, "stderr comes, too")
  s:sendline "one"
  tap.is(s:expect "got one\n", 1)
  s:send "two"
  s:sendeof()
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s.before, "two")
  tap.is(s:wait().code, 0)
  for _, call in ipairs {
    function() s:resize(1, 1) end,
    function() s:sendcontrol "c" end,
    function() s:sendline("x", { noecho = true }) end,
  } do
    tap.throws(call, "UsageError")
  end
end)

tap.test("stderr may be read apart", function()
  local s <close> = expect.spawn { shell = "echo out; echo err >&2",
                                   stderr = "pipe" }
  tap.is(s.process.stderr:read(), "err\n")
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s.before, "out\r\n")
end)

tap.test("options of spawn have their meaning", function()
  local s <close> = expect.spawn { shell = "stty size; echo $X; pwd",
    pty = { rows = 12, cols = 34 }, env = { X = "y" }, cwd = "/", name = "me" }
  tap.is(s:expect "12 34\r\ny\r\n/\r\n", 1)
  tap.is(s.name, "me")
  tap.is(s.pid, s.process.pid)
  tap.like(tostring(s), "^session with process %d+ %(me, ")
end)

tap.test("the buffer is bounded: the oldest goes", function()
  local s <close> = expect.spawn { shell = "head -c 100000 /dev/zero | "
    .. "tr '\\0' a; printf b", max_buffer = 1000, pty = false }
  tap.is_deeply({ s:expect "b" }, { 1, "b" })
  tap.ok(#s.before >= 999, "at least so much of before is there")
  tap.is(s.dropped + #s.before, 100000, "and is counted")
  s:wait()
  local t <close> = expect.spawn { shell = "head -c 9000 /dev/zero | "
    .. "tr '\\0' a", max_buffer = 100, pty = false }
  t:wait()
  tap.throws(function() t:expect "b" end, "IncompleteRead")
  tap.is_deeply({ #t.before, t.dropped }, { 100, 8900 })
end)

tap.test("100 MB are searched in linear time, for all patterns", function()
  local s <close> = expect.spawn { shell = "yes 'some words of no interest' | "
    .. "head -n 3846154; echo Password:", pty = false, timeout = 50 }
  local patterns = { { literal = "passphrase: " }, "[Pp]assword:", "(zz-)y",
                     { literal = "interest\nP" } }
  tap.is_deeply({ s:expect(patterns) }, { 4, "interest\nP" })
  local n = s._channel.buffer:examined()
  tap.ok(n <= #patterns * 100.1e6, n .. " bytes were looked at")
  tap.ok(s.dropped > 80e6, "and few were kept")
end)

tap.test("a search goes on where the last one stopped", function()
  local s <close> = expect.spawn { shell = "head -c 1000000 /dev/zero; read x",
                                   pty = false, stdin = "pipe" }
  local wanted = { "a.-b", { literal = "xyz" }, expect.TIMEOUT }
  for _ = 1, 100 do s:expect(wanted, { timeout = 0 }) end
  tap.eventually(function()
    s:expect(wanted, { timeout = 0 })
    return #s.before == 1000000
  end)
  for _ = 1, 100 do s:expect(wanted, { timeout = 0 }) end
  tap.ok(s._channel.buffer:examined() < 2.5e6, "nothing was looked at again")
end)

tap.test("a closed session says so", function()
  local s = echoing()
  s:close()
  s:close()
  tap.is(s:isalive(), false)
  tap.is(s:wait().signal, "HUP", "a terminal that is closed hangs up")
  for _, call in ipairs {
    function() s:expect "x" end, function() s:send "x" end,
    function() s:sendline() end, function() s:sendcontrol "c" end,
    function() s:sendeof() end, function() s:resize(1, 2) end,
    function() s:interact() end,
  } do
    tap.throws(call, "Closed")
  end
end)

tap.test("closed by another task, it ends the wait", function()
  local s = echoing()
  local t = task.spawn(function() return pcall(s.expect, s, "x") end)
  waits(t)
  s:close()
  local _, err = t:join()
  tap.is(err.kind, "Closed")
  tap.is(err.message, 'expect: the session with "cat" is closed')
  local other = echoing()
  t = task.spawn(function() return other:wait() end)
  waits(t)
  other:close()
  tap.is(t:join().signal, "HUP", "but for a wait, which has what it wanted")
end)

tap.test("a wait for news is shared by all who wait", function()
  local s <close> = echoing()
  local ready = sync.event()
  local ender = task.spawn(function()
    ready:set()
    return s:wait()
  end)
  ready:wait()
  waits(ender)
  s:sendline "one"
  tap.is(s:expect "one", 1, "expect while another task is in wait")
  ender:cancel()
  tap.throws(function() ender:join() end, "Cancelled")
  s:sendline "two"
  tap.is(s:expect "two", 1, "and after that was cancelled")
  s:sendeof()
  tap.is(s:wait().code, 0)
end)

local wrong = {
  { function(s) s:expect() end, "a list of patterns is needed, got nil" },
  { function(s) s:expect {} end, "an empty list" },
  { function(s) s:expect "" end, "an empty pattern" },
  { function(s) s:expect { { literal = "" } } end, "an empty pattern" },
  { function(s) s:expect { 5 } end, "got 5" },
  { function(s) s:expect { { litral = "x" } } end, 'did you mean "literal"' },
  { function(s) s:expect "(" end, "malformed" },
  { function(s) s:expect("x", { timout = 1 }) end, 'mean "timeout"' },
  { function(s) s:expect("x", { timeout = -1 }) end, "0 or more" },
  { function(s) s:expect { literal = ("x"):rep(2000) } end, "max_buffer" },
  { function(s) s:send() end, "expected a string, got nil" },
  { function(s) s:sendline({}) end, "expected a string" },
  { function(s) s:sendline("x", { echo = true }) end, "unknown option" },
  { function(s) s:sendcontrol "cc" end, "a key is a letter" },
  { function(s) s:sendcontrol(3) end, "got 3" },
  { function(s) s:resize(0, 1) end, "from 1 to 65535" },
  { function(s) s:log(5) end, "expected a Writer" },
  { function(s) s:log(print, "all") end, '"output", "input" or "both"' },
  { function(s) s:interact { escape = "ab" } end, "one character" },
  { function() expect.spawn { "cat", timout = 5 } end, 'mean "timeout"' },
  { function() expect.spawn { "cat", timeout = "5" } end, "or false" },
  { function() expect.spawn { "cat", searchwindow = 9, max_buffer = 9 } end,
    "half of max_buffer" },
  { function() expect.spawn { "cat", protocol = {} } end, "protocol" },
  { function() expect.spawn { "cat", pty = false, stdout = "null" } end,
    "nothing to read" },
}

tap.test("what cannot be is refused, and the message says what was meant",
  function()
    local s <close> = echoing { max_buffer = 1000 }
    for i, case in ipairs(wrong) do
      tap.throws(function() case[1](s) end, function(err)
        return err.kind == "UsageError"
          and tostring(err):find(case[2], 1, true)
      end, ("%d: %s"):format(i, case[2]))
    end
    s:sendline "still here"
    tap.is(s:expect "still here", 1)
  end)

tap.done()
