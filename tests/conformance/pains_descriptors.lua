-- What users of other runtimes suffer: descriptors that leak, that do not
-- block for others any more, that are no pipes; terminals that end too early.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = children.LUVISOR

-- -- Leaks --------------------------------------------------------------------

tap.test("cadical#120, Waybar#2182, golang#22315: children that are started "
  .. "side by side have none of each other's descriptors", function()
  local list, found = {}, {}
  for i = 1, 40 do list[i] = i end
  task.map(list, function()
    local p <close> = process.spawn {
      "sh", "-c", "ls /proc/$$/fd; read x", stdin = "pipe", stdout = "pipe",
      stderr = "pipe", fds = { [5] = "pipe" },
    }
    for _ = 1, 4 do
      local fd = p.stdout:readline()
      found[fd] = (found[fd] or 0) + 1
    end
    p.stdin:close()
    tap.is(p.stdout:read(), "")
    p:wait()
  end, { jobs = 10 })
  tap.is_deeply(found, { ["0"] = 40, ["1"] = 40, ["2"] = 40, ["5"] = 40 })
end)

-- -- Pipes that can be opened by name -----------------------------------------

tap.test("node#21941, #42295, node-v0.x#5689, topojson#205, slimerjs#646, "
  .. "nix-direnv#753: stdio is pipes, which can be opened by name", function()
  local r = process.run { "sh", "-c", "for i in 0 1 2; do "
    .. "test -p /proc/self/fd/$i && echo $i is a pipe; done; "
    .. "cat /dev/stdin > /dev/stdout; echo err > /dev/stderr; "
    .. "cat < /dev/fd/0", input = "in\n" }
  tap.is(r.stdout, "0 is a pipe\n1 is a pipe\n2 is a pipe\nin\n")
  tap.is(r.stderr, "err\n")
end)

