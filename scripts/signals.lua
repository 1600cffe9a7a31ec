#!/usr/bin/env luvisor
-- Ask a process to end, and kill it if it does not listen.
local process = require "luvisor.process"
local task = require "luvisor.task"

local function signal_handling(command)
  local p <close> = process.spawn { shell = command }
  print("started a process with pid: " .. p.pid)

  task.sleep(1)
  print("sending SIGTERM ...")
  p:terminate() -- p:send_signal("TERM")

  local ended = task.move_on(1, p.wait, p)
  if not ended then
    print("the process does not answer, sending SIGKILL ...")
    p:kill() -- p:send_signal("KILL")
  end
  local status = p:wait()
  print(("the process ended with: %d (%s)"):format(status.returncode, status))
end

signal_handling("exec sleep 60")
signal_handling("trap '' TERM; exec sleep 60")
