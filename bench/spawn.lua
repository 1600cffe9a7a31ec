-- bench/spawn.lua — Start /bin/true and wait for it, one after another.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(2000)
local start = bench.now()
for _ = 1, n do
  local p = process.spawn { "/bin/true", stdin = "null" }
  assert(p:wait().ok)
end
bench.report("spawn", n, bench.now() - start)
