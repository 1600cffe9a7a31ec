-- A child that inherits the terminal is its foreground, as under a shell.

local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

-- What the scripts have: groups() is our process group and the terminal's.
local HEAD <const> = [[
  local process = require "luvisor.process"
  local task = require "luvisor.task"
  local STAT = "read -r a b c d pgrp f g tpgid rest < /proc/$$/stat; "
  local SAY = STAT
    .. "test $pgrp = $tpgid && echo foreground || echo background"
  local function we()
    local f <close> = io.open "/proc/self/stat"
    local pgrp, tpgid = f:read("a"):match "%) %a %d+ (%d+) %d+ %d+ (%-?%d+)"
    return "we " .. (pgrp == tpgid and "foreground" or "background")
  end
  local function child(script, opts)
    local all = { "sh", "-c", script, stdin = "inherit" }
    for name, value in pairs(opts or {}) do all[name] = value end
    return process.spawn(all)
  end
]]

-- Runs a script on a terminal of its own, as its session's leader.
local function on_terminal(script)
  return process.spawn { LUVISOR, "-e", HEAD .. script,
                         pty = { echo = false } }
end

local function line(p)
  local text = p.tty:readline()
  return text and text:gsub("\r$", "") or nil
end

local function rest(p)
  return (p.tty:read():gsub("\r", ""))
end

tap.test("it has the terminal while it runs, and we have it back", function()
  local p <close> = on_terminal [[
    print(we())
    local p = child("read x; " .. SAY .. "; read x")
    print(we())
    p:wait()
    print(we())
  ]]
  tap.is(line(p), "we foreground")
  tap.is(line(p), "we background")
  p.tty:write "\n"
  tap.is(line(p), "foreground")
  p.tty:write "\n"
  tap.is(line(p), "we foreground")
  tap.is(p:wait().code, 0)
end)

tap.test("it reads what is typed", function()
  local p <close> = on_terminal [[
    child("read x; echo got $x"):wait()
    print(process.capture { "sh", "-c", "read x; echo got $x",
                            stdin = "inherit" })
    print(process.run({ "cat", stdin = "inherit" }).stdout)
  ]]
  p.tty:write "one\n"
  tap.is(line(p), "got one")
  p.tty:write "two\n"
  tap.is(line(p), "got two")
  p.tty:write "three\n\4"
  tap.is(line(p), "three")
  tap.is(p:wait().code, 0)
end)

tap.test("one at a time: a second child is in the background", function()
  local p <close> = on_terminal [[
    local first = child "read x; exit 1"
    child(SAY):wait()
    print(first.status)
    first:wait()
    child(SAY):wait()
  ]]
  tap.is(line(p), "background")
  tap.is(line(p), "nil")
  p.tty:write "\n"
  tap.is(line(p), "foreground", "when the first has ended")
  tap.is(p:wait().code, 0)
end)

tap.test("who has a group or a session of its choice gets none", function()
  local p <close> = on_terminal [[
    child(SAY, { process_group = false }):wait()
    print(we())
    child("read x; echo got $x", { process_group = false }):wait()
    child("echo " .. "another", { session = true }):wait()
    child(SAY, { stdin = "null" }):wait()
    print(we())
  ]]
  tap.is(line(p), "foreground", "it is of our group")
  tap.is(line(p), "we foreground")
  p.tty:write "x\n"
  tap.is(line(p), "got x")
  tap.is(line(p), "another")
  tap.is(line(p), "background")
  tap.is(line(p), "we foreground")
  tap.is(p:wait().code, 0)
end)

tap.test("a descriptor of the terminal will do as stdin", function()
  local p <close> = on_terminal [[
    local tty = io.open("/dev/tty", "r")
    local q = child(SAY .. "; read x", { stdin = tty })
    tty:close()
    q:wait()
    print(we())
  ]]
  tap.is(line(p), "foreground")
  p.tty:write "\n"
  tap.is(line(p), "we foreground")
  tap.is(p:wait().code, 0)
end)

tap.test("a child that cannot be started leaves us the terminal", function()
  local p <close> = on_terminal [[
    print(pcall(process.spawn, { "no-such-program", stdin = "inherit" }))
    print(we())
    child(SAY):wait()
  ]]
  tap.like(line(p), "^false")
  tap.is(line(p), "we foreground")
  tap.is(line(p), "foreground")
  tap.is(p:wait().code, 0)
end)

tap.test("a child that is stopped or killed gives it back, too", function()
  local p <close> = on_terminal [[
    local q = child "sleep 600"
    q:stop()
    print(we())
    local ok, err = pcall(process.run, { "sleep", "600", stdin = "inherit",
                                         timeout = 0.01 })
    print(err.kind, we())
    task.spawn(child "sleep 600".wait)
  ]]
  tap.is(line(p), "we foreground")
  tap.is(line(p), "Timeout\twe foreground")
  rest(p)
  tap.is(p:wait().code, 1)
end)

