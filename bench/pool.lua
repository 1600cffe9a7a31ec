-- bench/pool.lua — Call a function in a worker process, again and again.

local pool = require "luvisor.pool"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local function identity(x)
  return x
end

local n = bench.size(20000)
local p <close> = pool.new { workers = 1 }
p:call(identity, 0) -- the worker is there
local start = bench.now()
for i = 1, n do assert(p:call(identity, i) == i) end
bench.report("pool", n, bench.now() - start)
