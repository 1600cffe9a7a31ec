--- What users ask of services: start, stop, restart and the rest. Each waits
-- until it is so, and raises an error that says why it is not. What has been
-- asked for is done though nobody waits for it any more; of two requests the
-- later counts.
-- @module luvisor.supervisor
-- @type Supervisor

local departure = require "luvisor.supervisor.departure"
local errors = require "luvisor.error"
local machine = require "luvisor.supervisor.machine"
local order = require "luvisor.supervisor.order"
local task = require "luvisor.task"

local M = {}

local each = departure.each

local is_out = { stopped = true, failed = true }

-- What apply has stopped to change it is not out.
local function is_left(inst)
  return is_out[inst.state] and not inst.held
end

local function is_started(inst)
  return inst.state == "running" or inst.state == "done" or is_left(inst)
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

local function raise_not_up(inst)
  errors.raise {
    kind = "Failed", message = why_not(inst), subject = inst.name,
    status = inst:status(),
  }
end

-- A required service that nothing will bring up is reported at once.
local function hopeless(sup, inst)
  if inst.state ~= "waiting" then return nil end
  for _, name in ipairs(sup.graph:requirements(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      if is_left(other) then return other end
    end
  end
  return nil
end

local function wait_started(sup, inst)
  inst:wait_until(function()
    return is_started(inst) or hopeless(sup, inst)
  end)
  local culprit = hopeless(sup, inst) or is_out[inst.state] and inst
  if culprit then raise_not_up(culprit) end
end

local function limited(opts, fn)
  if opts.wait == false then return end
  if type(opts.wait) ~= "number" then return fn() end
  return task.timeout(opts.wait, fn)
end

--- @local
function M:check_open()
  if not (self.closing or self.closed) then return end
  errors.raise { kind = "Closed", message = "the supervisor is shutting down" }
end

local function is_gone_or_back(inst)
  return order.is_gone(inst) or inst.wanted == "up"
end

-- Its instances may become others while somebody waits.
local function copy_of(list)
  return table.move(list, 1, #list, 1, {})
end

-- Stop them in order, soon.
local function stop_all(sup, service, list, detail)
  for _, inst in ipairs(list) do
    inst.wanted, inst.again = "down", nil
    sup:tell_others(inst)
  end
  local work = departure.when_alone(sup, service, list, function(inst)
    inst:event("stop", detail)
  end)
  sup:settle()
  return work
end

local function stop_conflicts(sup, inst, detail)
  for _, name in ipairs(sup.graph:conflicts(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      if other.wanted == "up" then
        other.gives_way_to = inst.name
        stop_all(sup, sup.services[name], { other }, { by = detail.by,
          reason = "conflicts with " .. inst.name })
      end
    end
  end
end

local function want_up(sup, inst, detail)
  if inst.leaving or inst.wanted == "down" then sup:tell_others(inst) end
  inst.wanted, inst.by_hand, inst.leaving, inst.doomed = "up", nil, nil, nil
  inst.again = inst.state == "stopping" or nil
  if order.is_gone(inst) then inst.policy:forgive() end
  stop_conflicts(sup, inst, detail)
  inst:event("start", detail)
end

local function is_to_start(inst)
  return inst.wanted == "down" or is_out[inst.state]
end

-- What it requires is pulled in, whoever has stopped it.
local function pull_in(sup, service, detail)
  for _, name in ipairs(sup.graph:requirements(service.name)) do
    for _, inst in ipairs(sup:instances(name)) do
      if is_to_start(inst) then want_up(sup, inst, detail) end
    end
  end
end

-- The same where nobody asks by hand: but what was stopped by hand. What is
-- wanted up already has what it requires, as far as that is meant to be.
local function pull_in_quietly(sup, service, detail)
  for _, name in ipairs(service.spec.requires) do
    for _, inst in ipairs(sup:instances(name)) do
      if is_to_start(inst) and not inst.by_hand then
        pull_in_quietly(sup, sup.services[name], detail)
        want_up(sup, inst, detail)
      end
    end
  end
end

--- Start what a service requires, and these instances of it. Nobody has asked
-- for it by hand: what was stopped so stays. Does not wait.
-- @local
function M:bring_up(service, list, detail)
  pull_in_quietly(self, service, detail)
  for _, inst in ipairs(list) do want_up(self, inst, detail) end
end

--- Start a service or an instance, after what it requires; returns when it is
-- ready (`wait = false`: at once).
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
-- @raise Failed that says why it is not up, Timeout, UsageError: no such one
function M:start(name, opts)
  opts = opts or {}
  self:check_open()
  local list, service = self:find(name)
  local detail = { by = opts.by }
  list = copy_of(list)
  pull_in(self, service, detail)
  for _, inst in ipairs(list) do want_up(self, inst, detail) end
  self:save()
  limited(opts, function()
    each(list, function(inst) wait_started(self, inst) end)
  end)
end

local function wait_gone(inst)
  inst:wait_until(is_gone_or_back)
  if order.is_gone(inst) then return end
  errors.raise { kind = "Failed", subject = inst.name, status = inst:status(),
    message = ("%s is %s: meanwhile it was to be started"):format(inst.name,
      inst.state) }
end

--- Stop a service or an instance, after what requires it; returns when no
-- process of it is left.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
-- @raise Timeout: it is stopped nevertheless; Failed: somebody has started it
-- meanwhile; UsageError: no such one
function M:stop(name, opts)
  opts = opts or {}
  local list, service = self:find(name)
  list = copy_of(list)
  for _, inst in ipairs(list) do inst.by_hand = true end
  self:save()
  local work = stop_all(self, service, list, { by = opts.by })
  limited(opts, function()
    if work then work:join() end
    each(list, wait_gone)
  end)
end

-- One that is held and has no process will not have one.
local function are_stopped(list)
  for _, inst in ipairs(list) do
    local is_kept = inst.held and order.is_gone(inst) and inst.state ~= "done"
    if inst.state ~= "stopped" and not is_kept then return false end
  end
  return true
end

--- Stop instances, whoever starts them meanwhile. Waits.
-- @local
function M:clear(service, list, detail)
  list = copy_of(list)
  while not are_stopped(list) do
    local work = stop_all(self, service, list, detail)
    if work then work:join() end
    each(list, function(inst) inst:wait_until(is_gone_or_back) end)
  end
end

-- Returns whether the old life is over.
local function restart_one(inst, detail)
  local life = machine.has_process[inst.state] and inst.life
  inst.again = life and true or nil
  inst.policy:forgive()
  inst:event(inst.state == "stopped" and "start" or "restart", detail)
  return function()
    return not life or inst.life ~= life or order.is_gone(inst)
  end
end

local function yes()
  return true
end

--- Stop a service if it runs, and start it; what requires it is stopped before
-- and comes back.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
-- @raise Timeout: it is restarted nevertheless; Failed that says why it is not
-- up; UsageError: no such one
function M:restart(name, opts)
  opts = opts or {}
  self:check_open()
  local list, service = self:find(name)
  local detail, is_over = { by = opts.by, reason = "restart" }, {}
  list = copy_of(list)
  for _, inst in ipairs(list) do
    inst.wanted, inst.by_hand, inst.doomed = "up", nil, nil
    stop_conflicts(self, inst, detail)
  end
  pull_in(self, service, detail)
  self:save()
  local work = departure.when_alone(self, service, list, function(inst)
    is_over[inst] = restart_one(inst, detail)
  end)
  limited(opts, function()
    if work then work:join() end
    each(list, function(inst)
      inst:wait_until(is_over[inst] or yes)
      wait_started(self, inst)
    end)
  end)
end

local function wait_reloaded(inst)
  local err = inst.reloading:join()
  if err == nil then return end
  errors.raise { kind = "Failed", subject = inst.name,
    message = ("%s: reload: %s"):format(inst.name, tostring(err)) }
end

--- Tell a running service to read its configuration again: its `reload` key
-- says how, HUP by default. Returns when its command has ended, or the signal
-- was sent; what the service makes of it is its own affair.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false; by: who asks
-- @raise Closed: it does not run; Failed: its command did
function M:reload(name, opts)
  opts = opts or {}
  local list = self:find(name)
  for _, inst in ipairs(list) do inst:event("reload", { by = opts.by }) end
  limited(opts, function() each(list, wait_reloaded) end)
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

--- Run a job now, out of its time; if it runs, then once more. One that is
-- stopped is stopped again afterwards. Does not wait.
-- @tparam string name
-- @tparam[opt] table opts by: who asks
-- @raise UsageError: no such one, or it is no job; Closed
function M:run_job(name, opts)
  self:check_open()
  for _, inst in ipairs(self:find(name)) do
    if inst.spec.type ~= "job" then
      errors.usage("%s is no job but a %s: use start", inst.name,
        inst.spec.type)
    end
    inst.run_now = true
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

return M
