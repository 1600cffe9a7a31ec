--- The service with `main = true`: when it has ended for good, the supervisor
-- stops all others and ends with its exit code.
-- @local

local core = require "luvisor.core.task"
local signal = require "luvisor.core.signal"

local M = {}

local is_end = { stopped = true, failed = true, done = true }

-- What somebody stopped has not ended, and what is tried again neither.
local function has_ended(inst)
  if not is_end[inst.state] or inst.wanted == "down" then return false end
  return inst.state ~= "failed" or not inst.retry_after
end

-- As a shell has it: 128 + n for a signal. What never ran has failed.
local function code_of(inst)
  local exit = inst.exit
  local code = exit and (exit.code
    or exit.signal and 128 + signal.number(exit.signal)) or 1
  return inst.failure and code == 0 and 1 or code
end

--- An instance is in another state: is this the end of all?
-- @tparam Instance inst
function M.review(inst)
  local sup = inst.sup
  if not inst.spec.main or sup.closing or not has_ended(inst) then return end
  local code = 0
  for _, one in ipairs(sup:instances(inst.service)) do
    if not has_ended(one) then return end
    if code == 0 then code = code_of(one) end
  end
  sup.exit_code = code
  sup.events:emit("main", { service = inst.name, code = code })
  core.lasting(function() sup:close() end)
end

return M
