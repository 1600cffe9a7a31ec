#!/usr/bin/env luvisor
-- Send data to a program and get its answer; cat gives back what it is given.
local process = require "luvisor.process"

local p <close> = process.spawn {
  "cat",
  stdin = "pipe", stdout = "pipe", stderr = "pipe",
}
local input = "Hello, subprocess!\n"
local result = p:communicate(input)

print("sent: " .. input:gsub("\n$", ""))
print("received: " .. result.stdout:gsub("\n$", ""))
