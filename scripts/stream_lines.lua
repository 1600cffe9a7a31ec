#!/usr/bin/env luvisor
-- Read the lines of a program as they come.
local process = require "luvisor.process"

local CODE = [[
import time
for i in range(5):
    print(f"line {i + 1}", flush=True)
    time.sleep(0.5)
]]

local p <close> = process.spawn { "python3", "-c", CODE, stdout = "pipe" }
for line in p.stdout:lines() do
  print("received: " .. line)
end
p:wait()
print("the process ended with: " .. p.returncode)
