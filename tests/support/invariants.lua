-- What is true of a supervisor whatever it was asked for.
-- local invariants = dofile(SOURCE .. "/tests/support/invariants.lua")

local machine = require "luvisor.supervisor.machine"
local order = require "luvisor.supervisor.order"
local task = require "luvisor.task"

local M = {}

local function alive_tasks()
  local set = {}
  for _, one in ipairs(task.list()) do set[one] = true end
  return set
end

local checks = {}

-- A state without an owner is one that nothing leaves.
function checks.owner(inst, tasks)
  if machine.has_process[inst.state] and not tasks[inst.life] then
    return "no task has its life"
  end
  local needs_timer = inst.state == "backoff"
    or inst.state == "failed" and inst.retry_after
  if needs_timer and not (inst.timer and tasks[inst.timer]) then
    return "no timer"
  end
end

function checks.waiting(inst, tasks)
  if inst.state ~= "waiting" or inst.sup.closing then return end
  local is_unwanted = inst.wanted == "down" and not inst.run_now
    and inst.leaving
  if is_unwanted or order.obstacle(inst) then return end
  local is_idle_job = inst.spec.type == "job" and not inst.spec.schedule
    and not inst.run_now
  if not is_idle_job and not (inst.timer and tasks[inst.timer]) then
    return "it waits for nothing"
  end
end

function checks.process(inst)
  if inst.process and not machine.has_process[inst.state] then
    return "there is a process"
  end
  if inst.pid and not inst.process then return "a pid without a process" end
end

local is_on = { starting = true, running = true }

function checks.requires(inst)
  local sup = inst.sup
  if not is_on[inst.state] or sup.applying or sup.closing then return end
  for _, service in pairs(sup.services) do
    for _, one in ipairs(service.instances) do
      if one.leaving then return end
    end
  end
  -- What it requires since the last apply may be on its way.
  local missed = order.missed(inst)
  if missed then return missed.name .. ", which it requires, is not up" end
end

function checks.wanted(inst)
  if inst.wanted == "down" and inst.state == "running" and not inst.leaving
    and not inst.sup.closing and inst.spec.type ~= "job" then
    return "nobody wants it"
  end
  if inst.wanted == "down" and inst.state == "backoff" and not inst.leaving then
    return "it will be started though nobody wants it"
  end
end

--- The first that is not true.
-- @treturn ?string
function M.broken(sup)
  local tasks = alive_tasks()
  for _, service in pairs(sup.services) do
    for _, inst in ipairs(service.instances) do
      for name, check in pairs(checks) do
        local why = check(inst, tasks)
        if why then
          return ("%s (%s): %s is %s: %s"):format(name, inst.wanted, inst.name,
            inst.state, why)
        end
      end
    end
  end
  return nil
end

local is_passing = { starting = true, stopping = true, backoff = true }

--- Is nothing under way?
function M.is_quiet(sup)
  if sup.applying then return false end
  for _, service in pairs(sup.services) do
    if service.scaling then return false end
    for _, inst in ipairs(service.instances) do
      local is_ending = inst.process and inst.process.status
      if inst.leaving or is_ending or is_passing[inst.state] then
        return false
      end
    end
  end
  return true
end

return M
