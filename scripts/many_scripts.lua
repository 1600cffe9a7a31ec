#!/usr/bin/env luvisor
-- Several Python scripts at once, each a process of its own (and with an
-- interpreter lock of its own). Waiting for them blocks nothing: another task
-- goes on counting meanwhile.
local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"

local here = arg[0]:match("^.*/") or "./"

local ticks = 0
local ticker = task.spawn(function()
  for _ in time.every(0.05) do ticks = ticks + 1 end
end)

local started = time.now()
local numbers = { "10", "100", "1000", "10000" }
local results = process.map(numbers, function(n)
  return { "python3", here .. "children/work.py", n }
end, { jobs = #numbers })
ticker:cancel()

for _, result in ipairs(results) do io.write(result.stdout) end
print(("%d scripts of half a second each took %.3f s and %d ticks"):format(
  #results, time.now() - started, ticks))
