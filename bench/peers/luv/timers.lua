-- n coroutines that each sleep once, for up to a second; the processor time.

local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local uv = bench.uv

local seed = 1

-- 1 to 1000 ms, by the generator that every such program has.
local function next_delay()
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % 1000 + 1
end

local done = 0

local function sleep(delay)
  local co, timer = coroutine.running(), uv.new_timer()
  timer:start(delay, 0, function()
    timer:close()
    assert(coroutine.resume(co))
  end)
  coroutine.yield()
  done = done + 1
end

local n = bench.size(100000)
local start, cpu = bench.now(), os.clock()
for _ = 1, n do coroutine.wrap(sleep)(next_delay()) end
uv.run()
assert(done == n)
bench.report("timers", n, os.clock() - cpu,
  (', "wall_s": %.6f'):format(bench.now() - start))
