#!/usr/bin/env luvisor
-- Run a program, print its pid and how it ended.
local process = require "luvisor.process"

io.stdout:setvbuf("line") -- ls writes to our stdout too: keep the order

local p <close> = process.spawn { "ls", "-l" }
print("pid of the process: " .. p.pid)
local status = p:wait()
print("status: " .. status.returncode)
