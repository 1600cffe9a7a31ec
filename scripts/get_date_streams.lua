#!/usr/bin/env luvisor
-- Read one line of a process.
local process = require "luvisor.process"

local CODE = "import datetime; print(datetime.datetime.now())"

local function get_date()
  local p <close> = process.spawn { "python3", "-c", CODE, stdout = "pipe" }
  local line = p.stdout:readline()
  p:wait()
  return line
end

print("current date: " .. get_date())
