--- From one configuration to another by the least change. `plan` is pure: it
-- compares, and says the steps; `apply` takes them.
-- @module luvisor.supervisor.plan

local configs = require "luvisor.supervisor.config"

local M = {}

-- How many instances a service has, nil if it is one without a number.
local function count(spec, scaled)
  return spec.instances and (scaled or spec.instances)
end

local function changed_keys(old, new)
  return configs.difference(old, new)
end

local function compare(steps, name, old, new)
  local keys = changed_keys(old, new)
  if configs.exec_key(old) ~= configs.exec_key(new)
    or (old.instances == nil) ~= (new.instances == nil) then
    steps[#steps + 1] = { action = "restart", service = name, keys = keys }
  elseif #keys > 0 then
    steps[#steps + 1] = { action = "update", service = name, keys = keys }
  end
  if count(old) ~= count(new) and new.instances and old.instances then
    steps[#steps + 1] = { action = "scale", service = name,
      from = old.instances, to = new.instances }
  end
end

--- The steps from one configuration to another.
-- @tparam table old configuration
-- @tparam table new configuration
-- @treturn {table,...} action ("stop", "start", "restart", "update", "scale"),
-- service, keys (what has changed)
function M.steps(old, new)
  local steps = {}
  for _, name in ipairs(old.order) do
    if not new.services[name] then
      steps[#steps + 1] = { action = "stop", service = name }
    end
  end
  for _, name in ipairs(new.order) do
    local before = old.services[name]
    if before then
      compare(steps, name, before, new.services[name])
    else
      steps[#steps + 1] = { action = "start", service = name }
    end
  end
  return steps
end

local takes = {}

function takes.stop(sup, step)
  sup:stop(step.service, { by = "apply" })
  sup:remove(step.service)
end

function takes.start(sup, step, config)
  sup:add(config.services[step.service])
  return config.services[step.service].autostart
end

-- Was it up, or meant to be? Then it shall be so again.
local function was_wanted(sup, name)
  for _, inst in ipairs(sup:instances(name)) do
    if inst.wanted == "up" then return true end
  end
  return false
end

local function take_spec(sup, name, spec)
  sup.services[name].spec = spec
  for _, inst in ipairs(sup:instances(name)) do inst:update(spec) end
end

function takes.update(sup, step, config)
  take_spec(sup, step.service, config.services[step.service])
end

function takes.restart(sup, step, config)
  local name, spec = step.service, config.services[step.service]
  local again, by_hand = was_wanted(sup, name), {}
  for _, inst in ipairs(sup:instances(name)) do
    by_hand[inst.name] = inst.by_hand
  end
  sup:stop(name, { by = "apply" })
  local numbered = sup.services[name].spec.instances ~= nil
  if numbered ~= (spec.instances ~= nil) then
    sup:remove(name)
    sup:add(spec)
  else
    take_spec(sup, name, spec)
  end
  for _, inst in ipairs(sup:instances(name)) do
    inst.by_hand = by_hand[inst.name]
  end
  return again
end

function takes.scale(sup, step)
  sup:scale(step.service, step.to, { by = "apply" })
end

--- Go over to another configuration, which has been checked.
-- @tparam Supervisor sup
-- @tparam table config
-- @treturn {table,...} the steps that were taken
function M.apply(sup, config)
  local steps, start = M.steps(sup.config, config), {}
  for _, step in ipairs(steps) do
    if step.action == "stop" then takes.stop(sup, step) end
  end
  sup:set_config(config)
  for _, step in ipairs(steps) do
    if step.action ~= "stop" and takes[step.action](sup, step, config) then
      start[#start + 1] = step.service
    end
  end
  sup.events:emit("config", { steps = #steps, files = config.files })
  for _, name in ipairs(start) do
    sup:start(name, { by = "apply", wait = false })
  end
  return steps
end

return M
