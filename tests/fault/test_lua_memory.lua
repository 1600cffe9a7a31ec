-- Lua gets no memory, wherever it asks for some: an error says so, or nobody
-- needed it; nothing is left behind, and the program goes on.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

local every = table.move(scenarios.every, 1, #scenarios.every, 5,
  { "tasks", "failing_task", "generator", "signals" })

for _, name in ipairs(every) do
  faults.test(name .. ", once", scenarios[name], { sites = faults.lua_memory })
end

-- From then on, while the scenario lasts. Those that are not here leave a child
-- to the script's end, for there is no memory to stop it.
local from_then_on <const> = { sites = faults.lua_memory, times = 1000000 }

for _, name in ipairs {
  "tasks", "failing_task", "generator", "run", "run_failing", "run_feeder",
  "run_attributes", "run_timeout", "pipe", "pipe_lines", "copy", "file",
  "socket", "signals",
} do
  faults.test(name .. ", and no more memory", scenarios[name], from_then_on)
end

tap.done()
