-- Random requests to a supervisor whose services have no processes: many
-- thousands of changes, and after each the invariants hold.
-- LUVISOR_SEED repeats a run, LUVISOR_ROUNDS makes it longer.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local invariants = dofile(SOURCE .. "/tests/support/invariants.lua")
local requests = dofile(SOURCE .. "/tests/support/requests.lua")
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local seed = tonumber(os.getenv "LUVISOR_SEED" or os.time())
local rounds = tonumber(os.getenv "LUVISOR_ROUNDS" or 12)

local function pause()
  task.sleep(math.random() * 0.003)
end

local function hook(fn)
  return { fn = fn, timeout = 1 }
end

local answers = { "restart", "stop", "fail" } -- and none

local function site()
  return {
    db = { command = "live" },
    web = { command = "live", requires = { "db" }, group = "all" },
    app = { command = "live", requires = { "web", "init" } },
    init = { command = "quit", type = "oneshot" },
    flaky = { command = "crash", restart = "always" },
    brief = { command = "quit", wants = { "flaky" }, restart = "always" },
    needy = { command = "live", requires = { "flaky" } },
    after = { command = "live", after = { "needy" } },
    stubborn = { command = "stubborn", group = "all" },
    third = { command = "live", group = "all" },
    first = { command = "live", group = "rest" },
    second = { command = "crash", group = "rest" },
    last = { command = "live", group = "rest", instances = 2 },
    worker = { command = "live", instances = 2, requires = { "db" } },
    blue = { command = "live", conflicts = { "green" } },
    green = { command = "live", autostart = false },
    job = { command = "quit", type = "job", schedule = "every 3ms" },
    late = { command = "live", type = "job", requires = { "web" },
             schedule = { every = "2ms", overlap = "kill" } },
    gone = { command = "missing" },
    slow = { command = "live", ready = { delay = 0.002 }, group = "all" },
    late_ready = { command = "live", ready = { delay = 1, timeout = 0.003 } },
    hooked = { command = "crash", requires = { "slow" }, hooks = {
      pre_start = hook(pause), pre_stop = hook(pause), post_stop = hook(pause),
      post_start = hook(pause) } },
    picky = { command = "crash", on_exit = function()
      pause()
      return answers[math.random(4)]
    end },
    lua = { run = function()
      pause()
      if math.random() < 0.5 then error "no" end
      task.sleep(1)
    end },
    sick = { command = "live", health = { interval = 0.002, failures = 1,
      timeout = 1, fn = function() return math.random() < 0.8 end } },
  }
end

local function config(edit)
  local services = site()
  if edit then edit(services) end
  return {
    services = services, state_dir = "/nonexistent",
    log = { dir = "/nonexistent", level = "error" },
    groups = { all = { strategy = "one_for_all" },
      rest = { strategy = "rest_for_one",
               burst = { count = 4, within = "20ms", retry_after = "5ms" } } },
    defaults = { backoff = { initial = 0.001, max = 0.004 },
      burst = { count = 5, within = "30ms", retry_after = "6ms" },
      stop = { grace = 0.01 } },
  }
end

local configs = {
  config(), config(), config(function(s) s.web.command = "stubborn" end),
  config(function(s) s.third, s.new = nil, { command = "live" } end),
  config(function(s) s.db.requires = { "blue" } end),
  config(function(s) s.worker.instances = 3 s.last.instances = nil end),
  config(function(s) s.web.requires = nil s.needy.after = { "job" } end),
}

local function quiet_supervisor()
  local sup = supervisor.new(configs[1])
  sup.log.write = function() end
  return sup
end

local restless = { gone = true, needy = true, late_ready = true, sick = true,
                   hooked = true, picky = true, lua = true }

local function stop_what_never_rests(sup)
  for name, service in pairs(sup.services) do
    local never = service.spec.type == "job" or service.spec.restart == "always"
      or service.spec.group == "rest" or restless[name]
    if never then sup:stop(name, { wait = false }) end
  end
end

local function tell(sup)
  for _, event in ipairs(sup.events:last(30)) do
    print("#", event.type, event.service, event.from, event.to, event.event,
      event.reason)
  end
end

local function round(number)
  math.randomseed(seed + number)
  local sup <close> = quiet_supervisor()
  local broken
  local function look(what)
    broken = broken or invariants.broken(sup)
    if broken then
      tell(sup)
      error(("after %s: %s"):format(what, broken), 0)
    end
  end
  sup:start_all()
  local wrong = requests.send(sup, { n = 150, pause = 0.002,
    configs = configs, after = look })
  tap.is(wrong[1], nil, "no error but refusals")
  stop_what_never_rests(sup)
  local rests = tap.eventually(function() return invariants.is_quiet(sup) end,
    20, "it rests")
  if not rests then tell(sup) end
  look "all"
  local alive, up = 0, 0
  for _ in pairs(fakes.alive) do alive = alive + 1 end
  for _, one in ipairs(sup:list()) do
    if one.state == "running" then up = up + 1 end
  end
  tap.is(alive, up, "as many processes as run")
  sup:close()
  tap.is(next(fakes.alive), nil, "none is left")
end

fakes.begin()
print("# seed " .. seed)
for number = 1, rounds do
  tap.test("random requests, seed " .. seed + number, function()
    round(number)
  end)
end
print(("# %d starts"):format(fakes.starts))
fakes.finish()
task.checkpoint()

tap.done()
