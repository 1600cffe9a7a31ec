--- Ending a process and its group: ask, wait, kill.
-- Works on the C handle, so that a child can be ended whose Process the script
-- has dropped.
-- @local

local os_core = require "luvisor.core.os"
local task = require "luvisor.task"
local time = require "luvisor.core.time"

local M = {}

local GRACE <const> = 5 -- seconds
local FIRST_LOOK <const> = 0.01

-- While the leader's zombie is held, its group's number cannot be another's.
local Held = { __close = function(self) self.handle:release() end }

local function hold(handle)
  handle:hold()
  return setmetatable({ handle = handle }, Held)
end

-- The leader has ended, others of its group may still be at their own cleanup:
-- they have the rest of the grace for it. /proc tells, once for all who ask.
local function await_group(pid, deadline)
  local pause = FIRST_LOOK
  while os_core.has_group(pid) do
    local left = deadline - time.now()
    if left <= 0 then return end
    task.sleep(math.min(pause, left))
    pause = pause * 2
  end
end

local function terminate(handle, how)
  local deadline = time.now() + (how.grace or GRACE)
  handle:signal(how.signal or "TERM", true)
  handle:signal("CONT", true)
  task.move_on(how.grace or GRACE, handle.wait, handle)
  if not handle:is_running() then await_group(handle:pid(), deadline) end
  handle:signal("KILL", true)
  handle:wait()
end

--- Signal the group, and after the grace kill what is left of it. Not ended by
-- a cancellation. Returns when the process is dead.
-- @param handle of luvisor.core.process
-- @tparam ?table|function how {signal =, grace =}, or a function that is called
-- with `process` and given the default grace; then the group is killed
-- @param process
function M.stop(handle, how, process)
  if not handle:is_running() then return end
  local _ <close> = hold(handle)
  task.shield(function()
    if type(how) ~= "function" then return terminate(handle, how or {}) end
    local ok, err = pcall(task.move_on, GRACE, how, process)
    handle:signal("KILL", true)
    handle:wait()
    if not ok then error(err, 0) end
  end)
end

--- Until the returned value is closed the process is not reaped.
M.hold = hold

return M
