-- bench/feed.lua — Feed n MiB to cat and read them back at the same time.

local process = require "luvisor.process"
local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local CHUNK <const> = 1 << 18

local function feed(stdin, total)
  local chunk = ("x"):rep(CHUNK)
  for _ = 1, total // CHUNK do stdin:write(chunk) end
  stdin:close()
end

local n = bench.size(256)
local total = n << 20
local start = bench.now()
local p = process.spawn {
  "/bin/cat", stdin = "pipe", stdout = "pipe", pipe_size = 1 << 20,
}
local got = 0
task.nursery(function(nursery)
  nursery:spawn(feed, p.stdin, total)
  for chunk in p.stdout:chunks(CHUNK) do got = got + #chunk end
end)
assert(p:wait().ok)
local seconds = bench.now() - start
assert(got == total)
bench.report("feed", n, seconds, { { "mib_per_s", n / seconds, "%.1f" } })
