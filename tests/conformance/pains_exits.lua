-- What users of other runtimes suffer: zombies, codes that are lost or stolen,
-- signals that reach a stranger, a look at all children for each that ends.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is_gone <const>, zombies <const> = children.is_gone, children.zombies

local function need_zombies()
  if not io.open "/proc/thread-self/children" then
    tap.skip "this kernel does not list children"
  end
end

-- -- Numbers ------------------------------------------------------------------

local LAST <const> = "/proc/sys/kernel/ns_last_pid"

-- A child with this number, which is free; nil if others are always faster.
local function spawn_as(pid)
  for _ = 1, 100 do
    local file <close> = io.open(LAST, "w")
    file:write(("%d"):format(pid - 1))
    if not file:close() then tap.skip "numbers cannot be chosen" end
    local p = process.spawn { "sleep", "600" }
    if p.pid == pid then return p end
    p:close()
    if not is_gone(pid) then return nil end
  end
end

-- A child that has ended and been reaped, and a later one with its number.
local function reused()
  if not io.open(LAST, "r+") then tap.skip "needs root" end
  for _ = 1, 20 do
    local p = process.spawn { "sh", "-c", "exit 3" }
    p:wait()
    local heir = spawn_as(p.pid)
    if heir then return p, heir end
  end
  tap.skip "others take the numbers"
end

tap.test("cpython#127049: who has been reaped is signalled never again, though "
  .. "another has its number", function()
  local p, heir <close> = reused()
  tap.is(p.pid, heir.pid)
  for name, send in pairs {
    kill = p.kill, terminate = p.terminate,
    send_signal = function() p:send_signal "HUP" end,
    group = function() p:send_signal("HUP", "group") end,
    look = function() p:send_signal(0) end,
  } do
    tap.throws(function() send(p) end, "NoProcess", name)
  end
  tap.is(p:stop({ grace = 0 }).code, 3)
  p:close()
  tap.ok(not task.move_on(0.02, heir.wait, heir), "the other lives")
  heir:terminate()
  tap.is(heir:wait().signal, "TERM")
end)

tap.test("psutil#2400: what is waited for is the process, not its number",
function()
  if not children.has_pidfds then tap.skip "there are no pidfds" end
  local first <close> = process.spawn { "sleep", "600" }
  local watcher <close> = process.adopt(first.pid)
  local waiting = task.spawn(watcher.wait, watcher)
  task.checkpoint()
  first:kill()
  tap.is(waiting:join().signal, "KILL")
  tap.throws(function() watcher:kill() end, "NoProcess")
end)

-- -- Codes --------------------------------------------------------------------

tap.test("bpo-38630, cpython#87744, shellous#124: a signal at the very end, "
  .. "and many who wait, never cost the code", function()
  local codes = {}
  local list = {}
  for i = 1, 60 do list[i] = i end
  task.map(list, function(i)
    local p <close> = process.spawn { "sh", "-c", "exit 5" }
    local sending = task.spawn(function()
      for _ = 1, i % 7 do task.checkpoint() end
      while pcall(p.send_signal, p, "TERM") do task.checkpoint() end
    end)
    local one, two, three = task.gather(
      function() return p:wait().returncode end,
      function() return p:wait().returncode end,
      function() return p:communicate().returncode end)
    sending:join()
    tap.ok(one == two and two == three)
    codes[one] = true
  end, { jobs = 8 })
  codes[5], codes[-15] = nil, nil
  tap.is_deeply(codes, {}, "5 or -15, and nothing else")
end)

tap.test("cpython#79802, #79816: any task may start, wait for and end a child",
function()
  local p = task.spawn(process.spawn, { "sleep", "600" }):join()
  local waiting = task.spawn(p.wait, p)
  task.spawn(p.terminate, p):join()
  tap.is(waiting:join().signal, "TERM")
  local q
  coroutine.wrap(function() q = process.spawn { "sh", "-c", "exit 4" } end)()
  tap.is(coroutine.wrap(function() return q:wait().code end)(), 4)
end)

