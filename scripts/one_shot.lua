#!/usr/bin/env luvisor
-- Answer the one question of a program: communicate is made for it.
local process = require "luvisor.process"

local here = arg[0]:match("^.*/") or "./"

local p <close> = process.spawn {
  "python3", here .. "children/ask_name.py",
  stdin = "pipe", stdout = "pipe",
}
local result = p:communicate("Zoot")
print(result.stdout)
print(result.stderr) -- nil: it was not a pipe
