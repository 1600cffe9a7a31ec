--- A supervisor: services kept alive as their configuration says. It is what
-- `luvisor up` runs, and a library: a script can own a tree of services and
-- leave nothing behind. Every key of a service is in [the
-- configuration](config.md); [servers for tests](../guide/fixtures.md) shows a
-- use.
-- @module luvisor.supervisor
-- @usage
-- local supervisor = require "luvisor.supervisor"
-- local sup <close> = supervisor.new {
--   log = { dir = "log" },
--   services = { sleeper = { command = { "sleep", "60" } } },
-- }
-- sup:start "sleeper"
-- print(sup:status("sleeper").state) --> running

local actions = require "luvisor.supervisor.actions"
local clock = require "luvisor.supervisor.clock"
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
local passing = require "luvisor.supervisor.passing"
local process = require "luvisor.process"
local requests = require "luvisor.supervisor.requests"
local scaling = require "luvisor.supervisor.scaling"
local sockets = require "luvisor.supervisor.sockets"
local task = require "luvisor.task"
local time = require "luvisor.time"
local waiters = require "luvisor.waiters"
local whole = require "luvisor.supervisor.whole"

local M = {}

local Supervisor = {}
Supervisor.__index = Supervisor
Supervisor.__name = "luvisor.supervisor"

for _, methods in ipairs { passing, requests, scaling, whole } do
  for name, method in pairs(methods) do Supervisor[name] = method end
end

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
    seq = 0, type = "state", time = 0, mono = 0, -- places for emit
  })
  sup:tell_others(inst)
  mainservice.review(inst)
end

--- Feed an event to the machine of an instance.
-- @raise Closed when a request has no meaning in its state
-- @local
function Supervisor:step(inst, event, detail)
  machine.step(inst, event, actions, tell, detail)
  self:settle()
end

--- The instances of a service.
-- @tparam string name
-- @treturn {Instance,...} none if there is no such service
function Supervisor:instances(name)
  local service = self.services[name]
  return service and service.instances or {}
end

