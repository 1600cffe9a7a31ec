-- bench/pipeline.lua — Run echo | cat | wc, and read what comes out, again and
-- again.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(500)
local start = bench.now()
for _ = 1, n do
  local pl <close> = process.pipeline {
    { "/bin/echo", "hello" }, { "/bin/cat" }, { "/usr/bin/wc", "-c" },
    stdin = "null", stdout = "pipe",
  }
  assert(pl:communicate().stdout == "6\n")
end
bench.report("pipeline", n, bench.now() - start)
