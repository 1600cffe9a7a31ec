#!/usr/bin/env luvisor
-- Read stdout and stderr in parallel, each in a task of its own.
-- `for source, line in p:lines() do` does the same in one.
local process = require "luvisor.process"
local task = require "luvisor.task"

local CODE = [[
import sys
import time

for i in range(3):
    print(f"stdout: message {i + 1}", flush=True)
    print(f"stderr: error {i + 1}", file=sys.stderr, flush=True)
    time.sleep(0.3)
]]

local function read_stream(stream, name)
  for line in stream:lines() do
    print(("[%s] %s"):format(name, line))
  end
end

local p <close> = process.spawn {
  "python3", "-c", CODE,
  stdout = "pipe", stderr = "pipe",
}
task.gather(
  function() read_stream(p.stdout, "OUT") end,
  function() read_stream(p.stderr, "ERR") end
)
p:wait()
