--- The time of a job is one of the wall clock, but we wait by another clock,
-- which nobody can set. When somebody sets that one, or the machine wakes from
-- sleep, all jobs look again when they are due.
-- @local

local core = require "luvisor.core.clockset"
local core_task = require "luvisor.core.task"

local M = {}

local function listen(sup, clock)
  while clock:wait() do
    for _, inst in ipairs(sup:all_instances()) do sup:look_again(inst) end
  end
end

--- There is a job that has a time. Where the kernel cannot tell, a clock that
-- was set is noticed when the job would have run.
function M.watch(sup)
  if sup.clock ~= nil then return end
  local ok, clock = pcall(core.open)
  sup.clock = ok and clock
  if ok then core_task.lasting(listen, sup, clock) end
end

--- Nobody needs to know any more.
function M.close(sup)
  if sup.clock then sup.clock:close() end
  sup.clock = false
end

return M
