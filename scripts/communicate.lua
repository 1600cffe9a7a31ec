#!/usr/bin/env luvisor
-- communicate: give a program its input, read both outputs, wait for its end.
local process = require "luvisor.process"

local CODE = [[
import sys
data = sys.stdin.read()
print(f"received {len(data)} bytes")
print(f"contents: {data.upper()}")
]]

local p <close> = process.spawn {
  "python3", "-c", CODE,
  stdin = "pipe", stdout = "pipe", stderr = "pipe",
}
local result = p:communicate("hello world")

print("result:\n" .. result.stdout)
if result.stderr ~= "" then print("errors: " .. result.stderr) end
