local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

-- What comes of these lines, which are no terminal: no prompts.
local function feed(...)
  return process.run {
    LUVISOR, "-i", input = table.concat({ ... }, "\n") .. "\n", check = false,
    timeout = 60,
  }
end

tap.test("values are printed, statements print nothing", function()
  local r = feed("1 + 1", "x = 3", "x * 2, nil, 'text'", "nil", "",
                 "(function() end)()")
  tap.is(r.stdout, "2\n6\tnil\ttext\nnil\n")
  tap.is(r.stderr, "")
  tap.ok(r.ok)
end)

tap.test("lines may wait, and lv is there", function()
  local r = feed("lv.task.sleep(0.001)", "lv.process.capture { 'echo', 'hi' }",
                 "lv.task.current() ~= nil")
  tap.is(r.stdout, "hi\ntrue\n")
end)

tap.test("a statement may have many lines", function()
  local r = feed("for i = 1, 2 do", "  print(i)", "end", "s = [[", "a", "]]",
                 "#s", "function f(", "  x)", "  return x", "end", "f(7)")
  tap.is(r.stdout, "1\n2\n2\n7\n")
  tap.is(r.stderr, "")
end)

tap.test("after an error it goes on", function()
  local r = feed("error 'oops'", "return 1 +* 2",
                 "lv.task.timeout(0, lv.task.sleep, 1)", "error()",
                 "error { code = 1 }", "'still here'")
  tap.is(r.stdout, "still here\n")
  tap.like(r.stderr, "^stdin:1: oops\nstack traceback:\n"
    .. "\t%[C%]: in function 'error'\n\tstdin:1: in main chunk\nstdin:1: "
    .. "unexpected symbol near '%*'\ntimed out after 0 s\nnil\ntable: ")
  tap.ok(r.ok)
end)

tap.test("a task that fails is told of, and ends nothing", function()
  local r = feed("lv.task.spawn(error, 'oops', 0).state",
                 "lv.task.sleep(0)", "'still here'")
  tap.is(r.stdout, "ready\nstill here\n")
  tap.like(r.stderr, "^luvisor: a task failed: oops\n")
  tap.ok(r.ok)
end)

tap.test("it waits for the tasks that were spawned", function()
  local r = feed("t = lv.task.spawn(function()", "lv.task.sleep(0.05)",
                 "print 'late'", "end)", "t.state")
  tap.is(r.stdout, "ready\nlate\n")
end)

tap.test("a last line without its end counts; half a statement is an error",
  function()
    local r = process.run { LUVISOR, "-i", input = "1", timeout = 60 }
    tap.is(r.stdout, "1\n")
    r = process.run { LUVISOR, "-i", input = "for", timeout = 60 }
    tap.like(r.stderr, "near <eof>")
  end)

tap.test("os.exit ends it with its code", function()
  local r = feed("os.exit(7)", "'not reached'")
  tap.is(r.code, 7)
  tap.is(r.stdout, "")
end)

tap.test("at a terminal it greets and prompts, and ends with ^D", function()
  local p <close> = process.spawn { LUVISOR, "-i", pty = { echo = false } }
  tap.like(p.tty:readuntil "> ", "^luvisor .*%^D\r\n> $")
  p.tty:write "6 * 7\n"
  tap.is(p.tty:readuntil "\n> ", "42\r\n> ")
  p.tty:write "do\n"
  tap.is(p.tty:readuntil ">> ", ">> ")
  p.tty:write "print(1) end\n"
  tap.is(p.tty:readuntil "\n> ", "1\r\n> ")
  p.tty:write "\4"
  tap.is(p:wait(60).code, 0)
end)

tap.test("^C at the prompt ends it in order", function()
  local p <close> = process.spawn { LUVISOR, "-i", pty = { echo = false } }
  p.tty:readuntil "> "
  p.tty:write "lv.task.at_exit(function() print 'cleaned up' end)\n"
  p.tty:readuntil "> "
  p.tty:write "\3"
  tap.like(p.tty:readuntil "\n", "cleaned up")
  tap.is(p:wait(60).code, 130)
end)

tap.done()
