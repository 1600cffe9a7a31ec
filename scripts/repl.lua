#!/usr/bin/env luvisor
-- Drive an interactive program: Python's prompt.
local process = require "luvisor.process"
local task = require "luvisor.task"

local PROMPT = ">>> "

local p <close> = process.spawn {
  "python3", "-i", "-u", -- -u: without a buffer
  stdin = "pipe", stdout = "pipe", stderr = "stdout",
}

local function read_response()
  return task.timeout(5, p.stdout.readuntil, p.stdout, PROMPT)
end

local function send_command(command)
  p.stdin:write(command, "\n")
  p.stdin:drain()
  return read_response()
end

read_response() -- the banner and the first prompt

print(send_command("2 + 2"))
print(send_command('print("Hello!")'))

p.stdin:write("exit()\n")
p.stdin:close()
print("the process returned: " .. p:wait().returncode)
