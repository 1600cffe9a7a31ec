#!/usr/bin/env luvisor
-- A program that repeats its input at random has no turns: one task reads all
-- it says, another writes the next line at each prompt, an event between them.
-- The argument is the delay before each repeat in seconds (0.5).
local process = require "luvisor.process"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local here = arg[0]:match("^.*/") or "./"
local PROMPT = "Enter text: "

local function output_consumer(input_ready, stdout)
  local tail = "" -- a prompt may come in two pieces
  for data in stdout:chunks(1024) do
    io.write(data):flush()
    tail = (tail .. data):sub(-#PROMPT)
    if tail == PROMPT then input_ready:set() end
  end
end

local function input_writer(texts, input_ready, stdin)
  for _, text in ipairs(texts) do
    input_ready:wait()
    input_ready:clear() -- before we write: the answer may set it at once
    stdin:write(text)
    stdin:drain()
  end
end

local p <close> = process.spawn {
  "python3", here .. "children/echo_random.py", arg[1] or "0.5",
  stdin = "pipe", stdout = "pipe",
}
local input_ready = sync.event()
local texts = { "one\n", "two\n", "three\n", "four\n", "quit\n" }

task.gather(
  function() output_consumer(input_ready, p.stdout) end,
  function() input_writer(texts, input_ready, p.stdin) end,
  function() p:wait() end
)
print("the process returned: " .. p.returncode)
