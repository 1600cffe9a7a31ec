-- What users of other supervisors suffer from, each a test named after the
-- place where it was told of. docs/reference/pains.md has all of them, also
-- those that are tested elsewhere.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local config = require "luvisor.supervisor.config"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

fakes.begin(true)

local function with(services, fn, more)
  local all = { services = services, log = { dir = "/nonexistent" },
                state_dir = "/nonexistent",
                defaults = { backoff = { initial = 0.001, jitter = 0 } } }
  for key, value in pairs(more or {}) do all[key] = value end
  local sup <close> = supervisor.new(all)
  sup.log.write = function() end
  fn(sup)
  sup:close()
  is(next(fakes.alive), nil, "none is left")
end

local function inst(sup, name)
  return sup:find(name)[1]
end

local function starts_of(sup, name)
  local n = 0
  for _, event in ipairs(sup.events:last()) do
    if event.service == name and event.to == "starting" then n = n + 1 end
  end
  return n
end

local function alive(name)
  local n = 0
  for p in pairs(fakes.alive) do n = n + (p.name == name and 1 or 0) end
  return n
end

tap.test("supervisord#1285: what ends at once is no endless storm", function()
  with({ a = { command = "quit", restart = "always",
    backoff = { initial = 0 }, burst = { count = 7, retry_after = false } } },
    function(sup)
      sup:start("a", { wait = false })
      sup:wait("a", "failed", 20)
      is(starts_of(sup, "a"), 7)
    end)
end)

tap.test("supervisord#1310: it may as well be tried for ever", function()
  with({ a = { command = "missing", burst = { count = 1000000 },
    backoff = { max = 0.001 } } }, function(sup)
    sup:start("a", { wait = false })
    inst(sup, "a"):wait_until(function(i) return i.restarts > 50 end)
  end)
end)

tap.test("supervisord 3.2.0: a wall clock that jumps neither holds up a "
  .. "restart nor hastens it", function()
  local wall = time.wall
  with({ a = { command = "missing", backoff = { initial = 1000 } },
         b = { command = "missing", burst = { count = 4 },
               backoff = { initial = 0.01 } } }, function(sup)
    sup:start("a", { wait = false })
    sup:wait("a", "backoff", 20)
    time.wall = function() return wall() + 86400 end
    sup:start("b", { wait = false })
    inst(sup, "b"):wait_until(function(i) return i.restarts >= 1 end)
    time.wall = function() return wall() - 86400 end
    sup:wait("b", "failed", 20)
    is(starts_of(sup, "a"), 1)
    is(sup:status("a").state, "backoff")
  end)
  time.wall = wall
end)

tap.test("supervisord: code 2 is a failure, until success_codes names it",
  function()
    with({ a = { command = "live" },
           b = { command = "live", success_codes = { 0, 2 } } }, function(sup)
      sup:start "a"
      sup:start "b"
      inst(sup, "a").process:finish { code = 2 }
      inst(sup, "b").process:finish { code = 2 }
      sup:wait("b", "stopped", 20)
      inst(sup, "a"):wait_until(function(i) return i.restarts == 1 end)
    end)
  end)

tap.test("supervisord: ; and % and $ are characters as others", function()
  fakes.finish()
  local c = config.check_table { services = {
    a = { command = [[sh -c "a; b %d $HOME %(x)s"]],
          env = { A = "$PATH;%n" } } } }
  is_deeply(c.services.a.command, { "sh", "-c", "a; b %d $HOME %(x)s" })
  is(c.services.a.env.A, "$PATH;%n")
  fakes.begin(true)
end)

tap.test("supervisord: the configuration is not looked for in the current "
  .. "folder", function()
  local path = config.find()
  ok(path:sub(1, 1) == "/" and not path:find(os.getenv "TMPDIR", 1, true), path)
end)

tap.test("supervisord: who reads events slowly loses none silently, and holds "
  .. "up nobody", function()
  with({ a = { command = "live" } }, function(sup)
    local follower <close> = sup.events:subscribe()
    for i = 1, 10100 do sup.events:emit("test", { n = i }) end
    sup:start "a"
    local got, gap = 0, nil
    repeat
      local event = follower:next()
      if event.type == "gap" then gap = event.lost end
      got = got + 1
    until gap
    ok(gap >= 100 and got == 10001, gap .. " are said to be lost")
  end)
end)

