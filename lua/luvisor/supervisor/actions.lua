--- What the machine does on entering a state: machine.lua names these.
-- Each returns at once; what takes time is a task.
-- @module luvisor.supervisor.actions

local cron = require "luvisor.supervisor.cron"
local hooks = require "luvisor.supervisor.hooks"
local life = require "luvisor.supervisor.life"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local function forget_timer(inst)
  if inst.timer then inst.timer:cancel() end
  inst.timer, inst.next_at = nil, nil
end

local function after(inst, seconds, event)
  forget_timer(inst)
  inst.next_at = time.wall() + seconds
  inst.timer = task.detached(function()
    time.sleep(seconds)
    inst.timer, inst.next_at = nil, nil
    inst:event(event)
  end)
end

-- Seconds to the next time of a job's schedule. A time that came while it ran
-- is made up for where the schedule says "queue".
local function to_next_time(inst)
  local schedule, now = inst.spec.schedule, time.wall()
  local last = schedule.overlap == "queue" and inst.last_run or nil
  local at = cron.next(schedule, now, last)
  if schedule.every and inst.last_run and not last then
    at = cron.beat(schedule.every, inst.last_run, now)
  end
  return at - now + schedule.jitter * math.random()
end

-- A job goes at its time, or when it is told to.
local function time_left(inst)
  if inst.spec.type ~= "job" or inst.run_now then return 0 end
  if not inst.spec.schedule then return math.huge end
  return to_next_time(inst)
end

--- waiting: go on as soon as nothing is in the way.
function M.await(inst)
  forget_timer(inst)
  local obstacle = inst.sup:obstacle(inst)
  if obstacle then
    inst.reason = obstacle
    return
  end
  local left = time_left(inst)
  if left == math.huge then return end
  if left > 0 then return after(inst, left, "go") end
  inst:event "go"
end

-- Where the schedule says "kill", the next run takes the place of this one.
local function replace_in_time(inst)
  local this, seconds = inst.life, to_next_time(inst)
  inst.next_at = time.wall() + seconds
  inst.timer = task.detached(function()
    time.sleep(seconds)
    if inst.life ~= this then return end
    inst.timer, inst.next_at = nil, nil
    inst.again, inst.run_now = true, true
    inst:event("restart", { reason = "its time has come again" })
  end)
end

function M.launch(inst)
  forget_timer(inst)
  inst.run_now = nil
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

function M.delay(inst)
  after(inst, inst.delay, "timer")
end

function M.give_up(inst)
  forget_timer(inst)
  if inst.retry_after then after(inst, inst.retry_after, "timer") end
end

function M.reload(inst)
  task.detached(hooks.reload, inst)
end

M.forget = forget_timer
M.settle = forget_timer

return M
