-- bench/chunks.lua — Read all that a child writes, n MiB of zeros, and keep
-- nothing.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(1024)
local start = bench.now()
local p = process.spawn {
  "/usr/bin/head", "-c", tostring(n << 20), "/dev/zero",
  stdin = "null", stdout = "pipe", pipe_size = 1 << 20,
}
local got = 0
for chunk in p.stdout:chunks(1 << 18) do got = got + #chunk end
assert(p:wait().ok)
local seconds = bench.now() - start
assert(got == n << 20)
bench.report("chunks", n, seconds, { { "mib_per_s", n / seconds, "%.1f" } })
