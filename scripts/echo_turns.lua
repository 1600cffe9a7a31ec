#!/usr/bin/env luvisor
-- Talk with a program by turns: read what it says, then write the next line.
local process = require "luvisor.process"
local task = require "luvisor.task"

local here = arg[0]:match("^.*/") or "./"

local function consume_and_send(texts, stdout, stdin)
  for _, text in ipairs(texts) do
    -- To the prompt: read(2048) may get half of what the child says.
    print(stdout:readuntil "Enter text: ")
    stdin:write(text)
    stdin:drain()
  end
end

local p <close> = process.spawn {
  "python3", here .. "children/echo_loop.py",
  stdin = "pipe", stdout = "pipe",
}
local texts = { "one\n", "two\n", "three\n", "four\n", "quit\n" }

local _, status = task.gather(
  function() consume_and_send(texts, p.stdout, p.stdin) end,
  function() return p:wait() end
)
print("the process returned: " .. status.returncode)