tap.test("libuv#2598: stdout and stderr may be one pipe, in the order of time",
function()
  local r = process.run { "sh", "-c", "for i in 1 2 3 4; do echo o$i; "
    .. "echo e$i >&2; done; readlink /proc/self/fd/1 /proc/self/fd/2",
    stderr = "stdout" }
  local order <const> = "o1\ne1\no2\ne2\no3\ne3\no4\ne4\n"
  tap.is(r.stdout:sub(1, #order), order)
  local one, two = r.stdout:sub(#order + 1):match "^(%S+)\n(%S+)"
  tap.like(one, "^pipe:")
  tap.is(one, two)
end)

-- -- O_NONBLOCK ---------------------------------------------------------------

local FLAGS <const> = [[flags() {
  for i in 0 1 2; do grep -h flags: /proc/$$/fdinfo/$i; done; }
]]

local function is_nonblocking(line)
  return tonumber(line:match "flags:%s*(%d+)", 8) & 2048 ~= 0
end

-- Reads the three lines of flags(), all of which must be of blocking ones.
local function check_blocking(reader, name)
  for _ = 1, 3 do
    tap.ok(not is_nonblocking(reader:readline()), name)
  end
end

local USES <const> = [[
  local stream, task = require "luvisor.stream", require "luvisor.task"
  local reading = task.spawn(stream.stdin.readline, stream.stdin)
  stream.stdout:write "out\n"
  stream.stderr:write "err\n"
  reading:join()
]]

tap.test("node#42826, libuv#3602, #2062, #5080, bun#33560: a terminal that we "
  .. "share with our parent blocks as before", function()
  local p <close> = process.spawn {
    "sh", "-c", FLAGS .. [[flags >&3; "$@"; flags >&3; cat]], "sh", LUVISOR,
    "-e", USES, pty = { echo = false }, fds = { [3] = "pipe" },
  }
  check_blocking(p.fds[3], "before")
  tap.is(p.tty:readline() .. p.tty:readline(), "out\rerr\r")
  local file <close> = io.open(("/proc/%d/fdinfo/1"):format(p.pid))
  tap.ok(not is_nonblocking(file:read "a"), "while we use it")
  p.tty:write "typed\n"
  check_blocking(p.fds[3], "after")
  p.tty:write "for cat\n\4"
  tap.is(p.tty:readline(), "for cat\r", "who goes on with it")
  tap.ok(p:wait(30).ok)
end)

tap.test("bun#33560: children that share a full pipe with us lose no output",
function()
  local p <close> = children.start([[
    local p = process.spawn { "sh", "-c", "seq 1 20000", stdout = "inherit" }
    for i = 1, 2000 do stream.stdout:write("x\n") end
    p:wait()
    stream.stdout:drain()
    process.run { "seq", "1", "20000", stdout = "inherit" }
  ]], { stderr = "pipe" })
  tap.eventually(function() return p.stdout:_in_kernel() > 20000 end)
  local out = p.stdout:read()
  tap.is(children.count(out, "x"), 2000)
  tap.is(children.count(out, "\n"), 42000)
  tap.is(children.count(out, "%d"), 2 * 88894)
  tap.is(p.stderr:read(), "", "nobody complains of EAGAIN")
  p:wait()
end)

tap.test("lua-eco: the child's ends of pipes block", function()
  local p <close> = process.spawn { "sh", "-c", FLAGS .. "flags >&5",
    stdin = "pipe", stdout = "pipe", stderr = "pipe", fds = { [5] = "pipe" } }
  check_blocking(p.fds[5], "of a child")
  p:wait()
end)

-- -- Terminals ----------------------------------------------------------------

tap.test("python/asyncio#147, #369: writing to a terminal goes on when "
  .. "something is typed", function()
  local host <close> = children.start([[
    local signals <close> = lv.signal.listen { "USR1" }
    stream.stdout:write "one\n"
    stream.stdout:drain()
    local tty = stream.open(1, "w")
    signals() -- something has been typed
    stream.stdout:write "two\n"
    tty:write "three\n"
    tty:drain()
    print(stream.stdout:is_closing(), tty:is_closing())
    tty:close()
  ]], { pty = { echo = false } })
  tap.is(host.tty:readline(), "one\r")
  host.tty:write "typed\n"
  host:send_signal "USR1"
  tap.is(host.tty:readline(), "two\r")
  tap.is(host.tty:readline(), "three\r")
  tap.is(host.tty:readline(), "false\tfalse\r")
  host:wait()
end)

tap.test("cpython#103436: an end of file that was typed is not the terminal's "
  .. "end: opened again, it can be read on", function()
  local host <close> = children.start([[
    print(stream.stdin:read(), stream.stdin:at_eof())
    local again = stream.open(0, "r")
    print(again:readline())
  ]], { pty = { echo = false } })
  host.tty:write "first\n\4"
  tap.is(host.tty:readline(), "first\r")
  tap.is(host.tty:readline(), "\ttrue\r")
  host.tty:write "second\n"
  tap.is(host.tty:readline(), "second\r")
  host:wait()
end)

tap.test("shellous#59: when the last one leaves a terminal it is at its end, "
  .. "without EIO", function()
  local p <close> = process.spawn { "sh", "-c", "echo last; printf words",
                                    pty = true }
  tap.is(p.tty:readline(), "last\r")
  tap.is(p.tty:read(), "words")
  tap.is(p.tty:readline(), nil)
  tap.is(p.tty:at_eof(), true)
  p:wait()
end)

-- -- Streams given on ---------------------------------------------------------

tap.test("python/asyncio#209: a pipe's end that a child was given is not kept "
  .. "open by the others", function()
  local r, w = stream.pipe()
  local first <close> = process.spawn { "cat", stdin = r, stdout = "pipe" }
  r:close()
  local second <close> = process.spawn { "sleep", "600" }
  w:write "x"
  w:close()
  tap.is(task.timeout(30, first.stdout.read, first.stdout), "x")
  first:wait()
  tap.is(second.status, nil)
end)

tap.done()