--- The instances of all services.
-- @treturn {Instance,...}
function Supervisor:all_instances()
  local list = {}
  for _, service in pairs(self.services) do
    for _, inst in ipairs(service.instances) do list[#list + 1] = inst end
  end
  return list
end

--- The service says that another process of it is the main one: its end is the
-- instance's from now on.
-- @local
function Supervisor:set_main_pid(inst, pid)
  local ok, main = pcall(process.adopt, pid)
  if not ok then
    return self.log:warning("its main process cannot be watched",
      { service = inst.name, mainpid = pid, error = tostring(main) })
  end
  inst.main, inst.pid = main, pid
  inst:changed()
  self.events:emit("status", { service = inst.name, mainpid = pid })
end

--- A fault of ours in the life of an instance: say it, and leave nothing of it
-- behind. Waits.
-- @local
function Supervisor:bug(inst, err)
  self.log:error("a fault of luvisor", { service = inst.name,
    error = tostring(err), traceback = err.traceback })
  local ok, why = pcall(self.descendants.stop, self.descendants, inst,
    { signal = "KILL", grace = 0 })
  if ok then self.descendants:forget(inst) end
  inst.failure, inst.retry_after = tostring(err), false
  inst.process, inst.pid, inst.begun = nil, nil, true
  inst:changed()
  if machine.has_process[inst.state] then
    self:step(inst, "failed", { reason = "a fault of luvisor" })
  end
  if not ok then error(why, 0) end
end

local function add_instance(sup, service, number)
  local inst = instances.new(sup, service.spec, number)
  inst.log = logs.open(inst)
  table.insert(service.instances, inst)
  return inst
end

--- Make what a spec says, stopped.
-- @local
function Supervisor:add(spec)
  local service = { name = spec.name, spec = spec, instances = {} }
  self.services[spec.name] = service
  if not spec.instances then
    add_instance(self, service)
  end
  for number = 1, spec.instances or 0 do add_instance(self, service, number) end
  return service
end

--- Add an instance, stopped.
-- @local
function Supervisor:add_instance(service, number)
  return add_instance(self, service, number)
end

local is_pending = { waiting = true, backoff = true }

--- Forget a service whose instances have no process. Who follows the events
-- hears of those that wait to start that they do not any more. Waits.
-- @local
function Supervisor:remove(name)
  local list = self:instances(name)
  for _, inst in ipairs(list) do
    if is_pending[inst.state] then
      inst.wanted = "down"
      inst:event("stop", { reason = "taken away" })
    end
  end
  self.services[name] = nil
  self.sockets:forget(name)
  for _, inst in ipairs(list) do inst:remove() end
end

--- Take another configuration's order and groups.
-- @tparam table config
-- @tparam[opt] {table,...} leaving specs of services that are not in it, and
-- still count until they have gone
function Supervisor:set_config(config, leaving)
  local services = setmetatable({}, { __index = config.services })
  local names = table.move(config.order, 1, #config.order, 1, {})
  for _, spec in ipairs(leaving or {}) do
    services[spec.name] = spec
    names[#names + 1] = spec.name
  end
  self.config, self.graph = config, graph.new(services, names)
end

local function raise_unknown(self, name)
  local names = {}
  for service in pairs(self.services) do names[#names + 1] = service end
  local near = errors.nearest(tostring(name), names)
  errors.usage("no service %q%s", tostring(name),
    near and (", did you mean %q?"):format(near) or "")
end

--- Find an instance, or all of a service.
-- @tparam string name "web" or "worker@2"
-- @treturn {Instance,...} none of a service that has none
-- @treturn table the service: name, spec, instances
-- @raise UsageError: no such service; the near name
function Supervisor:find(name)
  local service = self.services[name]
  if service then return service.instances, service end
  service = self.services[type(name) == "string" and name:match "^(.*)@%d+$"]
  for _, inst in ipairs(service and service.instances or {}) do
    if inst.name == name then return { inst }, service end
  end
  raise_unknown(self, name)
end

-- All that are not closed: the end of the program closes them.
local alive = {}
local is_known = false -- to the program's end

local function close_all()
  task.nursery(function(n)
    for sup in pairs(alive) do n:spawn(sup.close, sup) end
  end)
end

local function keep(self)
  if not is_known then task.at_exit(close_all) end
  is_known, alive[self] = true, true
end

local function fill(self, checked, opts)
  self.sockets = sockets.open(checked)
  for _, name in ipairs(checked.order) do self:add(checked.services[name]) end
  if opts and opts.persistent then self:remember() end
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
  keep(self)
  local ok, err = pcall(fill, self, checked, opts)
  if ok then return self end
  self:close()
  error(err, 0)
end

--- Take up where an earlier supervisor with this state_dir has left off.
-- @local
function Supervisor:remember()
  self.store = require "luvisor.supervisor.store".open(self)
  local state = self.store.state
  for name, scaled in pairs(state.scaled) do
    local service = self.services[name]
    -- It holds until the file says another number.
    if service and service.spec.instances == scaled.from then
      self:restore_scale(service, scaled.to)
    end
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

local last_steps = {
  function(self) if self.store then self.store:flush() end end,
  function(self)
    task.nursery(function(n)
      for name in pairs(self.services) do n:spawn(self.remove, self, name) end
    end)
  end,
  clock.close,
  function(self) self.descendants:close() end,
  function(self) self.sockets:close() end,
  function(self) self.events:close() end,
}

-- If a step fails the others are done all the same.
local function close(self)
  self:shutdown()
  if self.closed then return end
  self.closed = true
  local failure
  for _, step in ipairs(last_steps) do
    local ok, err = pcall(step, self)
    if not ok then failure = failure or err end
  end
  alive[self] = nil
  self.line:wake_all(true)
  if failure then error(failure, 0) end
end

--- Stop all services in order, the dependent ones first, and let go of what the
-- supervisor holds. Waits, and a cancellation does not end that; twice is
-- harmless.
function Supervisor:close()
  if not self.closed then task.shield(close, self) end
end

Supervisor.__close = Supervisor.close

return M
