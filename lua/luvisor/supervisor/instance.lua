--- One instance of a service, as `sup:find(name)` gives them: its record, to be
-- read. (What happens to it is in actions.lua and life.lua, which states follow
-- each other in machine.lua.)
-- @module luvisor.supervisor
-- @type Instance
-- @tfield string name "web", or "worker@2"
-- @tfield string service its name
-- @tfield string state stopped, waiting, starting, running, stopping, backoff,
-- failed or done
-- @tfield ?integer pid of its main process
-- @tfield table facts what it has said of itself when it got ready: captures of
-- the log line, by name or number, and what its ready function returned
-- @tfield integer restarts since luvisor was started
-- @tfield Log log `log:tail(n)` is a list of the last lines, `log:follow()` an
-- iterator of those that come, also for a `<close>` variable

local errors = require "luvisor.error"
local facts = require "luvisor.supervisor.facts"
local health = require "luvisor.supervisor.health"
local machine = require "luvisor.supervisor.machine"
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
-- @local
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
    facts = facts.NONE,
    policy = restart.new(spec.backoff, spec.burst),
  }, Instance)
end

--- Feed an event to the machine.
-- @tparam string name
-- @tparam[opt] table detail reason, by
-- @local
function Instance:event(name, detail)
  self.sup:step(self, name, detail)
end

--- Wait until a condition on it is true; asked again at each change of its
-- state.
-- @tparam function is_so called with the instance
-- @raise Closed: it was taken away
function Instance:wait_until(is_so)
  while not is_so(self) do
    if self.removed then
      errors.raise { kind = "Closed", subject = self.name,
        message = ("%s was taken away"):format(self.name) }
    end
    self.line = self.line or waiters.new "a change of a service"
    self.line:wait()
  end
end

--- It has changed: those who wait look again.
-- @local
function Instance:changed()
  if self.line then self.line:wake_all(true) end
end

--- It is stopped, and its service goes on without it. Waits.
-- @local
function Instance:remove()
  self.removed = true
  self:changed()
  self.log:close()
end

--- Take a changed spec: policy, health and logs from now on, what is executed
-- from the next start on.
-- @local
function Instance:update(spec)
  self.spec, self.due = spec, nil
  self.with = nil
  self.policy:set(spec.backoff, spec.burst)
  self.log:update(spec)
  health.update(self)
end

--- What functions of the configuration get: a copy that cannot do harm.
-- @treturn table name, service, number, state, pid, restarts, facts, last_exit;
-- tail(n), the last lines of its log
function Instance:view()
  local copy = {}
  for key, value in pairs(self.facts) do copy[key] = value end
  return {
    name = self.name, service = self.service, number = self.number,
    state = self.state, pid = self.pid, restarts = self.restarts,
    facts = copy, last_exit = self.exit and tostring(self.exit),
    tail = function(n) return self.log:tail(n or 20) end,
  }
end

local function exit_text(inst)
  if inst.failure then return inst.failure end
  return inst.exit and tostring(inst.exit) or nil
end

-- What is stopped was stopped by somebody, by a policy, or after a success: an
-- end that nobody wanted is a failure.
local function is_well(inst)
  if inst.spec.type == "job" and inst.state == "waiting" then return true end
  return machine.is_up[inst.state] or inst.state == "stopped"
end

-- What it is not ready for, while it starts.
local function reason_of(inst)
  local ready = inst.state == "starting" and inst.spec.ready
  if inst.reason or not ready then return inst.reason end
  local why = inst.ready_error
    or ready.kind == "log" and ("no line fits %q"):format(ready.value)
  return "not ready yet" .. (why and ": " .. why or "")
end

--- What users are shown.
-- @treturn table name, service, state, type, group, pid, since (wall time),
-- uptime (seconds), restarts; exit, code, signal: how it ended last; ready;
-- well: it is as it should be; reason; status_text (STATUS= of sd_notify),
-- wanted ("up", "down"), by_hand, next (wall time of the next start), facts by
-- strings, killed: what did not end by itself
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
    well = is_well(self), reason = reason_of(self),
    status_text = self.status_text,
    wanted = self.wanted, by_hand = self.by_hand or false,
    next = self.next_at, facts = facts.by_name(self), killed = self.killed,
  }
end

return M
