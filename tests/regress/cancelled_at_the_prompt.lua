-- A line at the interactive prompt that cancelled its Task, or left a time
-- limit open, ended the prompt in silence.

local process = require "luvisor.process"
local tap = require "luvisor.tap"

tap.test("a cancelled line ends itself, and the prompt goes on", function()
  local r = process.run { os.getenv "LUVISOR", "-i", input = [[
asyncio = require "luvisor.asyncio"
asyncio.current_task():cancel()
asyncio.sleep(600)
print "second"
asyncio.current_task():cancel() asyncio.sleep(600)
print "third"
_ = asyncio.timeout(0.01)
asyncio.sleep(600)
print "fourth"
]] }
  tap.is(r.code, 0)
  tap.like(r.stdout, "second.*third.*fourth")
  tap.like(r.stderr, "cancelled")
end)

tap.done()
