-- bench/roundtrip.lua — Write a line to cat and read it back, again and again.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local LINE <const> = "the quick brown fox jumps over the lazy dog"

local n = bench.size(20000)
local p = process.spawn { "/bin/cat", stdin = "pipe", stdout = "pipe" }
local stdin, stdout = p.stdin, p.stdout
local start = bench.now()
for _ = 1, n do
  stdin:write(LINE, "\n")
  assert(stdout:readline() == LINE)
end
local seconds = bench.now() - start
stdin:close()
assert(p:wait().ok)
bench.report("roundtrip", n, seconds)
