--- From one configuration to another by the least change. `plan` is pure: it
-- compares, and says the steps; `apply` takes them.
-- @module luvisor.supervisor.plan

local configs = require "luvisor.supervisor.config"
local order = require "luvisor.supervisor.order"
local serial = require "luvisor.supervisor.serial"
local task = require "luvisor.task"

local M = {}

-- What its group says of a service.
local function group_text(config, spec)
  local group = config.groups[spec.group]
  return group and serial.text { group.strategy, burst = group.burst }
end

-- The keys in which a service differs; "group" also if the group does.
local function changed_keys(old, new, name)
  local before, after = old.services[name], new.services[name]
  local keys = configs.difference(before, after)
  if before.group == after.group
    and group_text(old, before) ~= group_text(new, after) then
    keys[#keys + 1] = "group"
    table.sort(keys)
  end
  return keys
end

-- Only what will not be started says so.
local function not_so(starts)
  if starts then return nil end
  return false
end

local function compare(steps, name, old, new, is_wanted)
  local before, after = old.services[name], new.services[name]
  local keys = changed_keys(old, new, name)
  if configs.exec_key(before) ~= configs.exec_key(after)
    or (before.instances == nil) ~= (after.instances == nil) then
    steps[#steps + 1] = { action = "restart", service = name, keys = keys,
      starts = not_so(not is_wanted or is_wanted(name)) }
  elseif #keys > 0 then
    steps[#steps + 1] = { action = "update", service = name, keys = keys }
  end
  local is_counted = before.instances and after.instances
  if is_counted and before.instances ~= after.instances then
    steps[#steps + 1] = { action = "scale", service = name,
      from = before.instances, to = after.instances }
  end
end

--- The steps from one configuration to another.
-- @tparam table old configuration
-- @tparam table new configuration
-- @tparam[opt] function is_wanted called with a name: is the service meant to
-- be up? Default: all are
-- @treturn {table,...} action ("stop", "start", "restart", "update", "scale"),
-- service, keys (what has changed); starts: false for what is stopped and stays
-- so, and for what is new and starts only when it is asked for or required
function M.steps(old, new, is_wanted)
  local steps = {}
  for _, name in ipairs(old.order) do
    if not new.services[name] then
      steps[#steps + 1] = { action = "stop", service = name }
    end
  end
  for _, name in ipairs(new.order) do
    if old.services[name] then
      compare(steps, name, old, new, is_wanted)
    else
      steps[#steps + 1] = { action = "start", service = name,
        starts = not_so(new.services[name].autostart) }
    end
  end
  return steps
end

-- What is to be done, by action: lists of names, in the order of the files.
local function by_action(steps)
  local lists = { stop = {}, start = {}, restart = {}, update = {}, scale = {} }
  for _, step in ipairs(steps) do
    table.insert(lists[step.action], step.service)
  end
  return lists
end

-- Which instances of a service there are, and whether they are meant to be up.
local function wanted(sup, name)
  local before = { is_wanted = {}, any = false }
  for _, inst in ipairs(sup:instances(name)) do
    local is_wanted = inst.wanted == "up"
    before.is_wanted[inst.name] = is_wanted
    before.any = before.any or is_wanted
  end
  return before
end

--- The steps of a supervisor from its configuration to another.
-- @tparam Supervisor sup
-- @tparam table config
-- @treturn {table,...} as of `steps`
function M.of(sup, config)
  return M.steps(sup.config, config, function(name)
    return wanted(sup, name).any
  end)
end

-- Each when those of them that required it have gone.
local function stop_one(sup, name, requirers, is_leaving)
  for _, other in ipairs(requirers) do
    for _, inst in ipairs(is_leaving[other] and sup:instances(other) or {}) do
      inst:wait_until(order.is_gone)
    end
  end
  sup:clear(sup.services[name], sup:instances(name), { by = "apply" })
end

-- None of these starts before it is let go.
local function hold(sup, names)
  for _, name in ipairs(names) do
    for _, inst in ipairs(sup:instances(name)) do inst.held = true end
  end
end

-- Stop services, side by side. Waits.
local function stop_all(sup, names, graph)
  local is_leaving = {}
  hold(sup, names)
  for _, name in ipairs(names) do is_leaving[name] = true end
  task.nursery(function(n)
    for _, name in ipairs(names) do
      n:spawn(stop_one, sup, name, graph:dependents(name), is_leaving)
    end
  end)
end

local function take_spec(sup, name, spec)
  sup.services[name].spec = spec
  for _, inst in ipairs(sup:instances(name)) do inst:update(spec) end
end

local function let_go(sup, names)
  for _, name in ipairs(names) do
    for _, inst in ipairs(sup:instances(name)) do
      inst.held = nil
      inst:changed()
      sup:look_again(inst)
    end
  end
end

-- With a number or without one: other instances, of whom those are stopped by
-- hand that were.
local function replace(sup, name, spec)
  local by_hand = {}
  for _, inst in ipairs(sup:instances(name)) do
    by_hand[inst.name] = inst.by_hand
  end
  sup:remove(name)
  for _, inst in ipairs(sup:add(spec).instances) do
    inst.by_hand = by_hand[inst.name]
  end
end

local function change(sup, name, spec)
  local is_numbered = sup.services[name].spec.instances ~= nil
  if is_numbered == (spec.instances ~= nil) then
    take_spec(sup, name, spec)
  else
    replace(sup, name, spec)
  end
end

-- Those that were up, and new ones beside them; but not what was stopped by
-- hand, be it meanwhile.
local function to_start(sup, name, before)
  local list = {}
  for _, inst in ipairs(sup:instances(name)) do
    local was = before.is_wanted[inst.name]
    if was == nil then was = before.any end
    if was and not inst.by_hand then list[#list + 1] = inst end
  end
  return list
end

-- Luvisor's own log, and where those are of services that name none.
local function take_settings(sup, old, new)
  if serial.text(old.log) == serial.text(new.log) then return end
  sup.log:change(new.log)
  if old.log.dir == new.log.dir then return end
  for _, inst in ipairs(sup:all_instances()) do inst.log:update() end
end

-- In the order in which they come after each other.
local function start_all(sup, config, todo, before)
  local is_new = {}
  for _, name in ipairs(todo.start) do is_new[name] = true end
  for _, name in ipairs(sup.graph:order()) do
    local service, list = sup.services[name], {}
    if is_new[name] and config.services[name].autostart then
      list = service.instances
    elseif before[name] then
      list = to_start(sup, name, before[name])
    end
    if #list > 0 then sup:bring_up(service, list, { by = "apply" }) end
  end
end

-- What goes on as it runs.
local function take_live(sup, old, config, todo)
  local leaving = {}
  for i, name in ipairs(todo.stop) do leaving[i] = old.services[name] end
  sup:set_config(config, leaving)
  hold(sup, todo.update)
  for _, name in ipairs(todo.update) do
    take_spec(sup, name, config.services[name])
  end
  take_settings(sup, old, config)
end

--- Go over to another configuration, which has been checked. Waits until what
-- had to be stopped has stopped.
-- @tparam Supervisor sup
-- @tparam table config
-- @treturn {table,...} the steps that were taken
-- @raise Closed: the supervisor is shutting down
function M.apply(sup, config)
  local old, graph = sup.config, sup.graph
  local steps = M.of(sup, config)
  local todo, before = by_action(steps), {}
  for _, name in ipairs(todo.restart) do before[name] = wanted(sup, name) end
  take_live(sup, old, config, todo)
  stop_all(sup, table.move(todo.restart, 1, #todo.restart, #todo.stop + 1,
    table.move(todo.stop, 1, #todo.stop, 1, {})), graph)
  sup:check_open()
  for _, name in ipairs(todo.restart) do
    change(sup, name, config.services[name])
  end
  for _, name in ipairs(todo.stop) do sup:remove(name) end
  sup:set_config(config)
  for _, name in ipairs(todo.start) do sup:add(config.services[name]) end
  for _, name in ipairs(todo.scale) do
    sup:scale(name, config.services[name].instances, { by = "apply" })
  end
  sup:check_open()
  let_go(sup, todo.restart)
  let_go(sup, todo.update)
  start_all(sup, config, todo, before)
  for _, name in ipairs(todo.update) do sup:review(name) end
  let_go(sup, config.order)
  sup:save()
  sup.events:emit("config", { steps = #steps, files = config.files })
  return steps
end

return M
