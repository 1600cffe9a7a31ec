-- Listening: who gets a connection, and that none is lost.

local net = require "luvisor.net"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"
local TMP <const> = os.getenv "TMPDIR" or "/tmp"
local PID <const> = require "luvisor.core.os".getpid()
local NAME <const> = "@luvisor-test-accept-" .. PID

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- A script of its own, in which $NAME is a name; with these options of spawn.
local function luvisor(source, options)
  local path = TMP .. "/script.lua"
  source = source:gsub("$NAME", NAME)
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(source)
  end
  local argv = { LUVISOR, path }
  for name, value in pairs(options or {}) do argv[name] = value end
  return process.run(argv), os.remove(path)
end

tap.test("tasks that accept are served in the order of their coming",
function()
  local listener <close> = net.listen { path = NAME }
  local order, tasks = {}, {}
  for i = 1, 5 do
    tasks[i] = task.spawn(function()
      local conn <close> = listener:accept()
      order[#order + 1] = i .. conn:read(1)
    end)
    waits(tasks[i])
  end
  for i = 1, 5 do
    local conn <close> = net.connect { path = NAME }
    conn:write(i)
    tasks[i]:join()
  end
  tap.is_deeply(order, { "11", "22", "33", "44", "55" })
end)

tap.test("a listener is iterated over until it is closed", function()
  local listener = net.listen { path = NAME }
  local count = 0
  local serving = task.spawn(function()
    for conn in listener do
      count = count + 1
      conn:close()
    end
  end)
  for _ = 1, 100 do
    local conn <close> = net.connect { path = NAME }
    conn:read()
  end
  listener:close()
  listener:close()
  serving:join()
  tap.is(count, 100)
  tap.is(listener(), nil)
  tap.throws(function() listener:accept() end, "Closed")
end)

tap.test("close ends all who wait, and refuses who comes", function()
  local listener = net.listen { path = NAME }
  local waiting = {}
  for i = 1, 3 do waiting[i] = task.spawn(pcall, listener.accept, listener) end
  waits(waiting[3])
  listener:close()
  for _, t in ipairs(waiting) do
    local ok, err = t:join()
    tap.ok(not ok and err:is "Closed")
    tap.like(tostring(err), "listener on @luvisor%-test%-accept%-%d+ is closed")
  end
  tap.throws(function() net.connect { path = NAME } end, "ECONNREFUSED")
end)

tap.test("accepted connections outlive the listener", function()
  local listener = net.listen { path = NAME }
  local a <close> = net.connect { path = NAME }
  local b <close> = listener:accept()
  listener:close()
  a:write "x"
  tap.is(b:read(1), "x")
end)

tap.test("a cancelled accept takes no connection, whenever it is cancelled",
function()
  local listener <close> = net.listen { path = NAME }
  local taken, left = 0, 0
  for steps = 0, 5 do
    local accepting = task.spawn(listener.accept, listener)
    waits(accepting)
    local client <close> = net.connect { path = NAME }
    client:write(steps)
    for _ = 1, steps do task.checkpoint() end
    accepting:cancel()
    local ok, conn = pcall(accepting.join, accepting)
    if ok then taken = taken + 1 else left = left + 1 end
    if not ok then conn = listener:accept() end
    tap.is(conn:read(1), tostring(steps))
    conn:close()
  end
  tap.ok(taken > 0, "some came in time")
  tap.ok(left > 0, "some did not")
end)

tap.test("the one that waits behind a cancelled one gets the connection",
function()
  local listener <close> = net.listen { path = NAME }
  for steps = 0, 3 do
    local first = task.spawn(pcall, listener.accept, listener)
    local second = task.spawn(listener.accept, listener)
    waits(second)
    local client <close> = net.connect { path = NAME }
    for _ = 1, steps do task.checkpoint() end
    first:cancel()
    local joined, ok, conn = pcall(first.join, first)
    if joined and ok then
      second:cancel()
      tap.throws(function() second:join() end, "Cancelled")
    else
      conn = second:join()
    end
    client:write "x"
    tap.is(conn:read(1), "x")
    conn:close()
  end
end)

tap.test("accept has a time limit by task.timeout", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  tap.throws(function()
    task.timeout(0.001, listener.accept, listener)
  end, "Timeout")
  tap.is(task.move_on(0, listener.accept, listener), false)
end)

local function most_files()
  for line in io.lines "/proc/self/limits" do
    local soft = line:match "^Max open files%s+(%d+)"
    if soft then return tonumber(soft) end
  end
end

tap.test("a thousand connections at once", function()
  local count = math.min(1000, (most_files() - 100) // 4)
  local listener <close> = net.listen { path = NAME }
  local serving = task.spawn(function()
    for conn in listener do
      task.spawn(function()
        local _ <close> = conn
        for line in conn:lines() do conn:write(line, "!\n") end
      end)
    end
  end)
  local conns = {}
  for i = 1, count do conns[i] = net.connect { path = NAME } end
  for round = 1, 2 do
    for i, conn in ipairs(conns) do conn:write(i, " ", round, "\n") end
    local right = 0
    for i, conn in ipairs(conns) do
      if conn:readline() == ("%d %d!"):format(i, round) then
        right = right + 1
      end
    end
    tap.is(right, count, "each got its own answer")
  end
  for _, conn in ipairs(conns) do conn:close() end
  listener:close()
  serving:join()
end)

tap.test("one who always has a connection to accept lets others run",
function()
  local listener <close> = net.listen { path = NAME }
  local clients, turns = {}, 0
  for i = 1, 200 do clients[i] = net.connect { path = NAME } end
  local other = task.spawn(function()
    while true do
      turns = turns + 1
      task.checkpoint()
    end
  end)
  for i = 1, 200 do
    listener:accept():close()
    clients[i]:close()
  end
  tap.ok(turns >= 3, "it had its turns")
  other:cancel()
  pcall(other.join, other)
end)

tap.test("without descriptors accept waits for some, and goes on", function()
  local result = luvisor([[
local lv = require "luvisor"
local net, task = lv.net, lv.task
local listener = net.listen { path = "$NAME" }
local p <close> = lv.process.spawn { "python3", "-c", [=[
import socket, sys
socks = []
for i in range(30):
    s = socket.socket(socket.AF_UNIX)
    s.connect("$NAME".replace("@", "\0"))
    s.send(b"x")
    socks.append(s)
print(flush=True)
sys.stdin.read()]=], stdin = "pipe", stdout = "pipe" }
p.stdout:readline()
local conns, total = {}, 0
local serving = task.spawn(function()
  for conn in listener do
    conns[#conns + 1] = conn
    total = total + 1
  end
end)
local function is_resting()
  return task.dump():find("a descriptor for a connection", 1, true)
end
local rests = 0
while total < 30 do
  if is_resting() then
    rests = rests + 1
    for _, conn in ipairs(conns) do conn:close() end
    conns = {}
  end
  task.sleep(0.001)
end
for _, conn in ipairs(conns) do conn:close() end
serving:cancel()
print(total, rests > 1)
]], { limits = { nofile = 40 } })
  tap.is(result.stdout, "30\ttrue\n")
end)

tap.test("who rests for want of descriptors can be cancelled and closed",
function()
  local result = luvisor([[
local lv = require "luvisor"
local net, task = lv.net, lv.task
local listener = net.listen { path = "$NAME" }
local kept = {}
local client = net.connect { path = "$NAME" }
while true do
  local file = io.open "/dev/null"
  if not file then break end
  kept[#kept + 1] = file
end
local function rest()
  local t = task.spawn(pcall, listener.accept, listener)
  while not task.dump():find("a descriptor for a con", 1, true) do
    task.checkpoint()
  end
  return t
end
print(lv.try(net.connect, { path = "$NAME" }))
local t = rest()
t:cancel()
print(select(2, pcall(t.join, t)).kind)
t = rest()
listener:close()
local ok, err = t:join()
print(ok, err.kind)
client:close()
]], { limits = { nofile = 40 } })
  tap.is(result.stdout, ("nil\tconnect %s: Too many open "
    .. "files (EMFILE)\nCancelled\nfalse\tClosed\n"):format(NAME))
end)

tap.test("a listener that nobody accepts from keeps no program alive",
function()
  local result = luvisor([[
local net = require "luvisor.net"
local task = require "luvisor.task"
local listener = net.listen { path = "$NAME" }
print(task.move_on(0.001, listener.accept, listener))
local t = task.spawn(function() require "luvisor.sync".event():wait() end)
t:join()
]], { check = { 1 } })
  tap.is(result.stdout, "false\n")
  tap.like(result.stderr, "deadlock")
end)

tap.done()
