#!/usr/bin/env luvisor
-- Print each line of a process behind its command while we wait for its end.
local process = require "luvisor.process"
local task = require "luvisor.task"

local function write_output(prefix, stdout)
  for line in stdout:lines() do
    print(("[%s]: %s"):format(prefix, line))
  end
end

local program = { "ls", "-la" }
local p <close> = process.spawn { stdout = "pipe", table.unpack(program) }
print("pid of the process: " .. p.pid)

local status = task.gather(
  function() return p:wait() end,
  function() write_output(table.concat(program, " "), p.stdout) end
)
print("the process returned: " .. status.returncode)
