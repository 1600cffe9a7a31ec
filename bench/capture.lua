-- bench/capture.lua — Read all that a child writes, n MiB of zeros, into
-- memory.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(1024)
local start = bench.now()
local out = process.capture {
  "/usr/bin/head", "-c", tostring(n << 20), "/dev/zero", stderr = "inherit",
}
local seconds = bench.now() - start
assert(#out == n << 20)
bench.report("capture", n, seconds, { { "mib_per_s", n / seconds, "%.1f" } })
