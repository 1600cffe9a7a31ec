--- From the spawn of an instance to the end of the last process of it: one
-- task, told from top to bottom. It alone sends the events that end a life.
-- @module luvisor.supervisor.life

local errors = require "luvisor.error"
local groups = require "luvisor.supervisor.groups"
local health = require "luvisor.supervisor.health"
local hooks = require "luvisor.supervisor.hooks"
local machine = require "luvisor.supervisor.machine"
local notify = require "luvisor.supervisor.notify"
local process = require "luvisor.process"
local ready = require "luvisor.supervisor.ready"
local restart = require "luvisor.supervisor.restart"
local runner = require "luvisor.supervisor.runner"
local spawning = require "luvisor.supervisor.spawning"
local sync = require "luvisor.sync"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local function begin(inst)
  hooks.run(inst, "pre_start")
  if inst.spec.run then
    inst.process = runner.start(inst)
  else
    inst.process = process.spawn(spawning.options(inst))
  end
  inst.pid = inst.process.pid
  inst.sup.descendants:started(inst)
  inst.log:started(inst.process)
end

-- The start of it can be given up by whoever stops it, until it has a process.
local function try_begin(inst)
  if inst.state ~= "starting" then return inst.begun:set() end
  task.nursery(function(n)
    inst.give_up_start = function() n:cancel() end
    local ok, err = pcall(begin, inst)
    if not ok then inst.failure = tostring(err) end
  end)
  inst.give_up_start = nil
  inst.begun:set()
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
    errors.raise { kind = "Timeout",
      message = ("not ready after %g s"):format(limit) }
  end
end

local function become_ready(inst)
  if inst.spec.type == "oneshot" then return end
  local ok, err = pcall(wait_ready, inst)
  if inst.state ~= "starting" then return end
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
  inst.killed = d:stop(inst, inst.spec.stop).killed
end

-- The end of the main process, which may be another than was spawned when the
-- service has said so (MAINPID).
local function wait_main(inst)
  local status = inst.process:wait()
  while inst.main do
    local main = inst.main
    local ended = main:wait()
    if inst.main == main then
      inst.main = nil
      if ended.code or ended.signal then status = ended end
    end
  end
  return status
end

local function supervise(inst)
  task.nursery(function(n)
    n:spawn(become_ready, inst)
    inst.exit = wait_main(inst)
    if inst.state == "stopping" then
      inst.stopper:join()
    else
      sweep(inst)
    end
    n:cancel()
  end)
end

local function why(inst)
  return inst.failure or (inst.exit and tostring(inst.exit)) or "not started"
end

-- A start that failed counts as an end with no code.
local function policy_verdict(inst)
  local status = inst.exit or { code = -1 }
  if inst.failure then status = { code = -1 } end
  return restart.verdict(inst.spec, status, hooks.on_exit(inst, status))
end

local function take_along(inst)
  local group = inst.sup.config.groups[inst.spec.group]
  if not group then return end
  for _, name in ipairs(groups.affected(group, inst.service)) do
    for _, other in ipairs(inst.sup:instances(name)) do
      if machine.has_process[other.state] then
        other.again = true
        other:event("restart", { reason = "with " .. inst.name })
      end
    end
  end
end

local function retry(inst)
  local now = time.now()
  local delay, retry_after = inst.policy:next(now - inst.started_at, now)
  if not delay then
    inst.retry_after = retry_after
    return "failed", ("%s; too many starts"):format(why(inst))
  end
  inst.delay = delay
  inst.restarts = inst.restarts + 1
  take_along(inst)
  return "retry", why(inst)
end

local function verdict(inst)
  if inst.wanted == "down" then return "halted", why(inst) end
  if inst.again then return "again", why(inst) end
  local event = policy_verdict(inst)
  if event == "retry" then return retry(inst) end
  inst.retry_after = false
  return event, why(inst)
end

local function finish(inst)
  inst.ended_at = time.now()
  ready.close(inst)
  inst.sup.descendants:forget(inst)
  hooks.run_or_log(inst, "post_stop")
  local event, reason = verdict(inst)
  inst.process, inst.pid, inst.again = nil, nil, nil
  inst:event(event, { reason = reason })
end

local function live(inst)
  inst.started_at = time.now()
  inst.exit, inst.failure, inst.killed, inst.facts = nil, nil, nil, {}
  inst.status_text, inst.main = nil, nil
  inst.policy:started(inst.started_at)
  try_begin(inst)
  if inst.process then supervise(inst) end
  inst.log:drained()
  finish(inst)
end

--- Start the life of an instance, in a task of its own.
function M.launch(inst)
  inst.begun = sync.event()
  inst.life = task.detached(function()
    local ok, err = xpcall(live, require "luvisor.core.task".keep_traceback,
      inst)
    if ok then return end
    inst.sup:bug(inst, err)
  end)
end

--- Stop all of an instance, in a task of its own: its life goes on when that
-- has ended.
function M.terminate(inst)
  inst.stopper = task.detached(function()
    if inst.give_up_start then inst.give_up_start() end
    inst.begun:wait()
    if not inst.process then return end
    hooks.run_or_log(inst, "pre_stop")
    if inst.process.is_task then
      return inst.process:stop()
    end
    inst.killed = inst.sup.descendants:stop(inst, inst.spec.stop).killed
  end)
end

return M
