--- What users ask of a supervisor: start, stop, restart and the rest. Each
-- waits until it is so, and raises an error that says why it is not.
-- @module luvisor.supervisor
-- @type Supervisor

local errors = require "luvisor.error"
local machine = require "luvisor.supervisor.machine"
local configs = require "luvisor.supervisor.config"
local plans = require "luvisor.supervisor.plan"
local task = require "luvisor.task"

local M = {}

local function is_gone(inst)
  return not machine.has_process[inst.state]
end

local has_started = { running = true, done = true }

local function is_started(inst)
  return has_started[inst.state] or inst.state == "failed"
    or inst.state == "stopped"
    or (inst.spec.type == "job" and inst.state == "waiting")
end

-- The sentence that says why an instance is not up.
local function why_not(inst)
  local text = ("%s is %s"):format(inst.name, inst.state)
  if inst.reason then text = text .. ": " .. inst.reason end
  local tail = inst.state == "failed" and inst.log:tail(5) or {}
  if #tail > 0 then text = text .. "\n  " .. table.concat(tail, "\n  ") end
  return text
end

local function not_so(inst)
  errors.raise {
    kind = "Failed", message = why_not(inst), subject = inst.name,
    status = inst:status(),
  }
end

-- For all of them, side by side.
local function each(list, fn)
  if #list == 1 then return fn(list[1]) end
  task.nursery(function(n)
    for _, inst in ipairs(list) do n:spawn(fn, inst) end
  end)
end

local function want_up(inst, detail)
  inst.wanted, inst.by_hand = "up", nil
  if not machine.has_process[inst.state] then inst.policy:forgive() end
  inst:event("start", detail)
end