tap.test("systemd#18856: dependents come back when what they require does, "
  .. "also after it has failed", function()
  with({ db = { command = "missing",
                burst = { count = 1, retry_after = 0.01 } },
         web = { command = "live", requires = { "db" } },
         app = { command = "live", requires = { "web" } } }, function(sup)
    tap.throws(function() sup:start "app" end, "db is failed")
    is(sup:status("app").state, "waiting")
    inst(sup, "db").spec.command[1] = "live"
    sup:wait("app", "running", 20)
    inst(sup, "db").process:finish { code = 1 }
    inst(sup, "app"):wait_until(function(i) return i.state ~= "running" end)
    sup:wait("app", "running", 20)
  end)
end)

tap.test("systemd#4263: what is to be up comes up, in whatever order it is "
  .. "asked for", function()
  with({ a = { command = "live", requires = { "b" } },
         b = { command = "live", requires = { "c" } },
         c = { command = "live" } }, function(sup)
    for _, name in ipairs { "a", "c", "b" } do
      sup:start(name, { wait = false })
    end
    for _, name in ipairs { "a", "b", "c" } do sup:wait(name, "running", 20) end
  end)
end)

tap.test("systemd#43813: the delay begins anew after a good run", function()
  with({ a = { command = "live", backoff = { initial = 0.2, factor = 100,
    max = 1000, reset_after = 0.05 }, burst = { count = 100 } } },
    function(sup)
      sup:start "a"
      inst(sup, "a").process:finish { code = 1 }
      inst(sup, "a"):wait_until(function(i) return i.restarts == 1 end)
      sup:wait("a", "running", 20)
      task.sleep(0.06)
      inst(sup, "a").process:finish { code = 1 }
      inst(sup, "a"):wait_until(function(i) return i.restarts == 2 end)
      sup:wait("a", "running", 15)
    end)
end)

tap.test("s6#38: each change says why, and who has asked for it", function()
  with({ a = { command = "live" } }, function(sup)
    sup:start("a", { by = "anna" })
    inst(sup, "a").process:finish { signal = "KILL" }
    inst(sup, "a"):wait_until(function(i) return i.restarts == 1 end)
    sup:stop("a", { by = "ben" })
    local told = {}
    for _, event in ipairs(sup.events:last()) do
      told[#told + 1] = ("%s %s %s"):format(event.to, event.reason or "-",
        event.by or "-")
    end
    local text = table.concat(told, "; ")
    for _, one in ipairs { "waiting %- anna", "backoff killed by KILL %-",
                           "stopp%a+ %- ben" } do
      ok(text:find(one), one .. " in " .. text)
    end
  end)
end)

tap.test("s6: a restart may be at once", function()
  with({ a = { command = "live", backoff = { initial = 0 } } }, function(sup)
    sup:start "a"
    local before = time.now()
    for i = 1, 4 do
      inst(sup, "a").process:finish { code = 1 }
      inst(sup, "a"):wait_until(function(one) return one.restarts == i end)
      sup:wait("a", "running", 20)
    end
    ok(time.now() - before < 20)
  end)
end)

tap.test("s6-overlay#452: each service has a time limit of its own", function()
  with({ fast = { command = "live", ready = { delay = 1000, timeout = 0.01 },
                  burst = { count = 1, retry_after = false } },
         slow = { command = "live", ready = { delay = 1000 } } },
    function(sup)
      sup:start("slow", { wait = false })
      tap.throws(function() sup:start "fast" end, "not ready after 0.01 s")
      is(sup:status("slow").state, "starting")
    end)
end)

tap.test("circus#935: a stop during a long start is heard at once", function()
  with({ a = { command = "live", ready = { delay = 1000 } },
         b = { command = "live", hooks = { pre_start = { timeout = 1000,
           fn = function() task.sleep(1000) end } } } }, function(sup)
    sup:start("a", { wait = false })
    sup:start("b", { wait = false })
    sup:wait("a", "starting", 20)
    sup:stop("a", { wait = 20 })
    sup:stop("b", { wait = 20 })
    is(sup:status("b").state, "stopped")
  end)
end)

