--- A supervisor: services kept alive as their configuration says. It is what
-- `luvisor up` runs, and a library: a script can own a tree of services and
-- leave nothing behind.
-- @module luvisor.supervisor
-- @usage
-- local supervisor = require "luvisor.supervisor"
-- local sup <close> = supervisor.new {
--   services = { sleeper = { command = { "sleep", "60" } } },
-- }
-- sup:start "sleeper"
-- print(sup:status("sleeper").state) --> running

local actions = require "luvisor.supervisor.actions"
local configs = require "luvisor.supervisor.config"
local descendants = require "luvisor.supervisor.descendants"
local errors = require "luvisor.error"
local events = require "luvisor.supervisor.events"
local graph = require "luvisor.supervisor.graph"
local instances = require "luvisor.supervisor.instance"
local journal = require "luvisor.supervisor.journal"
local logs = require "luvisor.supervisor.logs"
local machine = require "luvisor.supervisor.machine"
local mainservice = require "luvisor.supervisor.mainservice"
local process = require "luvisor.process"
local requests = require "luvisor.supervisor.requests"
local sockets = require "luvisor.supervisor.sockets"
local task = require "luvisor.task"
local time = require "luvisor.time"
local waiters = require "luvisor.waiters"

local M = {}

local Supervisor = {}
Supervisor.__index = Supervisor
Supervisor.__name = "luvisor.supervisor"

for name, method in pairs(requests) do Supervisor[name] = method end

local told = { failed = "error", backoff = "warning" }

-- In how many seconds it is tried again.
local function again_in(inst)
  local seconds = inst.state == "backoff" and inst.delay
    or inst.state == "failed" and inst.retry_after
  return seconds and ("%.3g"):format(seconds) or nil
end

