-- A one-shot cancellation that came while a nursery's body was shielded, and
-- was not raised before the body's end, did not reach the nursery's tasks.

local core = require "luvisor.core.task"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

tap.test("a cancellation held off by a shield ends the nursery's tasks",
function()
  local shielded, ended = false, false
  local t = task.spawn(task.nursery, function(n)
    n:spawn(function()
      local _ <close> = setmetatable({}, { __close = function()
        ended = true
      end })
      core.park "for ever"
    end)
    task.shield(function()
      shielded = true
      tap.eventually(function() return shielded == "cancelled" end)
    end)
  end)
  tap.eventually(function() return shielded end)
  core.cancel_once(t)
  shielded = "cancelled"
  tap.throws(function() t:join() end, "Cancelled")
  tap.ok(ended, "before the nursery did")
end)

tap.test("so does one that the body gave to itself", function()
  local t = task.spawn(task.nursery, function(n)
    n:spawn(core.park, "for ever")
    core.cancel_once(core.current())
  end)
  tap.throws(function() t:join() end, "Cancelled")
end)

tap.done()
