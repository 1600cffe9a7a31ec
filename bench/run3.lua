-- bench/run3.lua — Run cat with three pipes: feed stdin, capture stdout and
-- stderr.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(2000)
local start = bench.now()
for _ = 1, n do
  local r = process.run { "/bin/cat", input = "hello\n" }
  assert(r.stdout == "hello\n" and r.stderr == "")
end
bench.report("run3", n, bench.now() - start)
