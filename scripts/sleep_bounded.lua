#!/usr/bin/env luvisor
-- A process may ignore SIGTERM: bound the wait after terminate() as well.
-- `p:stop { grace = 1 }` does all of this, to the whole group of the process.
local process = require "luvisor.process"
local task = require "luvisor.task"

local p <close> = process.spawn { shell = "trap '' TERM; exec sleep 30" }
print("pid of the process: " .. p.pid)

local ended = task.move_on(1, p.wait, p)
if not ended then
  print("timed out, terminating it ...")
  p:terminate()
  ended = task.move_on(1, p.wait, p)
end
if not ended then
  print("timed out again, killing it ...")
  p:kill()
end
print(p:wait().returncode)