local OTHERS <const> = [[
  local busy = task.spawn(function()
    while true do process.run { "true" } end
  end)
  task.sleep(0.01)
  local codes = {}
  for i = 1, 5 do
    local file = io.popen("exit " .. i)
    task.sleep(0.005) -- while others are reaped, this one may have ended
    codes[#codes + 1] = select(3, file:close())
    codes[#codes + 1] = select(3, os.execute("exit " .. 10 + i))
  end
  busy:cancel()
  print(table.concat(codes, " "))
]]

tap.test("joyent/libuv#887: children of others are not reaped by us", function()
  for _, without in ipairs { "", "1" } do
    local r = children.run(OTHERS, { env = { LUVISOR_NO_PIDFD = without } })
    tap.is(r.stdout, "1 11 2 12 3 13 4 14 5 15\n", "no pidfds: " .. without)
  end
end)

tap.test("joyent/libuv#887, cpython#82873: we ask after our own, one by one, "
  .. "by pidfd where there are any", function()
  for _, without in ipairs { "", "1" } do
    local log = children.trace("waitid,wait4", [[
      for _ = 1, 3 do process.run { "true" } end
      process.spawn { "sleep", "600" }:close()
    ]], { env = { LUVISOR_NO_PIDFD = without } })
    tap.is(children.count(log, "P_ALL"), 0)
    tap.is(children.count(log, "wait4"), 0)
    local by = without == "" and "P_PIDFD" or "P_PID,"
    tap.ok(children.count(log, by) >= 4, by)
  end
end)

tap.test("twisted#2967, corefx#26291: an exit costs the same, however many "
  .. "others live", function()
  if not children.has_pidfds then tap.skip "there are no pidfds" end
  local script = [[
    for _ = 1, tonumber(arg[1]) do process.spawn { "sleep", "600" } end
    for _ = 1, 20 do process.run { "true" } end
    io.stderr:write "END\n"
  ]]
  local function looks(n)
    local log = children.trace("waitid,write", script, { n, stderr = "null" })
    return children.count(log:match "^(.-)END", "waitid%(")
  end
  local few = looks(5)
  tap.ok(few >= 20)
  tap.is(looks(80), few)
end)

-- -- Zombies ------------------------------------------------------------------

tap.test("trio#879, tokio#2685, #1814, tokio-process#32, #33, #57: a child is "
  .. "reaped though nobody waits for it or holds it", function()
  need_zombies()
  local p = process.spawn { "true" }
  for _ = 1, 20 do process.spawn { "true" } end
  collectgarbage()
  tap.eventually(function()
    return p.status and #zombies() == 0
      and #require "luvisor.core.process".children() == 0
  end)
end)

tap.test("libuv#1911: closing the handle of a running child leaves no defunct",
function()
  need_zombies()
  local list = {}
  for i = 1, 20 do list[i] = process.spawn { "sleep", "600" } end
  for _, p in ipairs(list) do
    p:close()
    tap.is(children.state(p.pid), nil)
  end
  tap.is_deeply(zombies(), {})
end)

tap.test("wippy#523: children that are stopped and started again leave none",
function()
  need_zombies()
  for _ = 1, 20 do
    local p <close> = process.spawn { "sh", "-c", "echo up; exec sleep 600",
                                      stdout = "pipe" }
    p.stdout:readline()
    p:stop()
  end
  tap.is_deeply(zombies(), {})
end)

tap.test("luv#120: a spawn that fails leaves no zombie", function()
  need_zombies()
  for _, opts in ipairs {
    { "/no/such/program" }, { "true", cwd = "/no/such/directory" },
    { "/dev/null", stdin = "pipe", stdout = "pipe", stderr = "pipe" },
    { "true", user = "no-such-user" }, { "true", stdin = 999 },
    { "true", cpu_affinity = {} },
  } do
    for _ = 1, 5 do
      tap.throws(function() process.spawn(opts) end, "SpawnError")
    end
  end
  tap.is_deeply(zombies(), {})
end)

tap.test("libuv#3100: a process that another has started can be waited for",
function()
  if not children.has_pidfds then tap.skip "there are no pidfds" end
  local shell <close> = process.spawn { "sh", "-c", "sleep 600 & echo $!; wait",
                                        stdout = "pipe" }
  local pid = math.tointeger(tonumber(shell.stdout:readline()))
  local stranger <close> = process.adopt(pid)
  local waiting = task.spawn(stranger.wait, stranger)
  task.checkpoint()
  stranger:terminate()
  tap.is(waiting:join().code, nil)
  tap.ok(is_gone(pid))
end)

tap.done()
