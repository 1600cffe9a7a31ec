--- Health: a service that runs is asked again and again; so many failures one
-- after another restart it.
-- @module luvisor.supervisor.health

local probes = require "luvisor.supervisor.probes"
local task = require "luvisor.task"

local M = {}

local function ask(inst, health)
  return pcall(task.timeout, health.timeout, probes.ask, inst, health,
    health.timeout)
end

local function watch(inst, health)
  local failures = 0
  if health.after then task.sleep(health.after) end
  while inst.state == "running" and inst.spec.health == health do
    task.sleep(health.interval)
    local ok, err = ask(inst, health)
    failures = ok and 0 or failures + 1
    inst.health_error = not ok and tostring(err) or nil
    if failures >= health.failures then
      inst.failure = ("unhealthy, %d times: %s"):format(failures,
        inst.health_error)
      if inst.state ~= "running" then return end
      return inst:event("unhealthy", { reason = inst.failure })
    end
  end
end

--- Watch an instance while it runs; returns when it does not any more, or its
-- probe has changed. Waits; run in a task of its own.
function M.run(inst)
  inst.health_watch = true
  while inst.spec.health and inst.state == "running" do
    watch(inst, inst.spec.health)
  end
  inst.health_watch = nil
end

--- The spec has changed: take up the new probe.
function M.update(inst)
  if inst.state ~= "running" or inst.health_watch then return end
  inst.health_watch = true
  local life = inst.life
  task.detached(function()
    if inst.life == life then M.run(inst) end
  end)
end

return M
