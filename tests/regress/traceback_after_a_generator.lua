-- The traceback of a task that had waited in a generator looked into that
-- generator even after it had been collected.

local tap = require "luvisor.tap"
local task = require "luvisor.task"

tap.test("a running task's traceback is its own", function()
  local generator = coroutine.wrap(function() task.checkpoint() end)
  generator()
  generator = nil -- luacheck: ignore 311
  collectgarbage()
  collectgarbage()
  tap.ok(not task.current():traceback():find "resumed by")
  tap.ok(not task.dump():find "resumed by")
end)

tap.done()
