-- bench/switches.lua — n yields among 1000 tasks.

local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local TASKS <const> = 1000

local n = bench.size(1000000)
local checkpoint = task.checkpoint

local function body()
  for _ = 1, n // TASKS do checkpoint() end
end

local start = bench.now()
task.nursery(function(nursery)
  for _ = 1, TASKS do nursery:spawn(body) end
end)
local seconds = bench.now() - start
bench.report("switches", n, seconds,
  { { "ns_per_op", seconds / n * 1e9, "%.1f" } })
