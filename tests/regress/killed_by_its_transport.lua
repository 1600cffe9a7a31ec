-- A child whose transport was closed, and so killed, was said to have been
-- dropped while it runs.

local process = require "luvisor.process"
local tap = require "luvisor.tap"

tap.test("closing a transport is all that a child needs", function()
  local r = process.run { os.getenv "LUVISOR", "-e", [[
    local asyncio = require "luvisor.asyncio"
    asyncio.run(function()
      local transport = asyncio.subprocess_exec(function() return {} end,
        "sleep", "600")
      transport:close()
    end)
    collectgarbage()
    collectgarbage()
  ]] }
  tap.is(r.stderr, "")
end)

tap.done()
