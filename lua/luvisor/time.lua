--- Clocks and pauses.
-- @module luvisor.time

local core = require "luvisor.core.time"
local errors = require "luvisor.error"
local task = require "luvisor.core.task"

local M = {}

--- Seconds of a clock that never steps: for measuring.
-- @function now
-- @treturn number
M.now = core.now

--- Seconds since 1970, with fractions; the clock may step.
-- @function wall
-- @treturn number
M.wall = core.wall

--- Suspend the calling task, never for less. 0 is a turn of the others, as
-- task.checkpoint, and waits for no clock (asyncio.sleep(0) is the same); more
-- is up to a millisecond longer, which is how often the clock is looked at.
-- @function sleep
-- @tparam number seconds
M.sleep = task.sleep

--- Iterate at a steady beat: the n-th turn comes n periods after the call,
-- however long the turns take; beats that were missed are left out.
-- @tparam number seconds the period, positive
-- @treturn function iterator of the number of the beat
-- @usage
-- for beat in time.every(0.1) do
--   print(beat)
--   if beat == 3 then break end
-- end
function M.every(seconds)
  local is_period = type(seconds) == "number" and seconds > 0
    and seconds < math.huge
  if not is_period then
    errors.usage("every: the period must be a positive number of seconds, "
      .. "got %s", tostring(seconds))
  end
  local start, beat = core.now(), 0
  return function()
    local passed = (core.now() - start) / seconds
    beat = math.max(beat + 1, math.ceil(passed))
    task.sleep(math.max(0, start + beat * seconds - core.now()))
    return beat
  end
end

return M
