-- Each system call of streams and signals of our own fails once, in each way
-- that it may: what was asked for is done, or the right error is raised, and
-- nothing is left behind.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

faults.test("a pipe", scenarios.pipe)
faults.test("lines of a pipe", scenarios.pipe_lines)
faults.test("copy_to", scenarios.copy)
faults.test("a file", scenarios.file)
faults.test("a shared socket", scenarios.socket)
faults.test("a signal", scenarios.signals)

tap.done()
