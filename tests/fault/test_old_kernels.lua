-- As test_calls.lua, where the kernel lacks what makes spawning fast, and where
-- there are many descriptors.

local fault = require "luvisor.fault"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

-- LV_LACKS_* of os/spawn.h
local PIDFD <const>, SHARED_MEMORY <const>, ROOM <const> = 1, 2, 64
local CLOSE_RANGE <const>, CLONE3 <const> = 8, 16

-- What spawning calls.
local sites = { pipe2 = true, read = true, clone = true, dup3 = true,
                waitpid = true, sigaction = true, lv_clone3 = true,
                ["fcntl F_DUPFD_CLOEXEC"] = true }
for _, site in ipairs(fault.sites()) do
  if site.name:find "^raw " then sites[site.name] = true end
end

local function test(what, lacks)
  local opts = {
    sites = sites, lacks = lacks, fine = { EPIPE = true },
    not_here = { ["raw waitid"] = "EINVAL ECHILD" }, -- there it is alive
  }
  faults.test("run, " .. what, scenarios.run, opts)
  faults.test("spawn and stop, " .. what, scenarios.stop, opts)
end

test("on an old kernel", PIDFD | CLOSE_RANGE | CLONE3)
test("where a child's memory is a copy", SHARED_MEMORY)
test("with many descriptors", ROOM)

tap.done()
