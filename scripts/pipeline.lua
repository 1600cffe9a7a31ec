#!/usr/bin/env luvisor
-- echo | grep | wc: the processes are joined in the kernel, without a shell.
local process = require "luvisor.process"

local pl <close> = process.pipeline {
  { "echo", "apple\nbanana\napricot\nblueberry\navocado" },
  { "grep", "^a" },
  { "wc", "-l" },
  stdout = "pipe",
}
local result = pl:communicate()
print("words that begin with a: " .. tonumber(result.stdout))
for i, stage in ipairs(pl.stages) do
  print(("%s: %s"):format(stage.argv[1], result.stages[i]))
end
