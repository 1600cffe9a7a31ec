-- The C half gets no memory, once, wherever it asks for some: an error says so,
-- or there is another way; nothing is left behind, and the program goes on.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

local only <const> = { sites = faults.memory }

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
faults.test("a pipeline of three", scenarios.pipeline, only)
faults.test("spawn and stop", scenarios.stop, only)
faults.test("spawn and stop, of one that ignores TERM", scenarios.stop_stubborn,
  only)
faults.test("lines of two streams", scenarios.lines, only)
faults.test("a pseudo-terminal", scenarios.pty, only)
faults.test("adopt", scenarios.adopt, only)
faults.test("a TCP connection", scenarios.tcp, only)
faults.test("asyncio", scenarios.asyncio, only)

tap.done()
