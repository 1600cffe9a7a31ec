-- Random requests to a supervisor with real processes: crashing, ignoring TERM,
-- leaving children, in groups, with dependencies. After each the invariants
-- hold, and at the end there is nothing left.
-- LUVISOR_SEED repeats a run, LUVISOR_ROUNDS makes it longer.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local invariants = dofile(SOURCE .. "/tests/support/invariants.lua")
local requests = dofile(SOURCE .. "/tests/support/requests.lua")
local services = dofile(SOURCE .. "/tests/support/services.lua")
local fs = require "luvisor.fs"
local lv = require "luvisor"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

local seed = tonumber(os.getenv "LUVISOR_SEED" or os.time())
local rounds = tonumber(os.getenv "LUVISOR_ROUNDS" or 2)
local mark = services.mark()

local live = { "sleep", mark }
local stubborn = { shell = "trap '' TERM; while :; do sleep " .. mark
  .. "; done" }
local litter = { shell = ("setsid sleep %s & sleep %s & exec sleep 0.02")
  :format(mark, mark) }

local function site(edit)
  local list = {
    db = { command = live },
    web = { command = live, requires = { "db" }, group = "all" },
    app = { command = live, requires = { "web", "init" } },
    init = { command = "true", type = "oneshot" },
    flaky = { command = { shell = "sleep 0.01; exit 3" } },
    litter = { command = litter, restart = "always" },
    needy = { command = live, requires = { "flaky" }, wants = { "litter" } },
    stubborn = { command = stubborn, group = "all" },
    worker = { command = live, instances = 2 },
    blue = { command = live, conflicts = { "green" } },
    green = { command = live, autostart = false },
    job = { command = "true", type = "job", schedule = "every 20ms" },
    hooked = { command = live, hooks = { pre_start = { command = "true" },
                                         pre_stop = { command = "true" } } },
    slow = { command = live, ready = { delay = 0.02 } },
    lua = { run = function() while true do lv.task.sleep(0.01) end end },
  }
  if edit then edit(list) end
  return services.config(list, {
    groups = { all = { strategy = "one_for_all" } },
    defaults = { stop = { grace = 0.05 },
      backoff = { initial = 0.01, max = 0.05 },
      burst = { count = 5, within = 1, retry_after = 0.1 } },
  })
end

local configs = {
  site(), site(function(s) s.web.command = stubborn end),
  site(function(s) s.blue, s.new = nil, { command = litter } end),
  site(function(s) s.db.requires = { "slow" } s.worker.instances = 3 end),
}

-- Who is alive of it, by the session that is an instance's.
local function leaders()
  local count, twice = {}, nil
  for _, entry in ipairs(fs.scandir "/proc") do
    local pid = tonumber(entry.name)
    local stat = pid and require "luvisor.core.proctree".stat(pid)
    if stat and stat.session == pid and stat.state ~= "Z" then
      local file <close> = io.open(("/proc/%d/environ"):format(pid))
      local env = "\0" .. (file and file:read "a" or "") .. "\0"
      local name = env:match "%zLUVISOR_MARK=[^:]*:([^:%z]+):"
      local started = env:match "%zLUVISOR_TEST=([^%z]*)%z"
      if name and started == mark and not name:find("/", 1, true) then
        count[name] = (count[name] or 0) + 1
      end
    end
  end
  for name, n in pairs(count) do
    if n > 1 then twice = ("%s runs %d times"):format(name, n) end
  end
  return twice
end

local restless = { "flaky", "litter", "needy", "job", "new" }

-- Who comes and goes is stopped, also if a configuration on its way brings it.
local function is_at_rest(sup)
  if not invariants.is_quiet(sup) then return false end
  local rests = true
  for _, name in ipairs(restless) do
    local service = sup.services[name]
    for _, inst in ipairs(service and service.instances or {}) do
      if inst.wanted ~= "down" then
        sup:stop(inst.name)
        rests = false
      end
    end
  end
  return rests
end

local function round(number)
  math.randomseed(seed + number)
  for _, one in pairs(configs) do
    one.defaults.env = { LUVISOR_TEST = mark }
  end
  local sup <close> = supervisor.new(configs[1])
  sup.log.write = function() end
  local broken
  local function look(what)
    broken = broken or invariants.broken(sup)
    if broken then error(("after %s: %s"):format(what, broken), 0) end
  end
  sup:start_all()
  local wrong = requests.send(sup, { n = 80, pause = 0.02,
    configs = configs, after = look })
  tap.is(wrong[1], nil, "no error but refusals")
  tap.eventually(function() return is_at_rest(sup) end, 30, "it rests")
  look "all"
  tap.is(leaders(), nil, "nothing runs twice")
  sup:close()
  tap.is(#services.alive(mark), 0, "no process is left")
  services.clean()
end

print("# seed " .. seed)
for number = 1, rounds do
  tap.test("random requests, seed " .. seed + number, function()
    round(number)
  end)
end

tap.done()
