-- bench/run64.lua — Run /bin/echo many times, 64 at once, and capture each
-- stdout.

local process = require "luvisor.process"
local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local JOBS <const> = 64

local n = bench.size(4000)
local left = n

local function worker()
  while left > 0 do
    left = left - 1
    local r = process.run { "/bin/echo", "hello", stderr = "inherit" }
    assert(r.stdout == "hello\n")
  end
end

local start = bench.now()
task.nursery(function(nursery)
  for _ = 1, JOBS do nursery:spawn(worker) end
end)
bench.report("run64", n, bench.now() - start)
