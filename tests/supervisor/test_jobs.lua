-- Jobs: when they run, and what happens when the clock, what they require or
-- somebody comes between. The processes are none, and the clock is ours.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local is, ok = tap.is, tap.ok

fakes.begin(true)

local wall = time.wall
local offset = 0 -- by which the clock was set

time.wall = function() return wall() + offset end

local function with(services, fn)
  local sup <close> = supervisor.new {
    services = services, log = { dir = "/nonexistent" },
    state_dir = "/nonexistent",
    defaults = { backoff = { initial = 0.001 } },
  }
  sup.log.write = function() end
  fn(sup)
  sup:close()
  offset = 0
end

local function job(more)
  local spec = { type = "job", command = "quit", schedule = "every 1h" }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

local function inst(sup, name)
  return sup:find(name)[1]
end

-- How often a service has been started.
local function runs_of(sup, name)
  local n = 0
  for _, event in ipairs(sup.events:last()) do
    if event.service == name and event.to == "starting" then n = n + 1 end
  end
  return n
end

local function waits_again(sup, name, runs)
  tap.eventually(function()
    return runs_of(sup, name) >= runs and inst(sup, name).state == "waiting"
  end, 20)
end

local function due_in(sup, name)
  return sup:status(name).next - time.wall()
end

local function is_near(got, expected, name)
  ok(math.abs(got - expected) < 30, ("%s: %g"):format(name or "", got))
end

tap.test("a job waits for its time, and is not run at the start", function()
  with({ j = job() }, function(sup)
    sup:start "j"
    is(sup:status("j").state, "waiting")
    is(runs_of(sup, "j"), 0)
    is_near(due_in(sup, "j"), 3600)
  end)
end)

tap.test("run-job runs it now; its time stays as it was", function()
  with({ j = job() }, function(sup)
    sup:start "j"
    sup:run_job "j"
    waits_again(sup, "j", 1)
    is_near(due_in(sup, "j"), 3600)
  end)
end)

tap.test("run-job of one that was stopped by hand: it is stopped again",
  function()
    with({ j = job() }, function(sup)
      sup:start "j"
      sup:stop "j"
      sup:run_job "j"
      tap.eventually(function()
        return runs_of(sup, "j") == 1 and sup:status("j").state == "stopped"
      end, 20)
      ok(sup:status("j").by_hand)
    end)
  end)

tap.test("run-job of no job is refused", function()
  with({ a = { command = "live" } }, function(sup)
    tap.throws(function() sup:run_job "a" end, "a is no job but a daemon")
  end)
end)

tap.test("what comes before or after it in any order puts no run off",
  function()
    with({ j = job { after = { "db" } }, db = { command = "live" } },
      function(sup)
        sup:start "db"
        sup:start "j"
        local at = sup:status("j").next
        for _ = 1, 5 do sup:restart "db" end
        is_near(sup:status("j").next, at)
        ok(math.abs(inst(sup, "j").due.at - at) < 1, "the very same time")
      end)
  end)

tap.test("a run whose requirement is down is made up once it is back",
  function()
    with({ j = job { requires = { "db" } }, db = { command = "live" } },
      function(sup)
        sup:start "j"
        sup:stop "db"
        is(sup:status("j").reason, "waits for db, which is stopped")
        offset = 2 * 3600 + 60
        sup:start "db"
        waits_again(sup, "j", 1)
        is(runs_of(sup, "j"), 1, "once, though it was missed twice")
      end)
  end)

tap.test("the clock is set back: the next run is a period away, not more",
  function()
    with({ j = job() }, function(sup)
      sup:start "j"
      offset = -86400
      sup:look_again(inst(sup, "j"))
      is_near(due_in(sup, "j"), 3600)
      is(runs_of(sup, "j"), 0, "and none is made at once")
    end)
  end)

tap.test("the clock is set forward: one run is made up, no storm", function()
  with({ j = job() }, function(sup)
    sup:start "j"
    offset = 30 * 86400
    sup:look_again(inst(sup, "j"))
    waits_again(sup, "j", 1)
    is(runs_of(sup, "j"), 1)
    is_near(due_in(sup, "j"), 3600)
  end)
end)

tap.test("the clock is set back while it runs", function()
  with({ j = job { command = "live" } }, function(sup)
    sup:start "j"
    sup:run_job "j"
    tap.eventually(function() return inst(sup, "j").state == "running" end, 20)
    offset = -3 * 86400
    inst(sup, "j").process:finish { code = 0 }
    waits_again(sup, "j", 1)
    is_near(due_in(sup, "j"), 3600)
  end)
end)

tap.test("the kernel is asked to tell when the clock is set; who waits for it "
  .. "can be cancelled", function()
  local clock <close> = require "luvisor.core.clockset".open()
  is(task.move_on(0.01, clock.wait, clock), false)
  local waiter = task.spawn(function() return clock:wait() end)
  task.checkpoint()
  tap.throws(function() clock:wait() end, "Busy")
  clock:close()
  is(waiter:join(), false, "closed")
  is(clock:wait(), false)
end)

