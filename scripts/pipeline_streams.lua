#!/usr/bin/env luvisor
-- echo | grep | wc by hand: the stdout of one process is the stdin of another.
local process = require "luvisor.process"

local p1 <close> = process.spawn {
  "echo", "apple\nbanana\napricot\nblueberry\navocado",
  stdout = "pipe",
}
local p2 <close> = process.spawn {
  "grep", "^a",
  stdin = p1.stdout, stdout = "pipe",
}
local p3 <close> = process.spawn {
  "wc", "-l",
  stdin = p2.stdout, stdout = "pipe",
}

-- Our own ends: else p1 and p2 could not see that their reader has gone.
p1.stdout:close()
p2.stdout:close()

local result = p3:communicate()
print("words that begin with a: " .. tonumber(result.stdout))

p1:wait()
p2:wait()
