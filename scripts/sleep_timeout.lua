#!/usr/bin/env luvisor
-- Wait for a process no longer than a second, then terminate it.
local lv = require "luvisor"
local process = require "luvisor.process"

local p <close> = process.spawn { "sleep", "3" }
print("pid of the process: " .. p.pid)

local status, err = lv.try(p.wait, p, 1)
if status then
  print(status.returncode)
elseif err:is("Timeout") then -- the wait has ended, the process has not
  print("timed out, terminating it ...")
  p:terminate()
  print(p:wait().returncode)
else
  error(err)
end
