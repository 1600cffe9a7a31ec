-- As test_calls.lua, where the kernel lacks what makes spawning fast, and where
-- there are many descriptors.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

-- LV_LACKS_* of os/spawn.h
local PIDFD <const>, SHARED_MEMORY <const>, ROOM <const> = 1, 2, 64
local CLOSE_RANGE <const>, CLONE3 <const> = 8, 16

local function test(what, lacks)
  faults.test("run, " .. what, scenarios.run,
    { lacks = lacks, fine = { EPIPE = true } })
  faults.test("spawn and stop, " .. what, scenarios.stop, { lacks = lacks })
end

test("on an old kernel", PIDFD | CLOSE_RANGE | CLONE3)
test("where a child's memory is a copy", SHARED_MEMORY)
test("with many descriptors", ROOM)

tap.done()