tap.test("a child that dies of ^C takes us with it", function()
  local p <close> = on_terminal [[
    local q = child "echo; exec sleep 600"
    local cleanup <close> = setmetatable({}, { __close = function()
      print("cleaned up", we())
    end })
    q:wait()
    task.sleep(600)
  ]]
  line(p)
  p.tty:write "\3"
  tap.is(line(p), "cleaned up\twe foreground")
  tap.is(p:wait().code, 130)
end)

tap.test("a child that takes ^C does not", function()
  local p <close> = on_terminal [[
    local q = child "trap 'exit 3' INT; echo; while :; do sleep 0.01; done"
    print(q:wait().code)
    task.sleep(0.02)
    print "here"
  ]]
  line(p)
  p.tty:write "\3"
  tap.is(line(p), "3")
  tap.is(line(p), "here")
  tap.is(p:wait().code, 0)
end)

tap.test("a child that dies of INT by another way is no ^C of ours",
function()
  local p <close> = on_terminal [[
    local q = child("exec sleep 600", { stdin = "null" })
    q:send_signal "INT"
    print(q:wait().signal)
    task.sleep(0.02)
    print "here"
  ]]
  tap.is(line(p), "INT")
  tap.is(line(p), "here")
end)

tap.test("a ^\\ that ends the child shows our tasks, too", function()
  local p <close> = on_terminal [[
    local q = child "ulimit -c 0; echo; exec sleep 600"
    print(q:wait().signal)
    task.sleep(0.02)
  ]]
  line(p)
  p.tty:write "\28"
  local text = rest(p)
  tap.like(text, "QUIT\n")
  tap.like(text, "luvisor: 1 tasks\n")
  tap.is(p:wait().code, 0)
end)

tap.test("a ^Z goes on at once where no shell could continue it", function()
  local p <close> = on_terminal [[
    local q = child "echo; read x; echo got $x"
    q:wait()
    print(we())
  ]]
  line(p)
  p.tty:write "\26"
  p.tty:write "x\n"
  tap.is(line(p), "got x")
  tap.is(line(p), "we foreground")
end)

-- Under a shell ---------------------------------------------------------------

local READER <const> = [[
  child("trap 'echo went on' CONT; echo begun; until read x; do :; done; "
    .. "echo got $x"):wait()
  print(we())
]]

-- A shell with job control on a terminal; it says "$" when it is ready.
local function shell()
  local bash = process.which "bash"
  if not bash then tap.skip "there is no bash" end
  local sh = process.spawn {
    bash, "--norc", "--noprofile", "--noediting", "-i",
    env = { PS1 = "$\n", LUVISOR = LUVISOR, SCRIPT = HEAD .. READER },
    pty = { echo = false }, stop = { signal = "HUP" },
  }
  return sh
end

-- Reads up to a line that matches; the captures.
local function await(sh, pattern)
  local seen = {}
  for _ = 1, 50 do
    local text = line(sh)
    if not text then break end
    seen[#seen + 1] = text
    if text:find(pattern) then return text:match(pattern) end
  end
  tap.ok(false, pattern .. " did not come, but: " .. table.concat(seen, "|"))
end

local function type_line(sh, text)
  await(sh, "^%$$")
  sh.tty:write(text, "\n")
end

tap.test("a ^Z stops us with the child, fg continues both", function()
  local sh <close> = shell()
  type_line(sh, '"$LUVISOR" -e "$SCRIPT"')
  await(sh, "^begun")
  sh.tty:write "\26"
  await(sh, "Stopped")
  type_line(sh, "fg > /dev/null")
  await(sh, "^went on")
  sh.tty:write "x\n"
  tap.is(await(sh, "^got (.*)"), "x")
  await(sh, "^we foreground")
  type_line(sh, "echo status $?")
  tap.is(await(sh, "^status (%d+)"), "0")
  type_line(sh, "exit")
  tap.is(sh:wait().code, 0)
end)

tap.test("continued in the background it leaves the terminal to the shell",
function()
  local sh <close> = shell()
  type_line(sh, '"$LUVISOR" -e "$SCRIPT"')
  await(sh, "^begun")
  sh.tty:write "\26"
  await(sh, "Stopped")
  type_line(sh, "bg > /dev/null")
  -- It wants to read, and waits to be the foreground again.
  sh.tty:write "until jobs -s | grep -q .; do sleep 0.01; done; echo waits\n"
  await(sh, "^waits")
  type_line(sh, "fg > /dev/null")
  await(sh, "^went on")
  sh.tty:write "y\n"
  tap.is(await(sh, "^got (.*)"), "y")
  await(sh, "^we foreground")
  type_line(sh, "exit")
  tap.is(sh:wait().code, 0)
end)

tap.done()
