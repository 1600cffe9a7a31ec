-- What becomes of processes when their script lets go of them or ends.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local function is_gone(pid)
  local f <close> = io.open("/proc/" .. pid .. "/stat")
  local state = f and f:read("a"):match("%) (%a)")
  return not state or state == "Z" or state == "X"
end

local HEAD <const> = [[
  local process = require "luvisor.process"
  local task = require "luvisor.task"
  local p = process.spawn { "sh", "-c",
    "trap 'echo stopped; exit' TERM; echo $$; while :; do sleep 0.01; done",
    stderr = "null" }
  require "luvisor.stream".stdin:readline()
]]

-- Starts a script that has `p`; it goes on when p runs. p's pid is returned,
-- too.
local function start(script)
  local host = process.spawn { LUVISOR, "-e", HEAD .. script, stdin = "pipe",
                               stdout = "pipe", stderr = "pipe" }
  local pid = tonumber(host.stdout:readline())
  host.stdin:write "\n"
  return host, pid
end

-- The script ends; p was stopped in order, or is left.
local function ends(script, act)
  local host <close>, pid = start(script)
  if act then act(host) end
  local r = host:communicate(nil, { linger = 0.02 })
  return r, r.stdout:find "stopped" ~= nil, pid
end

tap.test("what is left running is stopped when the script ends", function()
  local r, stopped, pid = ends("")
  tap.is(r.code, 0)
  tap.ok(stopped, "in order")
  tap.ok(is_gone(pid))
  tap.is(r.stderr, "", "without a word")
end)

tap.test("also under os.exit, an error, INT and TERM", function()
  local wait = "print 'ready' task.sleep(600)"
  local function send(sig)
    return function(host)
      host.stdout:readline()
      host:send_signal(sig)
    end
  end
  for _, case in ipairs {
    { "os.exit(7)", 7 }, { "task.spawn(os.exit, 8) task.sleep(600)", 8 },
    { "error 'no'", 1 }, { "task.spawn(error, 'no') task.sleep(600)", 1 },
    { wait, 130, send "INT" }, { wait, 143, send "TERM" },
  } do
    local r, stopped = ends(case[1], case[3])
    tap.is(r.code, case[2], case[1])
    tap.ok(stopped, case[1])
  end
end)

tap.test("how it is stopped is what spawn was told", function()
  local r = ends [[
    q = process.spawn { "sh", "-c", "trap 'echo hung up; exit' HUP; "
      .. "echo >&2; while :; do sleep 0.01; done", stderr = "pipe",
      stop = { signal = "HUP" } }
    q.stderr:readline()
    process.spawn { "sh", "-c", "read x; echo $x", stdin = "pipe",
      stop = function(q) q.stdin:write "asked\n" end }
    collectgarbage()
    collectgarbage()
  ]]
  tap.like(r.stdout, "hung up\n")
  tap.like(r.stdout, "asked\n", "a function is called, too")
  tap.is(r.stderr, "")
end)

tap.test("a second INT kills at once, all but what is detached", function()
  local host <close>, pid = start [[
    local stubborn = process.spawn { "sh", "-c", "trap '' TERM; echo $$; "
      .. "while :; do sleep 0.01; done", stdout = "pipe" }
    local detached = process.spawn { "sleep", "600" }
    detached:detach()
    print(stubborn.stdout:readline(), detached.pid)
    task.sleep(600)
  ]]
  local stubborn, detached = host.stdout:readline():match "(%d+)%s+(%d+)"
  host:send_signal "INT"
  tap.eventually(function() return is_gone(pid) end)
  tap.ok(not is_gone(stubborn), "it has its grace")
  host:send_signal "INT"
  tap.is(host:wait(30).code, 130)
  tap.eventually(function() return is_gone(stubborn) end)
  tap.ok(not is_gone(detached))
  signal.send(tonumber(detached), "KILL")
end)

tap.test("what is detached lives on, and the script ends at once", function()
  local r, stopped, pid = ends("p:detach() p:close() p = nil collectgarbage()")
  tap.is(r.code, 0)
  tap.is(r.stderr, "")
  tap.ok(not stopped)
  tap.ok(not is_gone(pid))
  signal.send(pid, "TERM")
  tap.eventually(function() return is_gone(pid) end)
end)

tap.test("a detached child can still be waited for", function()
  local p = process.spawn { "sh", "-c", "exit 3" }
  p:detach()
  tap.is(p:wait().code, 3)
  p:detach()
end)

tap.test("close leaves a detached child alone", function()
  local p = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  p:detach()
  p:close()
  tap.is(p:wait().ok, true, "it ends with its stdin")
end)

tap.test("a handle that is dropped while its process runs warns", function()
  local r, stopped = ends [[
    p = nil
    collectgarbage()
    collectgarbage()
    task.sleep(0.01)
  ]]
  tap.like(r.stderr, "^luvisor: warning: sh %(pid %d+%), started at "
    .. "%(command line%):3, was dropped while it runs; it is stopped when the "
    .. "script ends\n$")
  tap.ok(stopped)
end)

tap.test("who made it is the script's line, whatever made it", function()
  for name, script in pairs {
    pipeline = "process.pipeline { { 'sleep', '600' } }",
    run = "local q = process.spawn { 'sleep', '600' } q = nil",
    detached = "process.spawn { 'true', stdin = 'pipe' }:detach()",
    finished = "process.spawn { 'true' }:wait()",
    stopped = "process.spawn { 'sleep', '600' }:stop()",
  } do
    local r = ends("do\n\n" .. script .. "\nend collectgarbage() "
      .. "collectgarbage() p:kill()")
    if name == "pipeline" or name == "run" then
      tap.like(r.stderr, "started at %(command line%):9, was dropped", name)
    else
      tap.is(r.stderr, "", name)
    end
  end
end)

tap.test("children that cannot be stopped in time hold up nobody else",
function()
  local r, stopped = ends [[
    q = process.spawn { "sh", "-c", "trap '' TERM; echo; exec sleep 600",
                        stop = { grace = 0.2 }, stdout = "pipe" }
    q.stdout:readline()
  ]]
  tap.is(r.code, 0)
  tap.ok(stopped)
end)

tap.done()
