-- Services with real processes: start, crash, restart, stop, dependencies.
local lv = require "luvisor"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

-- Runs fn with a supervisor of these services, and closes it.
local function with(services, fn, more)
  local config = { services = services,
    log = { dir = os.getenv "TMPDIR" .. "/log", level = "error" },
    state_dir = os.getenv "TMPDIR" .. "/state",
    defaults = { stop = { grace = 5 } } }
  for key, value in pairs(more or {}) do config[key] = value end
  local sup = supervisor.new(config)
  local _ <close> = sup
  fn(sup)
  sup:close()
  lv.try(lv.fs.remove, os.getenv "TMPDIR" .. "/log", { recursive = true })
end

local function states(sup)
  local list = {}
  for _, one in ipairs(sup:list()) do list[one.name] = one.state end
  return list
end

tap.test("start waits until it runs, stop until nothing is left", function()
  with({ a = { command = "sleep 100" } }, function(sup)
    is(sup:status("a").state, "stopped")
    sup:start "a"
    local status = sup:status "a"
    is(status.state, "running")
    ok(status.pid > 0)
    sup:stop "a"
    is(sup:status("a").state, "stopped")
    is(sup:status("a").pid, nil)
    is(sup:status("a").exit, "killed by TERM")
  end)
end)

tap.test("what crashes is started again", function()
  with({ a = { command = "sleep 100", backoff = { initial = 0.01 } } },
    function(sup)
      sup:start "a"
      local first = sup:status("a").pid
      sup:signal("a", "KILL")
      sup:find("a")[1]:wait_until(function(inst)
        return inst.state == "running" and inst.pid ~= first
      end)
      is(sup:status("a").restarts, 1)
    end)
end)

tap.test("a burst of crashes ends in failed, and start says why", function()
  with({ a = { command = { shell = "echo no such table >&2; exit 3" },
    ready = { delay = 1 }, backoff = { initial = 0 },
    burst = { count = 3, retry_after = false } } }, function(sup)
    local done, err = pcall(sup.start, sup, "a")
    ok(not done and err:is "Failed")
    is(tostring(err), "a is failed: exited 3; too many starts\n"
      .. "  no such table\n  no such table\n  no such table")
    is(sup:status("a").restarts, 2)
  end)
end)

tap.test("a program that cannot be executed fails the same way", function()
  with({ a = { command = { shell = "true" }, cwd = "/nonexistent",
    burst = { count = 1, retry_after = false } } }, function(sup)
    local _, err = pcall(sup.start, sup, "a")
    ok(tostring(err):find("No such file", 1, true) ~= nil, tostring(err))
  end)
end)

tap.test("start pulls in what is required, and waits for it to be ready",
  function()
    with({
      web = { command = "sleep 100", requires = { "db" } },
      db = { command = "sleep 100", requires = { "disk" },
             ready = { delay = 0.05 } },
      disk = { type = "oneshot", command = "true" },
    }, function(sup)
      sup:start "web"
      is_deeply(states(sup),
        { web = "running", db = "running", disk = "done" })
    end)
  end)

