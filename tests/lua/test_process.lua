-- Starting, waiting, signalling: what a Process is.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function sleeper(opts)
  local all = { "sleep", "600" }
  for name, value in pairs(opts or {}) do all[name] = value end
  return process.spawn(all)
end

local function is_gone(pid)
  local f = io.open("/proc/" .. pid .. "/stat")
  if not f then return true end
  local state = f:read("a"):match("%) (%a)")
  f:close()
  return state == "Z" or state == "X"
end

-- Waiting ---------------------------------------------------------------------

tap.test("wait returns how the process ended", function()
  local status = process.spawn { "sh", "-c", "exit 7" }:wait()
  tap.is(status.code, 7)
  tap.is(status.returncode, 7)
  tap.is(status.ok, false)
  tap.is(status.signal, nil)
  tap.is(status.core, false)
  tap.is(tostring(status), "exited 7")
  tap.ok(status.duration > 0, "it took some time")
  tap.ok(status.rusage.maxrss > 0, "and some memory")
  tap.ok(status.rusage.utime + status.rusage.stime >= 0)
end)

tap.test("every exit code comes through", function()
  for _, code in ipairs { 0, 1, 2, 126, 127, 128, 200, 255 } do
    local status = process.spawn { "sh", "-c", "exit " .. code }:wait()
    tap.is(status.code, code)
    tap.is(status.ok, code == 0)
  end
end)

tap.test("a death by signal is told by its name and as -N", function()
  for name, number in pairs { KILL = 9, TERM = 15, HUP = 1, USR1 = 10 } do
    local p = sleeper()
    p:send_signal(name)
    local status = p:wait()
    tap.is(status.signal, name)
    tap.is(status.code, nil)
    tap.is(status.returncode, -number)
    tap.is(p.returncode, -number)
    tap.is(tostring(status), "killed by " .. name)
  end
end)

tap.test("status and returncode are nil while it runs", function()
  local p <close> = sleeper()
  tap.is(p.status, nil)
  tap.is(p.returncode, nil)
  tap.like(tostring(p), "^process %d+ %(sleep, running%)$")
  p:kill()
  local status = p:wait()
  tap.is(p.status, status, "the same Status each time")
  tap.is(p:wait(), status)
  tap.is(p.returncode, -9)
  tap.like(tostring(p), "killed by KILL")
end)

tap.test("status is there without a wait, once it has ended", function()
  local p = process.spawn { "true" }
  tap.eventually(function() return p.status end)
  tap.is(p.returncode, 0)
  p:wait()
end)

tap.test("any number of tasks may wait, before and after the end", function()
  local p = sleeper()
  local waiting = {}
  for i = 1, 20 do waiting[i] = task.spawn(p.wait, p) end
  task.checkpoint()
  p:terminate()
  for _, t in ipairs(waiting) do tap.is(t:join(), p.status) end
  for _ = 1, 10 do tap.is(p:wait().signal, "TERM") end
end)

tap.test("wait with a timeout raises Timeout, and the child goes on", function()
  local p <close> = sleeper()
  local _, err = tap.throws(function() p:wait(0.01) end, "Timeout")
  tap.is_deeply(err.argv, { "sleep", "600" })
  tap.is(err.seconds, 0.01)
  tap.like(tostring(err), "^sleep %(pid " .. p.pid .. "%) still runs after")
  tap.throws(function() p:wait(0) end, "Timeout", "a look without a wait")
  tap.is(p.status, nil)
  tap.ok(not is_gone(p.pid))
  p:terminate()
  tap.is(p:wait(10).signal, "TERM")
  tap.is(p:wait(0).signal, "TERM", "no timeout once it has ended")
end)

tap.test("a wait that is cancelled leaves the child", function()
  local p <close> = sleeper()
  local waiting = task.spawn(p.wait, p)
  task.checkpoint()
  waiting:cancel()
  tap.throws(function() waiting:join() end, "Cancelled")
  tap.is(task.move_on(0.01, p.wait, p), false)
  tap.ok(not is_gone(p.pid))
  p:kill()
  tap.is(p:wait().signal, "KILL")
end)