-- A required service that nothing can bring up is reported at once.
local function hopeless(sup, inst)
  for _, name in ipairs(sup.graph:requirements(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      if other.state == "failed" then return other end
    end
  end
  return nil
end

local function wait_started(sup, inst)
  inst:wait_until(function()
    return is_started(inst) or hopeless(sup, inst)
  end)
  if inst.state == "waiting" and hopeless(sup, inst) then
    not_so(hopeless(sup, inst))
  end
  if inst.state == "failed" or inst.state == "stopped" then not_so(inst) end
end

local function stop_conflicts(sup, inst, detail)
  for _, name in ipairs(inst.spec.conflicts) do
    for _, other in ipairs(sup:instances(name)) do
      other.wanted = "down"
      other:event("stop", { by = detail.by,
        reason = "conflicts with " .. inst.name })
    end
  end
end

local function limited(opts, fn)
  if opts.wait == false then return end
  if type(opts.wait) ~= "number" then return fn() end
  return task.timeout(opts.wait, fn)
end

local function check_open(sup)
  if not (sup.closing or sup.closed) then return end
  errors.raise { kind = "Closed", message = "the supervisor is shutting down" }
end

--- Start a service or an instance, after what it requires; returns when it is
-- ready (`wait = false`: at once).
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
-- @raise Failed that says why it is not up, Timeout, UsageError: no such one
function M:start(name, opts)
  opts = opts or {}
  check_open(self)
  local list, detail = self:find(name), { by = opts.by }
  for _, required in ipairs(self.graph:requirements(list[1].service)) do
    for _, inst in ipairs(self:instances(required)) do
      if inst.wanted == "down" then want_up(inst, detail) end
    end
  end
  for _, inst in ipairs(list) do
    stop_conflicts(self, inst, detail)
    want_up(inst, detail)
  end
  self:save()
  limited(opts, function()
    each(list, function(inst) wait_started(self, inst) end)
  end)
end

-- Those that require it go first, and come back with it. `leaving` keeps them
-- from coming back before it has gone.
local function stop_dependents(sup, list)
  for _, inst in ipairs(list) do inst.leaving = true end
  local service = list[1].service
  for _, name in ipairs(sup.graph:dependents(service)) do
    for _, inst in ipairs(sup:instances(name)) do
      sup:lose(inst, list[1])
    end
    each(sup:instances(name), function(inst) inst:wait_until(is_gone) end)
  end
end

local function stop_one(inst, detail)
  inst.wanted, inst.again, inst.leaving = "down", nil, nil
  inst:event("stop", detail)
end

--- Stop a service or an instance, after what requires it; returns when no
-- process of it is left.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
function M:stop(name, opts)
  opts = opts or {}
  local list = self:find(name)
  for _, inst in ipairs(list) do inst.by_hand = true end
  self:save()
  local function stop()
    stop_dependents(self, list)
    for _, inst in ipairs(list) do stop_one(inst, { by = opts.by }) end
    each(list, function(inst) inst:wait_until(is_gone) end)
  end
  if opts.wait == false then
    task.detached(stop)
  else
    limited(opts, stop)
  end
end

-- Returns whether the old life is over.
local function restart_one(inst, detail)
  local life = machine.has_process[inst.state] and inst.life
  inst.wanted, inst.by_hand, inst.again, inst.leaving = "up", nil, true, nil
  inst.policy:forgive()
  local stopped = inst.state == "stopped"
  inst:event(stopped and "start" or "restart", detail)
  return function()
    return not life or inst.life ~= life or is_gone(inst)
  end
end

--- Stop a service if it runs, and start it; what requires it is stopped before
-- and comes back.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
function M:restart(name, opts)
  opts = opts or {}
  check_open(self)
  local list, detail = self:find(name), { by = opts.by, reason = "restart" }
  local function restart()
    stop_dependents(self, list)
    local is_over = {}
    for _, inst in ipairs(list) do
      is_over[inst] = restart_one(inst, detail)
    end
    self:save()
    each(list, function(inst)
      inst:wait_until(is_over[inst])
      wait_started(self, inst)
    end)
  end
  if opts.wait == false then
    task.detached(restart)
  else
    limited(opts, restart)
  end
end

--- Tell a running service to read its configuration again: its `reload` key
-- says how, HUP by default. Does not wait.
function M:reload(name, opts)
  for _, inst in ipairs(self:find(name)) do
    inst:event("reload", { by = opts and opts.by })
  end
end

--- Send a signal to the main process of a service, or of an instance.
-- @raise NoProcess when it does not run
function M:signal(name, sig)
  for _, inst in ipairs(self:find(name)) do
    if not inst.pid then
      errors.raise { kind = "NoProcess", subject = inst.name,
        message = ("%s is %s: there is no process to signal"):format(inst.name,
          inst.state) }
    end
    (inst.main or inst.process):send_signal(sig)
  end
end

--- Run a job now, out of its time.
function M:run_job(name, opts)
  check_open(self)
  for _, inst in ipairs(self:find(name)) do
    if inst.spec.type ~= "job" then
      errors.usage("%s is no job but a %s: use start", inst.name,
        inst.spec.type)
    end
    inst.run_now, inst.wanted = true, "up"
    inst:event("start", { by = opts and opts.by, reason = "run now" })
  end
end

local names_of_up = { ready = true, up = true }

--- Wait until a service is in a state.
-- @tparam string name
-- @tparam string state a state of the machine; "ready" is running or done
-- @tparam[opt] number timeout seconds
-- @raise Timeout, UsageError: no such state
function M:wait(name, state, timeout)
  local is_so
  if names_of_up[state] then
    is_so = function(inst) return machine.is_up[inst.state] end
  elseif machine.table[state] then
    is_so = function(inst) return inst.state == state end
  else
    errors.usage("wait: no such state: %s", tostring(state))
  end
  local list = self:find(name)
  limited({ wait = timeout }, function()
    each(list, function(inst) inst:wait_until(is_so) end)
  end)
end

--- Have n instances of a service that has `instances`. It holds until the
-- configuration says another number.
-- @tparam string name
-- @tparam integer n 0 or more
function M:scale(name, n, opts)
  local service = self.services[name]
  if not service then self:find(name) end
  if not service or service.spec.instances == nil then
    errors.usage("%s has no instances: give it `instances = 1`", name)
  end
  local list = service.instances
  local up = #list == 0 or list[1].wanted == "up"
  for number = #list, n + 1, -1 do
    local inst = list[number]
    stop_one(inst, { by = opts and opts.by, reason = "scale" })
    inst:wait_until(is_gone)
    inst.log:close()
    list[number] = nil
  end
  for number = #list + 1, n do
    local inst = self:add_instance(service, number)
    if up then want_up(inst, { by = opts and opts.by, reason = "scale" }) end
  end
  service.scaled = n
  self:save()
end

-- The configuration to go over to: the file again, or what is given.
local function next_config(sup, config)
  if type(config) == "table" then return configs.check_table(config) end
  return configs.load(config or sup.config.path)
end

--- What `apply` would do.
-- @param[opt] config a file's name or a table; the file that was read
-- @treturn {table,...} action, service, keys
-- @raise ConfigError with all errors
function M:plan(config)
  return plans.steps(self.config, next_config(self, config))
end

--- Read the configuration again and do the least that makes it so. What was
-- stopped by hand stays so; if there is an error, nothing changes.
-- @param[opt] config a file's name or a table; the file that was read
-- @treturn {table,...} the steps that were taken
-- @raise ConfigError with all errors
function M:apply(config)
  check_open(self)
  local checked = next_config(self, config)
  if self.applying then
    errors.raise { kind = "Busy", message = "another apply is under way" }
  end
  self.applying = true
  local _ <close> = setmetatable({}, { __close = function()
    self.applying = nil
  end })
  return plans.apply(self, checked)
end

--- What users are shown of a service, or of one instance.
-- @treturn table of the first instance
function M:status(name)
  return self:find(name)[1]:status()
end

--- What users are shown of all, in the order of the configuration.
-- @treturn {table,...}
function M:list()
  local list = {}
  for _, name in ipairs(self.config.order) do
    for _, inst in ipairs(self:instances(name)) do
      list[#list + 1] = inst:status()
    end
  end
  return list
end

--- Write down what must survive, if this supervisor is to remember.
function M:save()
  if self.store then self.store:save() end
end

--- Start what is to start by itself and was not stopped by hand.
function M:start_all()
  for _, name in ipairs(self.graph:order()) do
    for _, inst in ipairs(self:instances(name)) do
      if inst.spec.autostart and not inst.by_hand then
        want_up(inst, { reason = "autostart" })
      end
    end
  end
end

local function is_down(inst)
  return is_gone(inst) and inst.state ~= "waiting"
    and inst.state ~= "backoff"
end

-- In reverse order: each when what comes after it is down.
local function stop_in_order(sup, inst)
  for _, name in ipairs(sup.graph:followers(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      other:wait_until(is_down)
    end
  end
  stop_one(inst, { reason = "shutdown" })
  inst:wait_until(is_down)
end

--- Stop all, in the reverse of their order. Waits.
function M:shutdown()
  self.closing = true
  local all = {}
  for _, service in pairs(self.services) do
    for _, inst in ipairs(service.instances) do
      inst.wanted = "down"
      all[#all + 1] = inst
    end
  end
  if #all == 0 then return end
  task.nursery(function(n)
    for _, inst in ipairs(all) do n:spawn(stop_in_order, self, inst) end
  end)
end

return M
