-- stop: ask the group, wait, kill what is left.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function is_gone(pid)
  local f <close> = io.open("/proc/" .. pid .. "/stat")
  local state = f and f:read("a"):match("%) (%a)")
  return not state or state == "Z" or state == "X"
end

-- A shell that has begun: its script says so by a first line.
local function shell(script, opts)
  local all = { "sh", "-c", script, stdout = "pipe", stderr = "null" }
  for name, value in pairs(opts or {}) do all[name] = value end
  local p = process.spawn(all)
  return p, p.stdout:readline()
end

local WAIT <const> = "while :; do sleep 0.01; done"

-- One process -----------------------------------------------------------------

tap.test("stop sends TERM and returns the status", function()
  local p = shell("echo; exec sleep 600")
  local status = p:stop()
  tap.is(status.signal, "TERM")
  tap.is(p.status, status)
  p:close()
end)

tap.test("again it does nothing", function()
  local p <close> = shell("trap 'echo bye; exit 3' TERM; echo; " .. WAIT)
  tap.is(p:stop().code, 3)
  tap.is(p:stop().code, 3)
  tap.is(p:stop({ signal = "KILL" }).code, 3)
  tap.is(p.stdout:read(), "bye\n", "once")
end)

tap.test("a child that ignores it is killed after the grace", function()
  local p <close> = shell("trap '' TERM; echo; " .. WAIT)
  local start = time.now()
  tap.is(p:stop({ grace = 0.05 }).signal, "KILL")
  tap.ok(time.now() - start >= 0.05, "not before")
end)

tap.test("grace 0 kills at once", function()
  local p <close> = shell("trap '' TERM; echo; " .. WAIT)
  tap.is(p:stop({ grace = 0 }).signal, "KILL")
end)

tap.test("signal and grace are those of the call, else of spawn", function()
  local script = "trap 'exit 1' INT; trap 'exit 2' HUP; echo; " .. WAIT
  local p <close> = shell(script, { stop = { signal = "INT" } })
  tap.is(p:stop({ grace = 1 }).code, 1, "a part is laid over the rest")
  local q <close> = shell(script, { stop = { signal = "INT" } })
  tap.is(q:stop({ signal = "HUP" }).code, 2)
  local r <close> = shell(script, { stop = { signal = "INT" } })
  r:close()
  tap.is(r.status.code, 1, "so it is by close")
end)

tap.test("wrong options are refused, and nothing is stopped", function()
  local p <close> = shell("echo; exec sleep 600")
  tap.throws(function() p:stop { grace = -1 } end, "UsageError")
  tap.throws(function() p:stop { signal = "NONSENSE" } end, "UsageError")
  tap.throws(function() p:stop { sig = "TERM" } end, "did you mean")
  tap.is(p.status, nil)
  tap.throws(function()
    process.spawn { "sleep", "600", stop = { signal = "NONSENSE" } }
  end, "UsageError")
end)

tap.test("a stopped child is continued, so that it hears the signal",
function()
  local p <close> = shell("trap 'exit 4' TERM; echo; " .. WAIT)
  p:send_signal("STOP", "group")
  tap.eventually(function() -- D: by vfork, it waits for a stopped child
    local f <close> = io.open("/proc/" .. p.pid .. "/stat")
    return f:read("a"):find "%) [TD] "
  end)
  tap.is(p:stop().code, 4)
end)

-- Groups ----------------------------------------------------------------------

tap.test("the signal goes to all of the group", function()
  local p <close>, pid = shell("sleep 600 & echo $!; wait")
  p:stop()
  tap.ok(is_gone(pid))
end)

tap.test("those of the group that ignore it are killed, too", function()
  local p <close>, pid = shell("trap '' TERM; (echo $(sh -c 'echo $PPID'); "
    .. WAIT .. ") & wait; " .. WAIT)
  tap.is(p:stop({ grace = 0.05 }).signal, "KILL")
  tap.eventually(function() return is_gone(pid) end)
end)

tap.test("who outlives the leader has the rest of the grace", function()
  local p <close> = shell("(trap 'sleep 0.1; echo cleaned up; exit' TERM; "
    .. "echo; " .. WAIT .. ") & wait")
  local status = p:stop { grace = 30 }
  tap.is(status.signal, "TERM", "the leader went at once")
  tap.is(p.stdout:read(), "cleaned up\n")
end)

