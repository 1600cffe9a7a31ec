-- n yields among 1000 coroutines: an idle handle resumes each in turn, as the
-- loop has no other queue.

local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local uv = bench.uv

local TASKS <const> = 1000

local n = bench.size(1000000)
local ready = {}

local function body()
  for _ = 1, n // TASKS do
    ready[#ready + 1] = coroutine.running()
    coroutine.yield()
  end
end

local idle = uv.new_idle()
local start = bench.now()
for _ = 1, TASKS do coroutine.wrap(body)() end
idle:start(function()
  local now = ready
  ready = {}
  if #now == 0 then idle:close() end
  for _, co in ipairs(now) do assert(coroutine.resume(co)) end
end)
uv.run()
local seconds = bench.now() - start
bench.report("switches", n, seconds,
  (', "ns_per_op": %.1f'):format(seconds / n * 1e9))