tap.test("dependents stop first and come back with it", function()
  with({
    web = { command = "sleep 100", requires = { "db" } },
    db = { command = "sleep 100", backoff = { initial = 0.01 } },
  }, function(sup)
    sup:start "web"
    local order = {}
    local follower = sup.events:subscribe()
    sup:stop "db"
    is_deeply(states(sup), { web = "waiting", db = "stopped" })
    is(sup:status("web").reason, "waits for db, which is stopped")
    sup:start "db"
    sup:wait("web", "running", 5)
    follower:close()
    for event in follower do order[#order + 1] = event.service .. " " ..
      event.to end
    is_deeply(order, { "web stopping", "web waiting", "db stopping",
      "db stopped", "db waiting", "db starting", "db running", "web starting",
      "web running" })
    local first = sup:status("web").pid
    sup:signal("db", "KILL")
    sup:find("web")[1]:wait_until(function(inst)
      return inst.state == "running" and inst.pid ~= first
    end)
    ok(true, "a crash takes it along and brings it back")
  end)
end)

tap.test("one that waits can be stopped at once", function()
  with({
    web = { command = "sleep 100", requires = { "db" } },
    db = { command = "sleep 100", ready = { delay = 100 } },
  }, function(sup)
    local starter = task.spawn(function()
      pcall(sup.start, sup, "web")
    end)
    sup:find("db")[1]:wait_until(function(i) return i.state == "starting" end)
    sup:stop "web"
    is(sup:status("web").state, "stopped")
    starter:cancel()
  end)
end)

tap.test("a failed requirement is said at once", function()
  with({
    web = { command = "sleep 100", requires = { "db" } },
    db = { command = "false", restart = "never", ready = { delay = 10 } },
  }, function(sup)
    local _, err = pcall(sup.start, sup, "web")
    is(tostring(err), "db is failed: exited 1")
  end)
end)

tap.test("not ready in time: stopped, and tried again as its policy says",
  function()
    with({ a = { command = "sleep 100", ready = { delay = 100, timeout = 0.05 },
      burst = { count = 2, retry_after = false },
      backoff = { initial = 0 } } }, function(sup)
      local _, err = pcall(sup.start, sup, "a")
      is(tostring(err),
        "a is failed: not ready after 0.05 s; too many starts")
    end)
  end)

tap.test("a oneshot is done, and its failure is failed", function()
  with({ good = { type = "oneshot", command = "true" },
         bad = { type = "oneshot", command = "false" } }, function(sup)
    sup:start "good"
    is(sup:status("good").state, "done")
    tap.throws(function() sup:start "bad" end, "bad is failed: exited 1")
  end)
end)

tap.test("descendants: none survives a stop, whatever it does", function()
  local script = [[
    sh -c 'trap "" TERM; echo >$TMPDIR/log/deaf; while :; do sleep 1; done' &
    setsid sleep 1000 &
    (sh -c '(sleep 1001 &)' &)
    exec sleep 1002]]
  with({ a = { command = { shell = script }, stop = { grace = 0.1 } } },
    function(sup)
      sup:start "a"
      local inst = sup:find("a")[1]
      tap.eventually(function()
        return lv.fs.exists(os.getenv "TMPDIR" .. "/log/deaf")
          and #sup.descendants:list(inst) >= 5
      end)
      sup:stop "a"
      is(#sup.descendants:list(inst), 0)
      ok(#sup:status("a").killed >= 1, "what was killed is named")
    end)
end)

tap.test("what a leader leaves is stopped before it is started again",
  function()
    local dir = os.getenv "TMPDIR"
    with({ a = { command = { shell = "setsid sleep 1003 & sleep 0.05" },
      restart = "always", backoff = { initial = 0.01 }, cwd = dir } },
      function(sup)
        sup:start "a"
        local inst = sup:find("a")[1]
        inst:wait_until(function(i) return i.restarts >= 3 end)
        sup:wait("a", "running", 5)
        local names = {}
        for _, one in ipairs(sup.descendants:list(inst)) do
          names[one.name] = (names[one.name] or 0) + 1
        end
        ok((names.sleep or 0) <= 2, "one generation only")
      end)
  end)

tap.test("instances, scale, restart", function()
  with({ w = { command = { shell = "echo $LUVISOR_INSTANCE; exec sleep 100" },
    instances = 2 } }, function(sup)
    sup:start "w"
    is_deeply(states(sup), { ["w@1"] = "running", ["w@2"] = "running" })
    sup:scale("w", 4)
    sup:wait("w", "running", 5)
    is(#sup:list(), 4)
    sup:scale("w", 1)
    is_deeply(states(sup), { ["w@1"] = "running" })
    local pid = sup:status("w").pid
    sup:restart "w"
    ok(sup:status("w").pid ~= pid)
    is(sup:status("w").restarts, 0, "asked for: no crash")
  end)
end)

tap.test("a group is restarted together", function()
  with({
    a = { command = "sleep 100", group = "g", backoff = { initial = 0.01 } },
    b = { command = "sleep 100", group = "g" },
    c = { command = "sleep 100" },
  }, function(sup)
    for _, name in ipairs { "a", "b", "c" } do sup:start(name) end
    local b, c = sup:status("b").pid, sup:status("c").pid
    sup:signal("a", "KILL")
    sup:find("b")[1]:wait_until(function(inst)
      return inst.state == "running" and inst.pid ~= b
    end)
    sup:wait("a", "running", 5)
    is(sup:status("c").pid, c, "who is in no group is left alone")
  end, { groups = { g = { strategy = "one_for_all" } } })
end)

tap.test("a job runs at its times, and when it is told to", function()
  with({ j = { type = "job", command = "true", schedule = "every 1h" } },
    function(sup)
      sup:start "j"
      is(sup:status("j").state, "waiting")
      ok(sup:status("j").next > os.time() + 3500)
      local runs = 0
      local follower = sup.events:subscribe()
      sup:run_job "j"
      for event in follower do
        if event.to == "starting" then runs = runs + 1 end
        if event.to == "waiting" and runs > 0 then break end
      end
      follower:close()
      is(runs, 1)
      is(sup:status("j").exit, "exited 0")
    end)
end)

local function starts_of(sup, name, n)
  local pids, follower = {}, sup.events:subscribe()
  sup:start(name)
  for event in follower do
    if event.to == "running" then pids[#pids + 1] = event.pid end
    if #pids == n then break end
  end
  follower:close()
  return pids
end

tap.test("a job that outlasts its period: skip waits for the next beat, kill "
  .. "puts the next run in its place", function()
  local function job(overlap)
    return { type = "job", command = "sleep 100", stop = { grace = 1 },
             schedule = { every = "50ms", overlap = overlap } }
  end
  with({ kill = job "kill" }, function(sup)
    local pids = starts_of(sup, "kill", 3)
    ok(pids[1] ~= pids[2] and pids[2] ~= pids[3])
  end)
  with({ skip = { type = "job", command = "sleep 0.12", schedule = {
    every = "50ms" } } }, function(sup)
    is(#starts_of(sup, "skip", 3), 3)
  end)
end)

tap.test("a service that is a Lua function", function()
  local turns = 0
  with({ f = { run = function()
    while true do
      turns = turns + 1
      task.sleep(0.001)
    end
  end } }, function(sup)
    sup:start "f"
    tap.eventually(function() return turns > 3 end)
    sup:stop "f"
    local now = turns
    task.sleep(0.01)
    is(turns, now)
  end)
end)

tap.test("apply: the least change, and nothing that was stopped by hand",
  function()
    local function config(services)
      return { services = services, log = { dir = os.getenv "TMPDIR" .. "/log",
        level = "error" }, state_dir = os.getenv "TMPDIR" .. "/state" }
    end
    with({
      same = { command = "sleep 100" }, gone = { command = "sleep 100" },
      live = { command = "sleep 100" }, other = { command = "sleep 100" },
      hand = { command = "sleep 100" },
    }, function(sup)
      sup:start_all()
      for _, one in ipairs(sup:list()) do sup:wait(one.name, "running", 5) end
      sup:stop "hand"
      local before = {}
      for _, one in ipairs(sup:list()) do before[one.name] = one.pid end
      local new = config {
        same = { command = "sleep 100", stop = { grace = 5 } },
        live = { command = "sleep 100", backoff = { max = 1 } },
        other = { command = "sleep 101" }, new = { command = "sleep 100" },
        hand = { command = "sleep 102" },
      }
      new.defaults = { stop = { grace = 5 } }
      local plan = {}
      for _, step in ipairs(sup:plan(new)) do
        plan[step.service] = step.action
      end
      is_deeply(plan, { gone = "stop", live = "update", other = "restart",
        new = "start", hand = "restart" })
      sup:apply(new)
      sup:wait("other", "running", 5)
      sup:wait("new", "running", 5)
      is(sup:status("same").pid, before.same)
      is(sup:status("live").pid, before.live)
      ok(sup:status("other").pid ~= before.other)
      is(sup:status("hand").state, "stopped")
      tap.throws(function() sup:status "gone" end, "no service")
    end)
  end)

tap.test("a bad configuration changes nothing", function()
  with({ a = { command = "sleep 100" } }, function(sup)
    sup:start "a"
    local pid = sup:status("a").pid
    tap.throws(function()
      sup:apply { services = { a = { comand = "x" } } }
    end, "comand")
    is(sup:status("a").pid, pid)
  end)
end)

tap.test("closing stops all, the dependent ones first", function()
  local order = {}
  with({
    c = { command = "sleep 100", requires = { "b" } },
    b = { command = "sleep 100", requires = { "a" } },
    a = { command = "sleep 100" },
  }, function(sup)
    sup:start "c"
    local follower = sup.events:subscribe()
    sup:close()
    for event in follower do
      if event.to == "stopped" then order[#order + 1] = event.service end
    end
  end)
  is_deeply(order, { "c", "b", "a" })
end)

tap.done()
