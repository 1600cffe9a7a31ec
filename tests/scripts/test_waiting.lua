-- ls, sleep and run: pids, statuses, timeouts.
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

tap.test("ls prints its pid, its listing and its status", function()
  local listing = process.run {
    "ls", "-l",
    cwd = SOURCE .. "/scripts/children",
  }.stdout
  local result = run_script { "ls", cwd = SOURCE .. "/scripts/children" }
  -- Script and child run at once: the pid's line stands before the listing or
  -- after it.
  local out = result.stdout
  local pid = out:match("pid of the process: (%d+)\n")
  tap.ok(tonumber(pid), "a pid")
  tap.is(out:gsub("pid of the process: %d+\n", "", 1),
         listing .. "status: 0\n")
  tap.is(result.stderr, "")
end)

tap.test("sleep_timeout terminates after the timeout", function()
  local result = run_script { "sleep_timeout" }
  tap.like(result.stdout,
           "^pid of the process: %d+\n" ..
           "timed out, terminating it %.%.%.\n%-15\n$")
  tap.is(result.stderr, "")
end)

tap.test("sleep_bounded kills what ignores SIGTERM", function()
  local result = run_script { "sleep_bounded" }
  tap.like(result.stdout,
           "^pid of the process: %d+\n" ..
           "timed out, terminating it %.%.%.\n" ..
           "timed out again, killing it %.%.%.\n%-9\n$")
end)

tap.test("signals escalates for the process that ignores SIGTERM", function()
  local result = run_script { "signals" }
  tap.like(result.stdout,
           "^started a process with pid: %d+\n" ..
           "sending SIGTERM %.%.%.\n" ..
           "the process ended with: %-15 %(killed by TERM%)\n" ..
           "started a process with pid: %d+\n" ..
           "sending SIGTERM %.%.%.\n" ..
           "the process does not answer, sending SIGKILL %.%.%.\n" ..
           "the process ended with: %-9 %(killed by KILL%)\n$")
end)

tap.test("run by hand does what run does", function()
  tap.is(run_script { "run" }.stdout, "BY HAND\nREADY-MADE\nTimeout\n")
end)

tap.done()
