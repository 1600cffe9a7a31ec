--- From the spawn of an instance to the end of the last process of it: one
-- task, told from top to bottom. It alone sends the events that end a life.
-- @module luvisor.supervisor.life

local companions = require "luvisor.supervisor.companions"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local facts = require "luvisor.supervisor.facts"
local health = require "luvisor.supervisor.health"
local hooks = require "luvisor.supervisor.hooks"
local notify = require "luvisor.supervisor.notify"
local ready = require "luvisor.supervisor.ready"
local restart = require "luvisor.supervisor.restart"
local runner = require "luvisor.supervisor.runner"
local spawning = require "luvisor.supervisor.spawning"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local function begin(inst)
  hooks.run(inst, "pre_start")
  if inst.spec.run then
    inst.process = runner.start(inst)
  else
    local _ <close> = spawning.claim()
    inst.process = spawning.start(inst)
  end
  inst.pid = inst.process.pid
  inst.sup.descendants:started(inst)
  inst.log:started(inst.process)
  ready.started(inst)
end

local function has_begun(inst)
  return inst.begun
end

local function begun(inst)
  inst.begun = true
  inst:changed()
end

-- The start of it can be given up by whoever stops it, until it has a process.
local function try_begin(inst)
  if inst.state ~= "starting" then return begun(inst) end
  task.nursery(function(n)
    inst.give_up_start = function() n:cancel() end
    local ok, err = pcall(begin, inst)
    if not ok then inst.failure = tostring(err) end
  end)
  inst.give_up_start = nil
  begun(inst)
end

local function limit_of(inst)
  return inst.spec.ready_timeout or math.huge
end

-- A limit that the service itself may extend (EXTEND_TIMEOUT_USEC).
local function wait_ready(inst)
  local limit = limit_of(inst)
  inst.ready_until = time.now() + limit
  if limit == math.huge then return ready.wait(inst) end
  local done
  task.nursery(function(n)
    n:spawn(function()
      ready.wait(inst)
      done = true
      n:cancel()
    end)
    while time.now() < inst.ready_until do
      time.sleep(inst.ready_until - time.now())
    end
    n:cancel()
  end)
  if not done then
    local last = inst.ready_error and ": " .. inst.ready_error or ""
    errors.raise { kind = "Timeout",
      message = ("not ready after %g s%s"):format(limit, last) }
  end
end

-- A oneshot is ready when it has ended.
local function limit_run(inst)
  task.sleep(limit_of(inst))
  if inst.state ~= "starting" then return end
  inst.failure = ("not done after %g s"):format(limit_of(inst))
  inst:event("unready", { reason = inst.failure })
end

local function become_ready(inst)
  if inst.spec.type == "oneshot" then return limit_run(inst) end
  local ok, err = pcall(wait_ready, inst)
  local has_ended = inst.process.status and not inst.main
  if inst.state ~= "starting" or (not ok and has_ended) then return end
  if not ok then
    inst.failure = tostring(err)
    inst:event("unready", { reason = inst.failure })
    return
  end
  inst:event("ready")
  hooks.run_or_log(inst, "post_start")
  task.nursery(function(n)
    n:spawn(notify.watch, inst)
    health.run(inst)
  end)
end

-- What the leader left when it ended by itself is stopped the same way as all.
local function sweep(inst)
  local d = inst.sup.descendants
  if not d:any(inst) then return end
  inst:event("exit", { reason = tostring(inst.exit) })
  inst.has_left = true
  inst.killed = d:stop(inst, inst.spec.stop).killed
end

-- The end of a process, unless another becomes the main one before.
local function wait_one(inst, main)
  local which, status = task.race(
    function() return (main or inst.process):wait() end,
    function() inst:wait_until(function() return inst.main ~= main end) end)
  return which == 1 and status or nil
end

-- The end of the main process, which may be another than was spawned when the
-- service has said so (MAINPID). Nobody knows how one ended that was no child
-- of ours: then the one that was spawned counts, if it has ended.
local function wait_main(inst)
  if not inst.notify then return inst.process:wait() end
  local status
  repeat
    status = wait_one(inst, inst.main)
  until status
  if status.code or status.signal then return status end
  return inst.process.status or status
end

-- Whoever was told to stop it has to be done with it: nobody may be left who
-- would stop its next life.
local function join_stoppers(inst)
  while inst.stopper do
    local stopper = inst.stopper
    inst.stopper = nil
    stopper:join()
  end
end

local function wait_for_end(inst)
  inst.exit = wait_main(inst)
  if inst.state ~= "stopping" then sweep(inst) end
  join_stoppers(inst)
end