tap.test("clocks that are set again and again make no run", function()
  with({ j = job() }, function(sup)
    sup:start "j"
    for i = 1, 50 do
      offset = -60 * (i % 7)
      sup:look_again(inst(sup, "j"))
    end
    is(runs_of(sup, "j"), 0)
    ok(due_in(sup, "j") <= 3630)
  end)
end)

-- Runs one that lives on, beyond its next time.
local function outlast(overlap, fn)
  with({ j = job { command = "live",
    schedule = { every = "1h", overlap = overlap } } }, function(sup)
    sup:start "j"
    sup:run_job "j"
    tap.eventually(function() return inst(sup, "j").state == "running" end, 20)
    offset = 3600 + 1800
    fn(sup)
  end)
end

tap.test("overlap = skip: the run that was due meanwhile is left out",
  function()
    outlast("skip", function(sup)
      inst(sup, "j").process:finish { code = 0 }
      waits_again(sup, "j", 1)
      is(runs_of(sup, "j"), 1)
      is_near(due_in(sup, "j"), 1800, "the next beat")
    end)
  end)

tap.test("overlap = queue: it is made up for at once, once", function()
  outlast("queue", function(sup)
    inst(sup, "j").process:finish { code = 0 }
    tap.eventually(function()
      return runs_of(sup, "j") == 2 and inst(sup, "j").state == "running"
    end, 20)
    inst(sup, "j").process:finish { code = 0 }
    waits_again(sup, "j", 2)
    is(runs_of(sup, "j"), 2)
  end)
end)

tap.test("overlap = kill: the next run takes the place of this one", function()
  with({ j = job { command = "live",
    schedule = { every = "20ms", overlap = "kill" } } }, function(sup)
    sup:start "j"
    tap.eventually(function() return runs_of(sup, "j") >= 3 end, 20)
    sup:stop "j"
    local runs = runs_of(sup, "j")
    task.sleep(0.05)
    is(runs_of(sup, "j"), runs, "a stop ends that, too")
  end)
end)

tap.test("jitter makes it later, never earlier, by at most so much", function()
  with({ j = job { schedule = { every = "1h", jitter = "30m" } } },
    function(sup)
      for _ = 1, 20 do
        sup:start "j"
        local left = due_in(sup, "j")
        ok(left > 3570 and left < 5430, "after " .. left)
        sup:stop "j"
      end
    end)
end)

tap.test("a failed run is no failure of the job: it runs at its next time",
  function()
    with({ j = job { command = "crash" } }, function(sup)
      sup:start "j"
      sup:run_job "j"
      waits_again(sup, "j", 1)
      is(sup:status("j").exit, "exited 7")
    end)
  end)

tap.test("restart = on-failure: a failed run is tried again first", function()
  with({ j = job { command = "crash", restart = "on-failure",
    burst = { count = 3, retry_after = false } } }, function(sup)
    sup:start "j"
    sup:run_job "j"
    tap.eventually(function() return inst(sup, "j").state == "failed" end, 20)
    is(runs_of(sup, "j"), 3)
  end)
end)

tap.test("its runs are no storm, however many there are", function()
  with({ j = job { restart = "on-failure",
    burst = { count = 2, within = 1000 } } }, function(sup)
    sup:start "j"
    for i = 1, 5 do
      sup:run_job "j"
      waits_again(sup, "j", i)
    end
    inst(sup, "j").spec.command[1] = "crash"
    sup:run_job "j"
    inst(sup, "j"):wait_until(function(i) return i.restarts == 1 end)
  end)
end)

tap.test("without a schedule it runs when it is told to", function()
  with({ j = { type = "job", command = "quit" } }, function(sup)
    sup:start "j"
    is(sup:status("j").next, nil)
    sup:run_job "j"
    waits_again(sup, "j", 1)
  end)
end)

tap.test("another schedule counts from its apply on", function()
  local function config(every)
    return { services = { j = job { schedule = every } },
             log = { dir = "/nonexistent" }, state_dir = "/nonexistent" }
  end
  local sup <close> = supervisor.new(config "every 1h")
  sup:start "j"
  sup:apply(config "every 2h")
  is_near(due_in(sup, "j"), 7200)
  sup:close()
end)

tap.test("a oneshot is done once, and again when it is restarted", function()
  with({ o = { type = "oneshot", command = "quit" },
         a = { command = "live", requires = { "o" } } }, function(sup)
    sup:start "a"
    is(sup:status("o").state, "done")
    sup:start "o"
    is(runs_of(sup, "o"), 1, "what is done is done")
    sup:restart "o"
    is(runs_of(sup, "o"), 2)
    sup:wait("a", "running", 20)
    is(runs_of(sup, "a"), 2, "what requires it was started anew")
  end)
end)

time.wall = wall
fakes.finish()
task.checkpoint()

tap.done()
