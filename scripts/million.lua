#!/usr/bin/env luvisor
-- The child of hang.lua with communicate, which reads while it waits.
local process = require "luvisor.process"

local here = arg[0]:match("^.*/") or "./"

local p <close> = process.spawn {
  "python3", here .. "children/million.py",
  stdout = "pipe",
}
print("pid of the process: " .. p.pid)

local result = p:communicate()
local _, lines = result.stdout:gsub("HI!!\n", "")
print(("stdout: %d bytes, %d lines"):format(#result.stdout, lines))
print("stderr:", result.stderr) -- nil: it was not a pipe
print("the process returned: " .. p.returncode)