-- Most services are as ready as they get once they run, and are then left to
-- themselves.
local function is_plain(spec)
  if spec.type == "oneshot" then return not spec.ready_timeout end
  return not (spec.ready or spec.health or spec.watchdog
    or spec.hooks.post_start)
end

local function supervise(inst)
  if is_plain(inst.spec) then
    local is_ready = inst.spec.type ~= "oneshot" and inst.state == "starting"
    if is_ready then inst:event "ready" end
    return wait_for_end(inst)
  end
  task.nursery(function(n)
    n:spawn(become_ready, inst)
    wait_for_end(inst)
    n:cancel()
  end)
end

-- What goes to the background as daemons once did ends well, and is not meant
-- to have ended.
local function looks_forking(inst)
  return inst.has_left and inst.spec.type == "daemon"
    and restart.is_success(inst.spec, inst.exit)
end

local function why(inst)
  local text = inst.failure or (inst.exit and tostring(inst.exit))
    or "not started"
  if inst.failure or not looks_forking(inst) then return text end
  return text .. "; what it had started was stopped with it: it must stay in "
    .. "the foreground"
end

local function why_stopped(inst)
  if not inst.gives_way_to then return why(inst) end
  return ("%s; conflicts with %s"):format(why(inst), inst.gives_way_to)
end

-- What somebody has asked for goes before the policy. nil: nobody has.
local function asked(inst)
  if inst.wanted == "down" then return "halted", why_stopped(inst) end
  if inst.doomed then return "failed", inst.doomed.reason end
  if inst.again then return "again", why(inst) end
  return nil
end

local function fail(inst, reason, retry_after)
  inst.retry_after = retry_after
  return "failed", ("%s; %s"):format(why(inst), reason)
end

-- How long it has run well: what was never ready is not forgiven for the time
-- that it took.
local function lived(inst, now)
  local counts = inst.ready_at or inst.spec.type == "oneshot"
  return counts and now - inst.started_at or 0
end

local function retry(inst)
  local now = time.now()
  local delay, retry_after = inst.policy:next(lived(inst, now), now)
  if not delay then
    companions.fail_with(inst, retry_after)
    return fail(inst, "too many starts", retry_after)
  end
  local reason, group_retry_after = companions.escalate(inst, now)
  if reason then return fail(inst, reason, group_retry_after) end
  inst.delay = delay
  inst.restarts = inst.restarts + 1
  companions.take_along(inst)
  return "retry", why(inst)
end

-- A start that failed counts as an end with no code. on_exit may wait, so that
-- something may be asked for meanwhile.
local function verdict(inst)
  local event, reason = asked(inst)
  if event then return event, reason end
  local status = not inst.failure and inst.exit or { code = -1 }
  local answer = hooks.on_exit(inst, status)
  join_stoppers(inst)
  event, reason = asked(inst)
  if event then return event, reason end
  event = restart.verdict(inst.spec, status, answer)
  if event == "retry" then return retry(inst) end
  if event == "again" then inst.policy:forgive() end -- a job has run
  inst.retry_after = false
  return event, why(inst)
end

local function finish(inst)
  inst.ended_at, inst.is_over = time.now(), true
  ready.close(inst)
  inst.sup.descendants:forget(inst)
  hooks.run_or_log(inst, "post_stop")
  join_stoppers(inst)
  local event, reason = verdict(inst)
  inst.process, inst.pid, inst.again = nil, nil, nil
  inst:event(event, { reason = reason })
end

local function live(inst)
  inst.started_at = time.now()
  inst.exit, inst.failure, inst.killed, inst.facts = nil, nil, nil, facts.NONE
  inst.status_text, inst.main, inst.is_over = nil, nil, nil
  inst.has_left, inst.gives_way_to, inst.ready_at = nil, nil, nil
  inst.policy:started(inst.started_at)
  try_begin(inst)
  if inst.process then supervise(inst) end
  inst.log:drained()
  finish(inst)
end

local function live_or_say_why(inst)
  local ok, err = xpcall(live, core.keep_traceback, inst)
  if not ok then inst.sup:bug(inst, err) end
end

--- Start the life of an instance, in a task of its own.
function M.launch(inst)
  inst.begun = false
  inst.life = core.lasting(live_or_say_why, inst)
end

local function stop(inst)
  if inst.give_up_start then inst.give_up_start() end
  inst:wait_until(has_begun)
  if inst.is_over or not inst.process then return end
  hooks.run_or_log(inst, "pre_stop")
  if inst.process.is_task then return inst.process:stop() end
  inst.killed = inst.sup.descendants:stop(inst, inst.spec.stop).killed
end

--- Stop all of an instance, in a task of its own: its life goes on when that
-- has ended.
function M.terminate(inst)
  inst.stopper = core.lasting(stop, inst)
end

return M