local function tell(inst, from, event, detail)
  local sup = inst.sup
  inst.since = time.wall()
  inst.reason = detail and detail.reason
  sup.log:write(told[inst.state] or "info", inst.state, {
    service = inst.name, pid = inst.pid, reason = inst.reason,
    by = detail and detail.by, again_in = again_in(inst),
  })
  sup.events:emit("state", {
    service = inst.name, from = from, to = inst.state, event = event,
    reason = inst.reason, by = detail and detail.by, pid = inst.pid,
  })
  sup._news[#sup._news + 1] = inst
  mainservice.review(inst)
end

-- What depends on a service that has changed: who waits for it looks again,
-- who requires it and has lost it is stopped until it comes back.
local function pass_on(sup, inst)
  inst:changed()
  for _, name in ipairs(sup.graph:followers(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      if other.state == "waiting" then
        actions.await(other)
      elseif not sup:has_what_it_requires(other) then
        sup:lose(other, inst)
      end
    end
  end
  for _, name in ipairs(sup.graph:dependents(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do other:changed() end
  end
end

--- Feed an event to the machine of an instance.
-- @raise Closed when a request has no meaning in its state
function Supervisor:step(inst, event, detail)
  machine.step(inst, event, actions, tell, detail)
  if self._passing then return end
  self._passing = true
  while #self._news > 0 do pass_on(self, table.remove(self._news, 1)) end
  self._passing = false
end

local may_be_lost = { starting = true, running = true, backoff = true }

--- It comes back by itself when what it requires has.
-- @local
function Supervisor:lose(inst, required)
  if not may_be_lost[inst.state] then return end
  inst.again = true
  self:step(inst, "lost", {
    reason = ("requires %s, which is %s"):format(required.name, required.state),
  })
end

--- The instances of a service.
-- @tparam string name
-- @treturn {Instance,...} none if there is no such service
function Supervisor:instances(name)
  local service = self.services[name]
  return service and service.instances or {}
end

local function is_up(inst)
  if inst.leaving then return false end
  return machine.is_up[inst.state]
    or (inst.spec.type == "job" and inst.state == "waiting")
end

local function all(list, is_so)
  for _, inst in ipairs(list) do
    if not is_so(inst) then return false, inst end
  end
  return true
end

--- @local
function Supervisor:has_what_it_requires(inst)
  for _, name in ipairs(inst.spec.requires) do
    if not all(self:instances(name), is_up) then return false end
  end
  return true
end

local function is_settled(inst)
  return machine.is_settled[inst.state] or is_up(inst)
    or inst.wanted == "down"
end

local function is_gone(inst)
  return not machine.has_process[inst.state]
end

-- Whom of these services it waits for, and until when.
local function first_obstacle(sup, names, is_so, text)
  for _, name in ipairs(names) do
    local ok, inst = all(sup:instances(name), is_so)
    if not ok then return text:format(inst.name, inst.state) end
  end
  return nil
end

--- What keeps an instance from being started now.
-- @treturn string|nil a sentence; nil: nothing
function Supervisor:obstacle(inst)
  local spec = inst.spec
  return first_obstacle(self, spec.requires, is_up, "waits for %s, which is %s")
    or first_obstacle(self, spec.wants, is_settled, "waits for %s, which is %s")
    or first_obstacle(self, spec.after, is_settled, "waits for %s, which is %s")
    or first_obstacle(self, spec.conflicts, is_gone,
      "conflicts with %s, which is %s")
end

--- The service says that another process of it is the main one: its end is the
-- instance's from now on.
function Supervisor:set_main_pid(inst, pid)
  local ok, main = pcall(process.adopt, pid)
  if not ok then return end
  inst.main, inst.pid = main, pid
  self.events:emit("status", { service = inst.name, mainpid = pid })
end

--- A fault of ours in the life of an instance: say it, and let go of it.
function Supervisor:bug(inst, err)
  self.log:error("a fault of luvisor", { service = inst.name,
    error = tostring(err), traceback = err.traceback })
  inst.failure, inst.retry_after = tostring(err), false
  inst.process, inst.pid = nil, nil
  self:step(inst, "failed", { reason = "a fault of luvisor" })
end

local function add_instance(sup, service, number)
  local inst = instances.new(sup, service.spec, number)
  inst.log = logs.open(inst)
  table.insert(service.instances, inst)
  return inst
end

--- Make what a spec says, stopped.
function Supervisor:add(spec)
  local service = { name = spec.name, spec = spec, instances = {} }
  self.services[spec.name] = service
  if not spec.instances then
    add_instance(self, service)
  end
  for number = 1, spec.instances or 0 do add_instance(self, service, number) end
  return service
end

--- Add or take away an instance; one that is taken away must be stopped.
function Supervisor:add_instance(service, number)
  return add_instance(self, service, number)
end

--- Forget a service whose instances are stopped.
function Supervisor:remove(name)
  for _, inst in ipairs(self:instances(name)) do inst.log:close() end
  self.services[name] = nil
end

--- Take another configuration's order and groups.
function Supervisor:set_config(config)
  self.config = config
  self.graph = graph.new(config.services, config.order)
end

--- Find an instance, or all of a service.
-- @tparam string name "web" or "worker@2"
-- @treturn {Instance,...}
-- @raise UsageError: no such service; the near name
function Supervisor:find(name)
  if self.services[name] then return self.services[name].instances end
  local names = {}
  for service, one in pairs(self.services) do
    names[#names + 1] = service
    for _, inst in ipairs(one.instances) do
      if inst.name == name then return { inst } end
    end
  end
  local near = errors.nearest(tostring(name), names)
  errors.usage("no service %q%s", tostring(name),
    near and (", did you mean %q?"):format(near) or "")
end

--- Make a supervisor. Nothing is started yet.
-- @param config a file's name, or a table as a file gives it: services = {name
-- = {…}}, groups = {…}, and the settings
-- @tparam[opt] table opts persistent: remember in state_dir what is stopped by
-- hand and scaled
-- @treturn Supervisor to be closed, with `<close>` or close()
-- @raise ConfigError with all errors
function M.new(config, opts)
  local checked = type(config) == "string" and configs.load(config)
    or configs.check_table(config)
  local self = setmetatable({
    services = {}, events = events.new(), _news = {},
    line = waiters.new "the end of a supervisor", started = time.wall(),
  }, Supervisor)
  self.log = journal.new(checked.log)
  self:set_config(checked)
  self.descendants = descendants.open(self)
  self.sockets = sockets.open(checked)
  for _, name in ipairs(checked.order) do self:add(checked.services[name]) end
  if opts and opts.persistent then self:remember() end
  task.at_exit(function() self:close() end)
  return self
end

--- Take up where an earlier supervisor with this state_dir has left off.
-- @local
function Supervisor:remember()
  self.store = require "luvisor.supervisor.store".open(self)
  local state = self.store.state
  for name, n in pairs(state.scaled) do
    local service = self.services[name]
    if service and service.spec.instances then self:scale(name, n) end
  end
  for name in pairs(state.stopped) do
    local ok, list = pcall(self.find, self, name)
    for _, inst in ipairs(ok and list or {}) do inst.by_hand = true end
  end
end

--- Start what is to start by itself, and wait until the supervisor is shut down
-- or the caller is cancelled; then nothing is left running.
-- @treturn integer the exit code: that of the main service, else 0
function Supervisor:run()
  local _ <close> = setmetatable({}, { __close = function() self:close() end })
  self:start_all()
  while not self.closed do self.line:wait() end
  return self.exit_code or 0
end

--- Stop all services in order, the dependent ones first, and let go of what the
-- supervisor holds. Waits; twice is harmless.
function Supervisor:close()
  if self.closed then return end
  task.shield(function() self:shutdown() end)
  if self.closed then return end
  self.closed = true
  if self.store then self.store:flush() end
  for name in pairs(self.services) do self:remove(name) end
  self.descendants:close()
  self.sockets:close()
  self.events:close()
  self.line:wake_all(true)
end

Supervisor.__close = Supervisor.close

return M
