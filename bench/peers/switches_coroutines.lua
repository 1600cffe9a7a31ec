-- switches_coroutines.lua — n yields among 1000 bare coroutines, resumed in
-- turn. No task can switch faster than the coroutine in which it lives.

local TASKS <const> = 1000

local n = tonumber(arg[1]) or 1000000
local resume, yield = coroutine.resume, coroutine.yield

local function body()
  for _ = 1, n // TASKS do yield() end
end

-- Processor time: plain Lua has no finer clock, and nothing here waits.
local start = os.clock()
local tasks = {}
for i = 1, TASKS do tasks[i] = coroutine.create(body) end
for _ = 1, n // TASKS + 1 do
  for i = 1, TASKS do assert(resume(tasks[i])) end
end
local seconds = os.clock() - start

for i = 1, TASKS do assert(coroutine.status(tasks[i]) == "dead") end
print(string.format('{"bench": "switches", "impl": "limit", "n": %d, '
  .. '"seconds": %.6f, "us_per_op": %.3f, "ns_per_op": %.1f}',
  n, seconds, seconds / n * 1e6, seconds / n * 1e9))
