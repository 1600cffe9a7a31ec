-- bench/alive.lua — n children alive: start them, let others come and go,
-- stop all.

local process = require "luvisor.process"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local EXITS <const> = 200

local function start_all(n)
  local children = {}
  local start = bench.now()
  for i = 1, n do
    children[i] = process.spawn { "/bin/sleep", "300", stdin = "null" }
  end
  return children, bench.now() - start
end

local function let_some_exit()
  local start = bench.now()
  for _ = 1, EXITS do
    local p = process.spawn { "/bin/true", stdin = "null" }
    assert(p:wait().ok)
  end
  return bench.now() - start
end

local function stop_all(children)
  local start = bench.now()
  for _, p in ipairs(children) do p:terminate() end
  for _, p in ipairs(children) do p:wait() end
  return bench.now() - start
end

local n = bench.size(2000)
local children, started = start_all(n)
local exits = let_some_exit()
local stopped = stop_all(children)
bench.report("alive", n, started + exits + stopped, {
  { "start_s", started, "%.6f" },
  { "exit_us", exits / EXITS * 1e6, "%.3f" },
  { "stop_s", stopped, "%.6f" },
})
