#!/usr/bin/env luvisor
-- Closing stdin loses nothing, whether or not it was drained before.
local process = require "luvisor.process"

local DATA = ("data\n"):rep(20000)

local function undrained()
  local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  p.stdin:write(DATA)
  p.stdin:close() -- returns at once; what was written is sent first
  return p:communicate().stdout
end

local function drained()
  local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  p.stdin:write(DATA)
  p.stdin:drain() -- suspends until all of it is in the pipe
  p.stdin:close()
  return p:communicate().stdout
end

print("undrained:", undrained() == DATA)
print("drained:", drained() == DATA)