tap.test("but no more than that", function()
  local p <close>, pid = shell("(trap '' TERM; echo $(sh -c 'echo $PPID'); "
    .. WAIT .. ") & wait")
  tap.is(p:stop({ grace = 0.05 }).signal, "TERM")
  tap.eventually(function() return is_gone(pid) end)
end)

tap.test("a group without anybody else is not waited for", function()
  local start = time.now()
  for _ = 1, 5 do
    local p = process.spawn { "sleep", "600" }
    p:stop { grace = 600 }
  end
  tap.ok(time.now() - start < 60)
end)

tap.test("a child in a group that is not its own is stopped alone", function()
  local leader <close> = process.spawn { "sleep", "600" }
  for _, group in ipairs { false, leader.pid } do
    local p <close>, pid = shell("trap 'exit 5' TERM; sleep 600 & echo $!; "
      .. WAIT, { process_group = group })
    tap.is(p:stop({ grace = 30 }).code, 5)
    tap.ok(not is_gone(pid), "its own child goes on")
    signal.send(tonumber(pid), "KILL")
    local q <close> = shell("trap '' TERM; echo; " .. WAIT,
      { process_group = group })
    tap.is(q:stop({ grace = 0.05 }).signal, "KILL")
  end
  tap.is(leader.status, nil)
end)

tap.test("a session is a group, too", function()
  local p <close>, pid = shell("sleep 600 & echo $!; wait", { session = true })
  p:stop()
  tap.ok(is_gone(pid))
end)

-- The script's own way --------------------------------------------------------

tap.test("a function stops it, and has time for that", function()
  local given
  local p <close> = shell("echo; read x; sleep 0.05; exit 6", {
    stdin = "pipe",
    stop = function(q)
      given = q
      q.stdin:write "quit\n"
    end,
  })
  tap.is(p:stop().code, 6)
  tap.is(given, p)
  tap.is(p:stop().code, 6)
end)

tap.test("an error of the function is raised, the group killed", function()
  local p <close> = shell("echo; exec sleep 600", {
    stop = function() error "cannot" end,
  })
  tap.throws(function() p:stop() end, "cannot")
  tap.is(p.status.signal, "KILL")
end)

tap.test("a function may ask for the usual way", function()
  local p <close> = shell("trap 'exit 7' HUP; echo; " .. WAIT, {
    stop = function(q) q:stop { signal = "HUP" } end,
  })
  tap.is(p:stop().code, 7)
end)

-- Several at once, and cancelled ----------------------------------------------

tap.test("any number of tasks may stop it", function()
  local calls = 0
  for _, way in ipairs { {}, function(p)
    calls = calls + 1
    task.sleep(0.01)
    p:terminate()
  end } do
    local p <close> = shell("echo; exec sleep 600", { stop = way })
    local stopping = {}
    for i = 1, 10 do stopping[i] = task.spawn(p.stop, p) end
    for _, t in ipairs(stopping) do tap.is(t:join().signal, "TERM") end
  end
  tap.is(calls, 1, "the function is called once")
end)

tap.test("who is in more of a hurry need not wait for another's grace",
function()
  local p <close> = shell("trap '' TERM; echo; " .. WAIT)
  local patient = task.spawn(p.stop, p, { grace = 600 })
  task.checkpoint()
  tap.is(p:stop({ grace = 0 }).signal, "KILL")
  tap.is(patient:join().signal, "KILL")
end)

tap.test("a cancelled stop is completed", function()
  local p <close> = shell("trap '' TERM; echo; " .. WAIT)
  local stopping = task.spawn(p.stop, p, { grace = 0.05 })
  task.checkpoint()
  stopping:cancel()
  pcall(stopping.join, stopping)
  tap.is(p.status.signal, "KILL")
  local q <close> = shell("echo; exec sleep 600")
  task.move_on(0, function()
    task.shield(task.sleep, 0.001)
    q:stop()
  end)
  tap.is(q.status.signal, "TERM", "also when it was cancelled before")
end)

tap.done()
