-- bench/startup.lua — Start this very program as `luvisor -e ''`, again and
-- again. In the child, too, /proc/self/exe is what we are until it execs.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(200)
local start = bench.now()
for _ = 1, n do
  local p = process.spawn { "/proc/self/exe", "-e", "", stdin = "null" }
  assert(p:wait().ok)
end
local seconds = bench.now() - start
bench.report("startup", n, seconds,
  { { "ms_per_op", seconds / n * 1e3, "%.3f" } })