tap.test("circus#386: fifty are removed at once", function()
  with({ w = { command = "live", instances = 50 } }, function(sup)
    sup:start "w"
    sup:scale("w", 0)
    is(#sup:list(), 0)
    is(alive "w@1", 0)
  end)
end)

tap.test("circus#658: nothing is started between TERM and KILL", function()
  with({ a = { command = "live" } }, function(sup)
    local stop = sup.descendants.stop
    local release = require "luvisor.sync".event()
    sup.descendants.stop = function(...)
      release:wait()
      return stop(...)
    end
    sup:start "a"
    sup:stop("a", { wait = false })
    for _ = 1, 5 do sup:start("a", { wait = false }) end
    task.checkpoint()
    is(sup:status("a").state, "stopping")
    is(alive "a", 1)
    release:set()
    sup:wait("a", "running", 20)
    is(alive "a", 1)
    is(starts_of(sup, "a"), 2)
    is(sup:status("a").restarts, 0, "that was no crash")
  end)
end)

tap.test("process-compose#530: a restart of one that waits for its dependency "
  .. "neither wedges nor doubles it", function()
  with({ db = { command = "live", ready = { delay = 0.03 } },
         web = { command = "live", requires = { "db" } } }, function(sup)
    sup:start("web", { wait = false })
    is(sup:status("web").state, "waiting")
    for _ = 1, 3 do sup:restart("web", { wait = false }) end
    is(sup:status("web").state, "waiting")
    sup:wait("web", "running", 20)
    is(starts_of(sup, "web"), 1)
    is(alive "web", 1)
    sup:stop "web"
    is(sup:status("web").state, "stopped")
  end)
end)

tap.test("process-compose#347: ten restarts at once make one process",
  function()
    with({ a = { command = "live" } }, function(sup)
      sup:start "a"
      task.nursery(function(n)
        for _ = 1, 10 do n:spawn(sup.restart, sup, "a") end
      end)
      is(sup:status("a").state, "running")
      is(alive "a", 1)
    end)
  end)

tap.test("process-compose#258: a stop and a start at once: the later counts",
  function()
    with({ a = { command = "live" }, b = { command = "live",
      requires = { "a" } } }, function(sup)
      sup:start "b"
      local _, err = pcall(task.nursery, function(n)
        n:spawn(sup.stop, sup, "a")
        task.checkpoint()
        n:spawn(sup.start, sup, "b")
      end)
      ok(err == nil or tostring(err):find "meanwhile", tostring(err))
      sup:wait("b", "running", 20)
      is(sup:status("a").by_hand, false)
    end)
  end)

tap.test("dinit#249: what requires a service that crashes again and again is "
  .. "started no oftener than that", function()
  with({ db = { command = "live", burst = { count = 100 } },
         web = { command = "live", requires = { "db" } } }, function(sup)
    sup:start "web"
    for i = 1, 10 do
      inst(sup, "db").process:finish { code = 1 }
      inst(sup, "db"):wait_until(function(one) return one.restarts == i end)
      sup:wait("web", "running", 20)
    end
    ok(starts_of(sup, "web") <= starts_of(sup, "db"))
    is(sup:status("web").restarts, 0)
  end)
end)

tap.test("dinit#314: a restart of what is stopped starts it", function()
  with({ a = { command = "live" } }, function(sup)
    sup:restart "a"
    is(sup:status("a").state, "running")
  end)
end)

tap.test("what only orders holds up nobody: after something that waits for "
  .. "what does not come", function()
  with({ x = { command = "live" },
         db = { command = "live", requires = { "x" } },
         web = { command = "live", after = { "db" } } }, function(sup)
    sup:start "web"
    sup:stop "web"
    sup:start "db"
    sup:stop "x"
    is(sup:status("db").state, "waiting")
    sup:start("web", { wait = 20 })
    is(sup:status("web").state, "running")
  end)
end)

tap.test("what cannot run beside another: one start changes them over, and "
  .. "back", function()
  with({ blue = { command = "live", conflicts = { "green" } },
         green = { command = "live" } }, function(sup)
    for _ = 1, 2 do
      sup:start "blue"
      is(sup:status("green").state, "stopped")
      sup:start "green"
      is(sup:status("blue").state, "stopped", "though only that one says so")
    end
  end)
end)

tap.test("who stops waiting for a stop has asked for it all the same",
  function()
    with({ db = { command = "live" },
           web = { command = "live", requires = { "db" }, hooks = {
             pre_stop = { timeout = 1000, fn = function()
               task.sleep(0.02)
             end } } } }, function(sup)
      sup:start "web"
      tap.throws(function() sup:stop("db", { wait = 0 }) end, "Timeout")
      sup:wait("db", "stopped", 20)
      sup:start "web"
      is(sup:status("db").state, "running")
    end)
  end)

tap.test("each wait ends with the supervisor, and with the service", function()
  with({ a = { command = "live", ready = { delay = 1000 } } }, function(sup)
    local waiter = task.spawn(function()
      return pcall(sup.wait, sup, "a", "failed")
    end)
    task.checkpoint()
    sup:close()
    local done, err = waiter:join()
    ok(not done and tostring(err):find "taken away", tostring(err))
  end)
end)

fakes.finish()
task.checkpoint()

tap.done()
