-- Each system call that starts, feeds, reads and stops children fails once, in
-- each way that it may: what was asked for is done, or the right error is
-- raised, and nothing is left behind.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

-- A reader that is gone had enough; a terminal's end is an EIO.
local enough <const>, hung_up <const> = { EPIPE = true }, { EIO = true }

faults.test("run, with input and output", scenarios.run, { fine = enough })
faults.test("run, of a command that fails", scenarios.run_failing)
faults.test("run, fed by a function", scenarios.run_feeder, { fine = enough })
faults.test("run, with attributes", scenarios.run_attributes)
faults.test("run, with a timeout", scenarios.run_timeout)
faults.test("a pipeline of three", scenarios.pipeline)
faults.test("spawn and stop", scenarios.stop)
faults.test("spawn and stop, of one that ignores TERM", scenarios.stop_stubborn)
faults.test("lines of two streams", scenarios.lines)
faults.test("a pseudo-terminal", scenarios.pty, { fine = hung_up })
faults.test("adopt", scenarios.adopt)

tap.done()
