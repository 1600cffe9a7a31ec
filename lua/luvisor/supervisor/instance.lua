--- One instance of a service: its record. What happens to it is in actions.lua
-- and life.lua, which states follow each other in machine.lua.
-- @module luvisor.supervisor.instance

local health = require "luvisor.supervisor.health"
local restart = require "luvisor.supervisor.restart"
local time = require "luvisor.time"
local waiters = require "luvisor.waiters"

local M = {}

local Instance = {}
Instance.__index = Instance
Instance.__name = "luvisor.supervisor.instance"

--- Make the record of an instance that is stopped.
-- @tparam Supervisor sup
-- @tparam table spec of its service
-- @tparam[opt] integer number of the instance, if the service has several
function M.new(sup, spec, number)
  return setmetatable({
    sup = sup,
    spec = spec,
    service = spec.name,
    number = number,
    name = number and ("%s@%d"):format(spec.name, number) or spec.name,
    state = "stopped",
    since = time.wall(),
    wanted = "down", -- what somebody asked for
    restarts = 0,
    facts = {},
    policy = restart.new(spec.backoff, spec.burst),
    line = waiters.new "a change of a service",
  }, Instance)
end

--- Feed an event to the machine.
-- @tparam string name
-- @tparam[opt] table detail reason, by
function Instance:event(name, detail)
  self.sup:step(self, name, detail)
end

--- Wait until a condition on it is true; asked again at each change.
-- @tparam function is_so called with the instance
function Instance:wait_until(is_so)
  while not is_so(self) do self.line:wait() end
end

--- It has changed: those who wait look again.
function Instance:changed()
  self.line:wake_all(true)
end

--- Take a changed spec: policy, health and logs from now on, what is executed
-- from the next start on.
function Instance:update(spec)
  self.spec = spec
  self.policy:set(spec.backoff, spec.burst)
  self.log:update(spec)
  health.update(self)
end

--- What functions of the configuration get: a copy that cannot do harm.
-- @treturn table name, service, number, state, pid, restarts, facts, last_exit;
-- tail(n), the last lines of its log
function Instance:view()
  local facts = {}
  for key, value in pairs(self.facts) do facts[key] = value end
  return {
    name = self.name, service = self.service, number = self.number,
    state = self.state, pid = self.pid, restarts = self.restarts,
    facts = facts, last_exit = self.exit and tostring(self.exit),
    tail = function(n) return self.log:tail(n or 20) end,
  }
end

local function exit_text(inst)
  if inst.failure then return inst.failure end
  return inst.exit and tostring(inst.exit) or nil
end

--- What users are shown.
-- @treturn table
function Instance:status()
  local exit = self.exit or {}
  local up = self.state == "running"
  return {
    name = self.name, service = self.service, state = self.state,
    type = self.spec.type, group = self.spec.group,
    pid = self.pid, since = self.since,
    uptime = up and time.now() - self.started_at or nil,
    restarts = self.restarts, exit = exit_text(self), code = exit.code,
    signal = exit.signal, ready = up or self.state == "done",
    reason = self.reason, status_text = self.status_text,
    wanted = self.wanted, by_hand = self.by_hand or false,
    next = self.next_at, facts = self.facts, killed = self.killed,
  }
end

return M
