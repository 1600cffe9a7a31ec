--- Ending a process and its group: ask, wait, kill.
-- Works on the C handle, so that a child can be ended whose Process the script
-- has dropped.
-- @local

local errors = require "luvisor.error"
local signal = require "luvisor.core.signal"
local task = require "luvisor.task"
local time = require "luvisor.core.time"

local M = {}

local GRACE <const> = 5 -- seconds
local FIRST_LOOK <const> = 0.01

-- Handles whose stop function is being called.
local called = setmetatable({}, { __mode = "k" })

-- The leader has ended, others of its group may still be at their own cleanup:
-- they have the rest of the grace for it.
local function await_group(handle, deadline)
  local pause = FIRST_LOOK
  while not handle:is_running() and handle:has_group() do
    local left = deadline - time.now()
    if left <= 0 then return end
    task.sleep(math.min(pause, left))
    pause = pause * 2
  end
end

local function kill(handle)
  handle:signal("KILL", true)
  handle:wait()
end

local function terminate(handle, how)
  local grace = how.grace or GRACE
  local deadline = time.now() + grace
  handle:signal(how.signal or "TERM", true)
  handle:signal("CONT", true)
  task.move_on(grace, handle.wait, handle)
  await_group(handle, deadline)
  kill(handle)
end

-- The script's own way, with the default grace for it and what comes of it.
local function call(handle, fn, process)
  local deadline = time.now() + GRACE
  called[handle] = true
  local ok, err = pcall(task.move_on, GRACE, function()
    fn(process)
    handle:wait()
  end)
  called[handle] = nil
  if ok then await_group(handle, deadline) end
  kill(handle)
  if not ok then error(err, 0) end
end

-- Another task calls the function now, or it is the function that asks.
local function let_it_be_called(handle)
  task.move_on(GRACE, handle.wait, handle)
  if handle:is_running() then terminate(handle, {}) end
end

local function stop(handle, how, process)
  if type(how) ~= "function" then
    terminate(handle, how or {})
  elseif called[handle] then
    let_it_be_called(handle)
  else
    call(handle, how, process)
  end
end

--- Signal the group, and after the grace kill what is left of it. Not ended by
-- a cancellation. Returns when the process is dead.
-- @param handle of luvisor.core.process
-- @tparam ?table|function how {signal =, grace =}, or a function that is called
-- with `process`; what is left after the default grace is killed
-- @param process
function M.stop(handle, how, process)
  if not handle:is_running() then return end
  -- While the leader's zombie is held, its group's number cannot be another's.
  local _ <close> = handle:hold()
  local ok, err = pcall(task.shield, stop, handle, how, process)
  if ok then return end
  pcall(handle.signal, handle, "KILL", true) -- no memory for a kinder way
  error(err, 0)
end

--- The same for the group of a process that has ended by itself and is held:
-- whoever it left behind.
-- @param handle of luvisor.core.process
-- @tparam ?table|function how as stop's; a function has nobody to be called for
function M.stop_rest(handle, how)
  task.shield(terminate, handle, type(how) == "table" and how or {})
end

local spec = { signal = "string|integer", grace = "seconds" }

--- Check {signal =, grace =}, before it is too late to complain.
-- @tparam string where for messages
-- @tparam ?table|function how
-- @raise UsageError
function M.check(where, how)
  if type(how) ~= "table" then return end
  errors.check_options(where, how, spec)
  if how.signal then signal.number(how.signal) end
end

return M
