-- Lua gets no memory, wherever it asks for some: an error says so, or nobody
-- needed it; nothing is left behind, and the program goes on.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

-- Once.
local only <const> = { sites = faults.lua_memory }

faults.test("tasks", scenarios.tasks, only)
faults.test("a task that fails", scenarios.failing_task, only)
faults.test("a generator that waits", scenarios.generator, only)
faults.test("run, with input and output", scenarios.run, only)
faults.test("run, of a command that fails", scenarios.run_failing, only)
faults.test("run, fed by a function", scenarios.run_feeder, only)
faults.test("run, with attributes", scenarios.run_attributes, only)
faults.test("run, with a timeout", scenarios.run_timeout, only)
faults.test("a pipe", scenarios.pipe, only)
faults.test("lines of a pipe", scenarios.pipe_lines, only)
faults.test("copy_to", scenarios.copy, only)
faults.test("a file", scenarios.file, only)
faults.test("a shared socket", scenarios.socket, only)
faults.test("a signal", scenarios.signals, only)
faults.test("a pipeline of three", scenarios.pipeline, only)
faults.test("spawn and stop", scenarios.stop, only)
faults.test("spawn and stop, of one that ignores TERM", scenarios.stop_stubborn,
  only)
faults.test("lines of two streams", scenarios.lines, only)
faults.test("a pseudo-terminal", scenarios.pty, only)
faults.test("adopt", scenarios.adopt, only)
faults.test("a TCP connection", scenarios.tcp, only)

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
