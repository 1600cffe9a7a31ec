-- bench/timers.lua — n tasks that each sleep once, for up to a second; the
-- processor time.

local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local seed = 1

-- 1 to 1000 ms, by the generator that every such program has.
local function next_delay()
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return ((seed >> 8) % 1000 + 1) / 1000
end

local n = bench.size(100000)
local start, cpu = bench.now(), os.clock()
task.nursery(function(nursery)
  for _ = 1, n do nursery:spawn(task.sleep, next_delay()) end
end)
local seconds = os.clock() - cpu
bench.report("timers", n, seconds,
  { { "wall_s", bench.now() - start, "%.6f" } })