tap.test("wait ends at the exit though a grandchild holds the pipe", function()
  local p <close> = process.spawn {
    "sh", "-c", "sleep 600 & echo $!", stdout = "pipe",
  }
  local pid = tonumber(p.stdout:readline())
  tap.is(p:wait(10).code, 0)
  tap.ok(not is_gone(pid), "the grandchild still has it")
  signal.send(pid, "KILL")
  tap.is(p.stdout:read(), "", "and lets go of it")
end)

tap.test("a killed shell is waited for without its children", function()
  local p <close> = process.spawn {
    "sh", "-c", "sleep 600 & echo $!; wait", stdout = "pipe",
  }
  local pid = tonumber(p.stdout:readline())
  p:kill()
  tap.is(p:wait(10).returncode, -9)
  signal.send(pid, "KILL")
end)

tap.test("what is unread can be read after the end", function()
  local p <close> = process.spawn {
    "sh", "-c", "head -c 60000 /dev/zero", stdout = "pipe",
  }
  p:wait()
  local n = 0
  for data in p.stdout:chunks(1000) do n = n + #data end
  tap.is(n, 60000)
end)

-- Signals ---------------------------------------------------------------------

tap.test("signals are given by name or number", function()
  for _, sig in ipairs { "HUP", "SIGHUP", 1 } do
    local p = sleeper()
    p:send_signal(sig)
    tap.is(p:wait().signal, "HUP")
  end
  local p <close> = sleeper()
  tap.throws(function() p:send_signal "NONSENSE" end, "UsageError")
  tap.throws(function() p:send_signal(65) end, "UsageError")
  tap.throws(function() p:send_signal("TERM", "all") end, "UsageError")
  p:send_signal(0)
  tap.is(p.status, nil, "signal 0 only looks")
end)

tap.test("after the end there is NoProcess, and only then", function()
  local p = sleeper()
  p:terminate()
  p:wait()
  for _, send in ipairs { p.terminate, p.kill } do
    local _, err = tap.throws(function() send(p) end, "NoProcess")
    tap.like(tostring(err), "has ended: killed by TERM")
  end
  tap.throws(function() p:send_signal "HUP" end, "NoProcess")
  tap.throws(function() p:send_signal("HUP", "group") end, "NoProcess")
end)

tap.test("a signal that races the exit changes no status", function()
  for i = 1, 50 do
    local p = process.spawn { "sh", "-c", "exit 5" }
    for _ = 1, i % 5 do task.checkpoint() end
    local sent = pcall(p.send_signal, p, "TERM")
    local status = p:wait()
    local fine = status.returncode == 5 or sent and status.returncode == -15
    if not tap.ok(fine, "5, or -15: " .. tostring(status)) then break end
  end
end)

tap.test("\"group\" reaches the children of the child", function()
  local p <close> = process.spawn {
    "sh", "-c", "trap 'exit 3' USR1; (trap 'echo got; exit' USR1; echo; "
      .. "while :; do sleep 0.01; done) & while :; do sleep 0.01; done",
    stdout = "pipe", stderr = "null",
  }
  p.stdout:readline()
  p:send_signal("USR1", "group")
  tap.is(p.stdout:readline(), "got")
  tap.is(p:wait().code, 3)
end)

-- Handles ---------------------------------------------------------------------

tap.test("close stops what runs, closes the streams, and again nothing",
function()
  local p = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  p:close()
  tap.is(p.status.signal, "TERM")
  tap.ok(p.stdin:is_closing())
  tap.throws(function() p.stdout:read() end, "Closed")
  p:close()
end)

tap.test("<close> stops it when the block is left, also by an error",
function()
  local p
  pcall(function()
    local q <close> = sleeper()
    p = q
    error "out"
  end)
  tap.is(p.status.signal, "TERM")
  tap.ok(is_gone(p.pid))
end)

tap.test("close leaves alone how a finished child ended", function()
  local p = process.spawn { "sh", "-c", "exit 4" }
  tap.eventually(function() return is_gone(p.pid) end)
  p:close()
  tap.is(p.returncode, 4)
end)

