-- bench/relay.lua — Move n MiB of zeros from one child to another.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(1024)
local start = bench.now()
local from = process.spawn {
  "/usr/bin/head", "-c", tostring(n << 20), "/dev/zero",
  stdin = "null", stdout = "pipe", pipe_size = 1 << 20,
}
local to = process.spawn {
  "/bin/cat", stdin = "pipe", stdout = "null", pipe_size = 1 << 20,
}
local moved = from.stdout:copy_to(to.stdin, { close = true })
assert(from:wait().ok and to:wait().ok)
local seconds = bench.now() - start
assert(moved == n << 20)
bench.report("relay", n, seconds, { { "mib_per_s", n / seconds, "%.1f" } })
