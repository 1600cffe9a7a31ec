--- What is asked of a supervisor. A request waits until it is so, and raises an
-- error that says why it is not.
-- @module luvisor.supervisor
-- @type Supervisor
-- @tfield Events events what happens

local configs = require "luvisor.supervisor.config"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local order = require "luvisor.supervisor.order"
local plans = require "luvisor.supervisor.plan"
local processtree = require "luvisor.supervisor.processtree"
local task = require "luvisor.task"

local M = {}

-- The configuration to go over to: the file again, or what is given.
local function next_config(sup, config)
  if type(config) == "table" then return configs.check_table(config) end
  return configs.load(config or sup.config.path)
end

--- What `apply` would do.
-- @param[opt] config a file's name or a table; the file that was read
-- @treturn {table,...} action, service, keys; starts: false for what stays
-- stopped
-- @raise ConfigError with all errors
function M:plan(config)
  return plans.of(self, next_config(self, config))
end

--- Read the configuration again and do the least that makes it so. What was
-- stopped by hand stays so; if there is an error, nothing changes. Returns when
-- what had to be stopped has stopped, and what had to be started is starting;
-- it is done though who waits for it leaves.
-- @param[opt] config a file's name or a table; the file that was read
-- @treturn {table,...} the steps that were taken
-- @raise ConfigError with all errors; Busy: another is under way; Closed
function M:apply(config)
  self:check_open()
  if self.applying then
    errors.raise { kind = "Busy", message = "another apply is under way" }
  end
  self.applying = true
  local work
  local _ <close> = setmetatable({}, { __close = function()
    if not work then self.applying = nil end
  end })
  local checked = next_config(self, config)
  self:check_open()
  work = core.lasting(function()
    local ok, result = pcall(plans.apply, self, checked)
    self.applying = nil
    return ok, result
  end)
  local ok, result = work:join()
  if not ok then error(result, 0) end
  return result
end

--- What users are shown of a service, or of one instance.
-- @treturn table of the first instance
-- @raise UsageError: no such one, or it has no instances
function M:status(name)
  local list = self:find(name)
  if not list[1] then errors.usage("%s has no instances", name) end
  return list[1]:status()
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

--- The services in the order in which they start, with all their processes.
-- @treturn {table,...} service, group, requires, wants, after; instances: their
-- statuses, each with processes: pid, ppid, name, main
function M:tree()
  return processtree.of(self)
end

--- Write down what must survive, if this supervisor is to remember.
function M:save()
  if self.store then self.store:save() end
end

-- Those that start by themselves and were not stopped by hand.
local function to_start(sup, name)
  local list = {}
  for _, inst in ipairs(sup:instances(name)) do
    local is_meant = inst.spec.autostart and not inst.by_hand
    if is_meant then list[#list + 1] = inst end
  end
  return list
end

--- Start what is to start by itself and was not stopped by hand, and what that
-- requires. Does not wait.
function M:start_all()
  for _, name in ipairs(self.graph:order()) do
    local list = to_start(self, name)
    if #list > 0 then
      self:bring_up(self.services[name], list, { reason = "autostart" })
    end
  end
end

local is_pending = { waiting = true, backoff = true }

local function is_down(inst)
  return order.is_gone(inst) and not is_pending[inst.state]
end

-- In reverse order: each when what comes after it is down.
local function stop_in_order(sup, inst)
  for _, name in ipairs(sup.graph:followers(inst.service)) do
    for _, other in ipairs(sup:instances(name)) do
      other:wait_until(is_down)
    end
  end
  inst.again, inst.leaving = nil, nil
  inst:event("stop", { reason = "shutdown" })
  inst:wait_until(is_down)
end

--- Stop all, in the reverse of their order; nothing is started any more. Waits.
function M:shutdown()
  self.closing = true
  local all = self:all_instances()
  for _, inst in ipairs(all) do inst.wanted = "down" end
  task.nursery(function(n)
    for _, inst in ipairs(all) do n:spawn(stop_in_order, self, inst) end
  end)
end

return M
