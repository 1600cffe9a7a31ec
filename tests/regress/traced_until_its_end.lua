-- A child that a debugger traces is the debugger's zombie before it is ours:
-- its pidfd was readable meanwhile, and the loop turned without a pause.
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local time = require "luvisor.time"
local children = dofile(os.getenv "LUVISOR_SOURCE"
  .. "/tests/support/children.lua")

local function tracer_of(pid)
  local file <close> = io.open(("/proc/%d/status"):format(pid))
  return file and tonumber(file:read "a":match "TracerPid:%s*(%d+)")
end

-- Returns whether it traces: a sanitizer, or the kernel, may not let it.
local function wait_for_tracer(pid, tracer)
  local deadline = time.now() + 20
  while time.now() < deadline and not tracer.status do
    if tracer_of(pid) ~= 0 then return true end
    time.sleep(0.01)
  end
  return false
end

tap.test("the loop sleeps until a traced child's end is ours to see", function()
  children.need "gdb"
  children.need_kernel()
  local p <close> = process.spawn { "sleep", "600" }
  local tracer <close> = process.spawn {
    "gdb", "-q", "-nx", "-p", tostring(p.pid), stdin = "pipe",
    stdout = "null", stderr = "null",
  }
  if not wait_for_tracer(p.pid, tracer) then tap.skip "it cannot be traced" end
  tracer:send_signal "STOP" -- in the middle of it, or at its prompt
  p:kill()
  tap.eventually(function() return children.state(p.pid) == "Z" end)
  local before = os.clock()
  time.sleep(0.3)
  tap.ok(os.clock() - before < 0.1, "it costs nothing meanwhile")
  tap.is(p.status, nil)
  tracer:kill()
  tap.is(p:wait().signal, "KILL")
end)

tap.done()
