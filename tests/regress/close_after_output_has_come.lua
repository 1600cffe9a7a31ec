-- A stream that is closed when communicate has been woken by its end, but has
-- not run yet, crashed the program.

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

tap.test("closing a stream just when its end has come raises Closed", function()
  for _ = 1, 20 do
    local p <close> = process.spawn { "echo", stdout = "pipe", stderr = "pipe" }
    local waiting = task.spawn(function()
      local ok, err = pcall(p.communicate, p)
      tap.ok(ok or err:is "Closed")
    end)
    repeat task.checkpoint() until waiting.state == "waiting"
    -- We are in the list of ready tasks before the one that is woken.
    repeat task.checkpoint() until waiting.state ~= "waiting"
    p.stdout:close()
    waiting:join()
  end
end)

tap.done()