tap.test("a child in our own group is signalled alone", function()
  local p <close> = sleeper { process_group = false }
  p:send_signal("TERM", "group")
  tap.is(p:wait().signal, "TERM")
end)

tap.test("a spawn that fails leaves nothing, and says why", function()
  local _, err = tap.throws(function()
    process.spawn { "/does/not/exist", stdin = "pipe", stdout = "pipe" }
  end, "SpawnError")
  tap.is(err.code, "ENOENT")
  tap.is(err.op, "exec")
  tap.is(err.subject, "/does/not/exist")
end)

tap.test("which finds a program as a shell does", function()
  tap.is(process.which "sh", process.capture { shell = "command -v sh" })
  tap.is(process.which "/bin/sh", "/bin/sh")
  tap.is(process.which "no-such-program", nil)
  tap.is(process.which "/etc/passwd", nil, "not what cannot be executed")
  tap.throws(function() process.which(1) end, "UsageError")
end)

tap.test("quoted words come through a shell as they were", function()
  local list = { "a b", "it's", "", "$HOME", "*", "x\ny", "-n", "\\" }
  local line = process.quote(list)
  local out = process.capture { shell = "printf '%s.' " .. line }
  tap.is(out, table.concat(list, ".") .. ".")
  tap.is_deeply(process.split(line), list)
  tap.is(process.quote "a b", "'a b'")
end)

-- Adopting --------------------------------------------------------------------

local has_pidfds = (os.getenv "LUVISOR_NO_PIDFD" or "") == ""

tap.test("without pidfds nobody is adopted", function()
  if has_pidfds then tap.skip "there are pidfds" end
  tap.throws(function() process.adopt(1) end, "ENOSYS")
end)

tap.test("an adopted grandchild is waited for, its code unknown", function()
  if not has_pidfds then tap.skip "there are no pidfds" end
  local p <close> = process.spawn {
    "sh", "-c", "sleep 600 & echo $!; wait", stdout = "pipe",
  }
  local a <close> = process.adopt(tonumber(p.stdout:readline()))
  tap.is(a.status, nil)
  tap.throws(function() a:wait(0.01) end, "Timeout")
  a:terminate()
  local status = a:wait(10)
  tap.is(status.code, nil)
  tap.is(status.ok, false)
  tap.is(a.returncode, nil)
  tap.throws(function() a:kill() end, "NoProcess")
end)

tap.test("an adopted child of ours has its code, for both handles", function()
  if not has_pidfds then tap.skip "there are no pidfds" end
  for _ = 1, 10 do
    local p = process.spawn { "sh", "-c", "read x; exit 6", stdin = "pipe" }
    local a = process.adopt(p.pid)
    local b = process.adopt(p.pid)
    p.stdin:close()
    tap.is(a:wait().code, 6)
    tap.is(p:wait().code, 6)
    tap.is(b:wait().code, 6)
    a:close()
  end
end)

tap.test("who has gone cannot be adopted", function()
  if not has_pidfds then tap.skip "there are no pidfds" end
  local p = process.spawn { "true" }
  p:wait()
  tap.throws(function() process.adopt(p.pid) end, "NoProcess")
  tap.throws(function() process.adopt(0) end, "UsageError")
  tap.throws(function() process.adopt "1" end, "UsageError")
end)

tap.test("letting go of an adopted process leaves it alone", function()
  if not has_pidfds then tap.skip "there are no pidfds" end
  local p <close> = sleeper()
  local a = process.adopt(p.pid)
  local waiting = task.spawn(pcall, a.wait, a)
  task.checkpoint()
  a:close()
  a:close()
  local ok, err = waiting:join()
  tap.ok(not ok and err:is "Closed", "who waits is told")
  tap.throws(function() a:kill() end, "Closed")
  tap.is(p.status, nil)
  tap.ok(not is_gone(p.pid))
end)

tap.test("the loop goes on while a process is started and runs", function()
  local ticks, start = 0, time.now()
  local p <close> = sleeper()
  while ticks < 5 do
    task.sleep(0.001)
    ticks = ticks + 1
  end
  tap.ok(time.now() >= start)
  tap.is(p.status, nil)
end)

tap.done()
