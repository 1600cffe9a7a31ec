-- The C half gets no memory, once, wherever it asks for some: an error says so,
-- or there is another way; nothing is left behind, and the program goes on.

local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

for _, name in ipairs(scenarios.every) do
  faults.test(name, scenarios[name], { sites = faults.memory })
end
faults.test("asyncio", scenarios.asyncio, { sites = faults.memory })

tap.done()
