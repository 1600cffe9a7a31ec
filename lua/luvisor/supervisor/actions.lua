--- What the machine does on entering a state: machine.lua names these.
-- Each returns at once; what takes time is a task.
-- @module luvisor.supervisor.actions

local clock = require "luvisor.supervisor.clock"
local core = require "luvisor.core.task"
local cron = require "luvisor.supervisor.cron"
local hooks = require "luvisor.supervisor.hooks"
local life = require "luvisor.supervisor.life"
local order = require "luvisor.supervisor.order"
local time = require "luvisor.time"

local M = {}

local function forget_timer(inst)
  if inst.timer then inst.timer:cancel() end
  inst.timer, inst.next_at = nil, nil
end

-- A timer that was woken just before it is forgotten does nothing.
local function in_time(inst, seconds, fn)
  forget_timer(inst)
  inst.next_at = time.wall() + seconds
  local timer
  timer = core.lasting(function()
    time.sleep(seconds)
    if inst.timer ~= timer then return end
    inst.timer, inst.next_at = nil, nil
    fn(inst)
  end)
  inst.timer = timer
end

local function send_timer(inst)
  inst:event "timer"
end

-- A time that came while it ran is made up for where the schedule says "queue".
local function next_time(inst, now)
  local schedule = inst.spec.schedule
  local last = schedule.overlap == "queue" and inst.last_run or nil
  if schedule.every and inst.last_run and not last then
    return cron.beat(schedule.every, inst.last_run, now)
  end
  return cron.next(schedule, now, last)
end

-- When it is due stays as it is while it waits, so that nothing which happens
-- meanwhile can put it off; a clock that was set back is something else.
local function to_due(inst)
  clock.watch(inst.sup)
  local now, due = time.wall(), inst.due
  if not due or now < due.since then
    due = { since = now, at = next_time(inst, now)
      + inst.spec.schedule.jitter * math.random() }
    inst.due = due
  end
  return due.at - now
end

-- A job goes at its time, or when it is told to.
local function time_left(inst)
  if inst.spec.type ~= "job" or inst.run_now then return 0 end
  if not inst.spec.schedule then return math.huge end
  return to_due(inst)
end

-- Who comes after it must know that it waits for what does not come.
local function note_stuck(inst, stuck)
  if (inst.stuck or false) == stuck then return end
  inst.stuck = stuck or nil
  inst.sup:tell_others(inst)
end

--- waiting: go on as soon as nothing is in the way.
function M.await(inst)
  forget_timer(inst)
  local is_meant = inst.wanted == "up" or inst.run_now
  if inst.sup.closing or not is_meant then return end
  local left = time_left(inst) -- it counts though there is an obstacle
  local obstacle, stuck = order.obstacle(inst)
  note_stuck(inst, stuck)
  if obstacle then
    inst.reason, inst.is_held_up = obstacle, true
    return
  end
  if inst.is_held_up then inst.reason, inst.is_held_up = nil, nil end
  if left == math.huge then return end
  if left > 0 then return in_time(inst, left, M.look_again) end
  inst:event "go"
end

--- Is there still something in the way? After a time, or when the clock was
-- set.
function M.look_again(inst)
  if inst.state ~= "waiting" then return end
  M.await(inst)
  inst.sup:settle()
end

-- Where the schedule says "kill", the next run takes the place of this one.
local function replace_in_time(inst)
  in_time(inst, to_due(inst), function()
    inst.again, inst.run_now = true, true
    inst:event("restart", { reason = "its time has come again" })
  end)
end

-- What one life does not leave to the next: see life.lua for the others.
local function begin_anew(inst)
  inst.run_now, inst.due, inst.again, inst.with = nil, nil, nil, nil
  inst.doomed, inst.delay, inst.retry_after = nil, nil, nil
end

function M.launch(inst)
  forget_timer(inst)
  note_stuck(inst, false)
  begin_anew(inst)
  inst.last_run = time.wall()
  life.launch(inst)
  local schedule = inst.spec.schedule
  if schedule and schedule.overlap == "kill" then replace_in_time(inst) end
end

function M.terminate(inst)
  life.terminate(inst)
end

-- The life of the instance does it.
function M.sweep()
end

function M.announce(inst)
  inst.ready_at = time.now()
end

-- A job's run that is tried again does not wait for its next time.
function M.delay(inst)
  inst.run_now = inst.spec.type == "job" or nil
  in_time(inst, inst.delay, send_timer)
end

function M.give_up(inst)
  forget_timer(inst)
  note_stuck(inst, false)
  if inst.retry_after then in_time(inst, inst.retry_after, send_timer) end
end

function M.reload(inst)
  inst.reloading = core.lasting(hooks.reload, inst)
end

function M.forget(inst)
  forget_timer(inst)
  note_stuck(inst, false)
  inst.due, inst.run_now = nil, nil
end

M.settle = M.forget

return M
