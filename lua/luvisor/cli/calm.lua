--- Memory while nothing happens: what has happened leaves garbage, which Lua
-- collects only when there is as much again. A supervisor that has nothing to
-- do for a moment holds no more than what is alive, and sleeps then.
-- @local

local core_os = require "luvisor.core.os"
local task = require "luvisor.task"
local time = require "luvisor.time"
local waiters = require "luvisor.waiters"

local M = {}

local CALM <const> = 1 -- seconds without an event
local START <const> = 10 -- seconds that a start may take to be collected so
local PAUSE <const> = 150 -- percent: more often than usual (200)
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

-- What is kept of a start lies among its garbage, and keeps the kernel from
-- getting that back: the less of it at a time, the better. A storm from the
-- start on is not to pay for it.
local function collect_start()
  local usual, begin = collectgarbage("setpause", PAUSE), time.now()
  return function(is_over)
    if not is_over and time.now() < begin + START then return end
    collectgarbage("setpause", usual)
  end
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
  local ease = collect_start()
  while true do
    local before
    repeat
      before = events
      task.sleep(CALM)
      ease(events == before)
    until events == before
    if collectgarbage "count" > kept * GROWTH then kept = give_back() end
    if events == before then line:wait() end
  end
end

return M
