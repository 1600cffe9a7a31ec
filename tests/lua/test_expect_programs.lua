-- Dialogues with programs that were made for people.

local expect = require "luvisor.expect"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local function needs(program)
  if not process.which(program) then tap.skip("there is no " .. program) end
end

tap.test("a shell", function()
  local s <close> = expect.spawn { "sh", "-i", env = { PS1 = "ready> ",
                                                       ENV = false } }
  local function run(command)
    s:expect "ready> "
    s:sendline(command)
    s:expect { literal = command .. "\r\n" }
  end
  run "echo $((6 * 7))"
  tap.is_deeply({ s:expect "%d+" }, { 1, "42" })
  run "cd / && pwd"
  tap.is(s:expect "^/\r\n", 1)
  run "printf 'one\\ntwo\\n' | while read x; do echo \"<$x>\"; done"
  tap.is_deeply({ s:expect "<(%a+)>%s+<(%a+)>" },
    { 1, "<one>\r\n<two>", "one", "two" })
  run "exit 9"
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s:wait().code, 9)
end)

tap.test("Python", function()
  local s <close> = expect.spawn { "python3", "-q", env = {
    TERM = "dumb", PYTHON_BASIC_REPL = "1", PYTHONSTARTUP = false } }
  s:expect ">>> $"
  -- What Python says to a line, and whether it wants more of them.
  local function run(line)
    s:sendline(line)
    s:expect { literal = line .. "\r\n" }
    local i = s:expect { ">>> $", "%.%.%. $" }
    return s.before, i == 2
  end
  tap.is(run "2 ** 100", "1267650600228229401496703205376\r\n")
  tap.like(run "1 / 0", "ZeroDivisionError: division by zero\r\n$")
  tap.is(select(2, run "for i in range(3):"), true)
  tap.is(select(2, run "    print('line', i)"), true)
  tap.is(run "", "line 0\r\nline 1\r\nline 2\r\n")
  -- One long sleep would not end if the signal came just before it.
  run "import time"
  s:sendline "print('asleep'); [time.sleep(0.01) for _ in iter(int, 1)]"
  s:expect "asleep\r\n"
  s:sendcontrol "c"
  tap.is(s:expect "KeyboardInterrupt", 1)
  s:expect ">>> $"
  s:sendeof()
  tap.is(s:expect(expect.EOF), 1)
  s:wait() -- by INT: it remembers the interrupt
  tap.is(s:isalive(), false)
end)

tap.test("less, which has the whole screen", function()
  needs "less"
  local name = os.tmpname()
  do
    local file <close> = io.open(name, "w")
    for i = 1, 500 do file:write("line ", i, "\n") end
  end
  local s <close> = expect.spawn { "less", name, pty = { rows = 10, cols = 40 },
    env = { TERM = "xterm", LESS = "", LESSOPEN = false } }
  s:expect "line 9\r\n"
  s:send "G"
  tap.is(s:expect "line 500", 1)
  s:send "g/line 300\r"
  tap.is(s:expect "line 308", 1)
  s:resize(20, 40)
  s:send "r" -- it may be told between its looks at signals, and read on
  tap.is(s:expect { "line 318", expect.TIMEOUT }, 1, "it shows more")
  s:send "q"
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s:wait().code, 0)
  os.remove(name)
end)

tap.test("top", function()
  needs "top"
  local s <close> = expect.spawn { "top", "-d", "60",
    pty = { rows = 20, cols = 100 }, env = { TERM = "xterm" } }
  tap.is(s:expect "PID.-COMMAND", 1)
  s:send "h"
  tap.is(s:expect "Help for Interactive Commands", 1)
  s:send "q"
  s:expect "PID.-COMMAND"
  s:send "q"
  tap.is(s:expect(expect.EOF), 1)
  tap.is(s:wait().code, 0)
end)

local CURSES <const> = [[
import curses

def main(screen):
    screen.timeout(20)
    while True:
        screen.erase()
        screen.addstr(0, 0, 'screen %dx%d.' % screen.getmaxyx())
        screen.refresh()
        key = screen.getch()
        if key == ord('q'):
            break

curses.wrapper(main)
print('ended')
]]

tap.test("a program of curses, whose window changes its size", function()
  if not pcall(process.run, { "python3", "-c", "import curses" }) then
    tap.skip "Python has no curses"
  end
  local s <close> = expect.spawn { "python3", "-c", CURSES,
    pty = { rows = 10, cols = 40 }, env = { TERM = "xterm" } }
  tap.is(s:expect "screen 10x40%.", 1)
  s:resize(33, 99)
  tap.is(s:expect "33x99%.", 1)
  s:send "q"
  tap.is(s:expect "ended\r\n", 1)
  tap.is(s:wait().code, 0)
end)

tap.done()
