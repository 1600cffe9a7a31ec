--- Memory while nothing happens: what has happened leaves garbage, which Lua
-- collects only when there is as much again. A supervisor that has nothing to
-- do for a moment holds no more than what is alive, and sleeps then.
-- @local

local core_os = require "luvisor.core.os"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local CALM <const> = 1 -- seconds without an event
local GROWTH <const> = 9 / 8 -- less is not worth a look at all that is alive

-- In steps, for all that is alive may be much. What has a finalizer goes with
-- the second cycle.
local function collect()
  for _ = 1, 2 do
    repeat task.sleep(0) until collectgarbage("step", 0)
  end
end

local function give_back()
  collect()
  core_os.give_back()
  return collectgarbage "count"
end

--- Give memory back whenever nothing has happened for a moment and there is
-- some to give. Waits, for ever; while nothing happens it does not wake.
-- @tparam Supervisor sup
function M.keep(sup)
  local line = waiters.new "something to happen"
  local events, kept = 0, 0
  local _ <close> = sup.events:subscribe(function()
    events = events + 1
    line:wake(true)
    return false
  end)
  while true do
    local before
    repeat
      before = events
      task.sleep(CALM)
    until events == before
    if collectgarbage "count" > kept * GROWTH then kept = give_back() end
    if events == before then line:wait() end
  end
end

return M
