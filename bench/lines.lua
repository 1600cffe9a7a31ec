-- bench/lines.lua — Read every line that a child writes: seq's, n of them.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(5000000)
local start = bench.now()
local p = process.spawn {
  "/usr/bin/seq", tostring(n),
  stdin = "null", stdout = "pipe", pipe_size = 1 << 20,
}
local lines, bytes = 0, 0
for line in p.stdout:lines() do
  lines = lines + 1
  bytes = bytes + #line
end
assert(p:wait().ok)
local seconds = bench.now() - start
assert(lines == n)
bench.report("lines", n, seconds, { { "bytes", bytes, "%d" } })
