-- bench/spawn_held.lua — As spawn.lua, with 1 GiB of touched memory held.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(300)
local held = ("x"):rep(1 << 30)
local start = bench.now()
for _ = 1, n do
  local p = process.spawn { "/bin/true", stdin = "null" }
  assert(p:wait().ok)
end
local seconds = bench.now() - start
assert(held:byte(-1) == ("x"):byte())
bench.report("spawn_held", n, seconds)
