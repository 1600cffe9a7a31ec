--- The life of a service as data: machine[state][event] = {next state, action}.
-- An event missing from a row is refused if a user sent it, and a bug if we
-- did. `step` is the only place that assigns a state.
--
-- A state says what there is: no process in stopped, waiting, backoff, failed
-- and done; one instance of it in starting, running and stopping. What comes
-- after an end is decided before the event is sent (restart.lua), so that the
-- table says it in words: halted, retry, again, failed, finished.
-- @module luvisor.supervisor.machine

local errors = require "luvisor.error"

local M = {}

-- How an instance with a process may end.
local ends = {
  halted = { "stopped", "settle" },
  retry = { "backoff", "delay" },
  again = { "waiting", "await" },
  failed = { "failed", "give_up" },
  finished = { "done", "settle" },
}

local function with_ends(row)
  for event, entry in pairs(ends) do row[event] = entry end
  return row
end

M.table = {
  stopped = {
    start = { "waiting", "await" },
    stop = { "stopped" },
  },
  waiting = { -- for what it requires; a job: for its time
    go = { "starting", "launch" },
    start = { "waiting", "await" },
    stop = { "stopped", "forget" },
    lost = { "waiting", "await" },
    restart = { "waiting", "await" },
    escalate = { "failed", "give_up" },
  },
  starting = with_ends {
    ready = { "running", "announce" },
    unready = { "stopping", "terminate" },
    exit = { "stopping", "sweep" },
    start = { "starting" },
    stop = { "stopping", "terminate" },
    lost = { "stopping", "terminate" },
    restart = { "stopping", "terminate" },
    escalate = { "stopping", "terminate" },
  },
  running = with_ends {
    unhealthy = { "stopping", "terminate" },
    exit = { "stopping", "sweep" },
    reload = { "running", "reload" },
    start = { "running" },
    stop = { "stopping", "terminate" },
    lost = { "stopping", "terminate" },
    restart = { "stopping", "terminate" },
    escalate = { "stopping", "terminate" },
  },
  stopping = with_ends {
    start = { "stopping" },
    stop = { "stopping" },
    lost = { "stopping" },
    restart = { "stopping" },
    unhealthy = { "stopping" },
    unready = { "stopping" },
    exit = { "stopping" },
    escalate = { "stopping" },
  },
  backoff = {
    timer = { "waiting", "await" },
    start = { "waiting", "await" },
    restart = { "waiting", "await" },
    stop = { "stopped", "forget" },
    lost = { "waiting", "await" },
    escalate = { "failed", "give_up" },
  },
  failed = {
    timer = { "waiting", "await" },
    start = { "waiting", "await" },
    restart = { "waiting", "await" },
    stop = { "stopped", "forget" },
    lost = { "failed" },
    escalate = { "failed", "give_up" },
  },
  done = {
    start = { "done" },
    restart = { "waiting", "await" },
    stop = { "stopped", "forget" },
    lost = { "done" },
  },
}

--- The states in which there may be processes of the instance.
M.has_process = { starting = true, running = true, stopping = true }

--- The states that satisfy what requires the service.
M.is_up = { running = true, done = true }

--- The states that nothing leaves by itself, or only after a time.
M.is_settled = {
  stopped = true, failed = true, done = true, running = true, backoff = true,
}

--- The events that users send.
M.is_request = { start = true, stop = true, restart = true, reload = true }

local function refuse(inst, event)
  if M.is_request[event] then
    errors.raise {
      kind = "Closed",
      message = ("%s: cannot %s a service that is %s"):format(inst.name, event,
        inst.state),
    }
  end
  error(("bug: %s: %s while %s"):format(inst.name, event, inst.state), 3)
end

--- Feed an event: look it up, set the state, tell, act.
-- @tparam Instance inst
-- @tparam string event
-- @tparam table actions functions by name, called with inst and detail
-- @tparam function tell called with inst, the state it left, event and detail
-- when the state has changed
-- @param[opt] detail reason and who asked, for tell and the action
-- @raise Closed when a request has no meaning in this state
function M.step(inst, event, actions, tell, detail)
  local entry = M.table[inst.state][event] or refuse(inst, event)
  local from, to, action = inst.state, entry[1], entry[2]
  inst.state = to
  if to ~= from then tell(inst, from, event, detail) end
  if action then actions[action](inst, detail) end
end

return M
