--- Health: a service that runs is asked again and again; so many failures one
-- after another restart it.
-- @module luvisor.supervisor.health

local core = require "luvisor.core.task"
local probes = require "luvisor.supervisor.probes"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local function ask(inst, health)
  return pcall(task.timeout, health.timeout, probes.ask, inst, health,
    health.timeout)
end

-- The first failure in a row is said, and the first answer after it.
local function tell(inst, failures, before)
  local sup = inst.sup
  if failures == 1 then
    sup.log:warning("does not answer", { service = inst.name,
      error = inst.health_error })
    sup.events:emit("health", { service = inst.name, healthy = false,
      error = inst.health_error })
  elseif failures == 0 and before > 0 then
    sup.log:info("answers again", { service = inst.name, failures = before })
    sup.events:emit("health", { service = inst.name, healthy = true })
  end
end

local function restart(inst, failures)
  inst.failure = ("unhealthy, %d times: %s"):format(failures,
    inst.health_error)
  inst:event("unhealthy", { reason = inst.failure })
end

local function watch(inst, health)
  local failures = 0
  local function is_meant()
    return inst.state == "running" and inst.spec.health == health
  end
  local function rest(seconds)
    task.move_on(seconds, function() inst.health_line:wait() end)
  end
  rest(health.after or 0)
  while is_meant() do
    rest(health.interval)
    if not is_meant() then return end
    local ok, err = ask(inst, health)
    if not is_meant() then return end
    local before = failures
    failures = ok and 0 or failures + 1
    inst.health_error = not ok and tostring(err) or nil
    tell(inst, failures, before)
    if failures >= health.failures then return restart(inst, failures) end
  end
end

--- Watch an instance while it runs, if its spec says how, or from when it does.
-- Waits; run in a task that ends with its life.
function M.run(inst)
  inst.health_line = waiters.new "a change of a service's health"
  inst.health_error = nil
  local _ <close> = setmetatable({}, { __close = function()
    inst.health_line = nil
  end })
  while inst.state == "running" do
    if inst.spec.health then
      watch(inst, inst.spec.health)
    else
      inst.health_line:wait()
    end
  end
end

--- The spec has changed: take up the new probe.
function M.update(inst)
  if inst.health_line then
    inst.health_line:wake_all(true)
  elseif inst.state == "running" and inst.spec.health then
    inst.health_task = core.lasting(M.run, inst)
  end
end

--- It has ended.
function M.close(inst)
  if inst.health_task then inst.health_task:cancel() end
  inst.health_task = nil
end

return M
