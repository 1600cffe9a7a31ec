-- From one configuration to another: what is restarted, what is not, and what
-- happens when that comes at a bad time. The processes are none.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

fakes.begin(true)

local function config(services, more)
  local all = { services = services, log = { dir = "/nonexistent" },
                state_dir = "/nonexistent",
                defaults = { backoff = { initial = 0.001 } } }
  for key, value in pairs(more or {}) do all[key] = value end
  return all
end

local function with(services, fn, more)
  local sup <close> = supervisor.new(config(services, more))
  sup.log.write = function() end
  sup:start_all()
  for _, one in ipairs(sup:list()) do
    local inst = sup:find(one.name)[1]
    if one.wanted == "up" and inst.spec.command[1] == "live" then
      sup:wait(one.name, "running", 20)
    end
  end
  fn(sup)
  sup:close()
  is(next(fakes.alive), nil, "none is left")
end

local function live(more)
  local spec = { command = "live" }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

local function pids(sup)
  local list = {}
  for _, one in ipairs(sup:list()) do list[one.name] = one.pid end
  return list
end

local function steps_of(list)
  local texts = {}
  for i, step in ipairs(list) do
    texts[i] = ("%s %s %s"):format(step.action, step.service,
      table.concat(step.keys or {}, " ")):gsub(" $", "")
  end
  table.sort(texts)
  return texts
end

tap.test("the same again is nothing to do", function()
  with({ a = live(), b = live { requires = { "a" } } }, function(sup)
    local before = pids(sup)
    is_deeply(sup:apply(config { a = live(), b = live { requires = { "a" } } }),
      {})
    is_deeply(pids(sup), before)
  end)
end)

local changes = { -- key, another value, is it felt without a restart?
  { "backoff", { initial = 1 }, true }, { "burst", { count = 9 }, true },
  { "restart", "always", true }, { "stop", { grace = 3 }, true },
  { "health", { command = { "true" }, interval = 1000 }, true },
  { "log", { keep = 9 }, true }, { "success_codes", { 3 }, true },
  { "reload", { signal = "USR1" }, true }, { "after", { "x" }, true },
  { "wants", { "x" }, true }, { "group", "g", true },
  { "autostart", false, true }, { "requires", { "x" }, true },
  { "hooks", { pre_stop = { command = { "true" } } }, true },
  { "command", { "live", "on" } }, { "env", { A = "1" } }, { "cwd", "/" },
  { "umask", "077" }, { "nice", 3 }, { "limits", { nofile = 99 } },
  { "oom_score_adj", 3 }, { "no_new_privs", true }, { "stdin", "inherit" },
}

tap.test("a change of what is executed restarts, of the rest it does not",
  function()
    for _, change in ipairs(changes) do
      local key, value, is_live = table.unpack(change, 1, 3)
      with({ a = live(), x = live() }, function(sup)
        local before = pids(sup)
        local new = config { a = live { [key] = value }, x = live() }
        is_deeply(steps_of(sup:plan(new)),
          { (is_live and "update a " or "restart a ") .. key })
        sup:apply(new)
        sup:wait("a", "running", 20)
        is(sup:status("a").pid == before.a, is_live == true, key)
        is(sup:status("x").pid, before.x)
        is_deeply(sup:plan(new), {}, "and nothing is left to do")
      end)
    end
  end)

tap.test("removed is stopped, new is started, renamed is both", function()
  with({ old = live(), same = live() }, function(sup)
    local before = pids(sup)
    sup:apply(config { new = live(), same = live() })
    sup:wait("new", "running", 20)
    is(sup:status("same").pid, before.same)
    tap.throws(function() sup:status "old" end, "no service")
    is(#sup:list(), 2)
  end)
end)

tap.test("what is new and does not start by itself is not started", function()
  with({ a = live() }, function(sup)
    sup:apply(config { a = live(), b = live { autostart = false } })
    is(sup:status("b").state, "stopped")
  end)
end)

tap.test("an error: nothing changes, not even a part", function()
  with({ a = live() }, function(sup)
    local before = pids(sup)
    tap.throws(function()
      sup:apply(config { a = live { env = { A = "1" } },
                         b = live { requires = { "nobody" } } })
    end, "ConfigError")
    is_deeply(pids(sup), before)
    is(#sup:list(), 1)
    is_deeply(sup:plan(config { a = live() }), {})
  end)
end)

tap.test("what was stopped by hand stays so, changed or not", function()
  with({ a = live(), b = live(), c = live { requires = { "b" } } },
    function(sup)
      sup:stop "a"
      sup:stop "b"
      sup:apply(config { a = live { env = { A = "1" } }, b = live(),
                         c = live { requires = { "b" }, env = { A = "1" } } })
      is(sup:status("a").state, "stopped")
      is(sup:status("b").state, "stopped", "nor as a requirement")
      is(sup:status("c").state, "waiting")
      ok(sup:status("a").by_hand and sup:status("b").by_hand)
      sup:start "b"
      sup:wait("c", "running", 20)
    end)
end)

tap.test("one instance that was stopped by hand stays so", function()
  local function both(env)
    return { w = live { instances = 2, env = env } }
  end
  with(both(), function(sup)
    sup:stop "w@2"
    sup:apply(config(both { A = "1" }))
    sup:wait("w@1", "running", 20)
    is(sup:status("w@2").state, "stopped")
  end)
end)

tap.test("what a removed one required goes on; what required it does not wait",
  function()
    with({ db = live(), web = live { requires = { "db" } } }, function(sup)
      local before = pids(sup)
      sup:apply(config { web = live() })
      is(sup:status("web").pid, before.web, "it requires it no more")
    end)
  end)

tap.test("removed together: dependents first", function()
  with({ a = live(), b = live { requires = { "a" } },
         c = live { requires = { "b" } } }, function(sup)
    local follower, list = sup.events:subscribe(), {}
    sup:apply(config { x = live() })
    follower:close()
    for event in follower do
      if event.to == "stopped" then list[#list + 1] = event.service end
    end
    is(table.concat(list, " "), "c b a")
  end)
end)

tap.test("a dependency that is restarted takes its dependents along, once",
  function()
    with({ db = live(), web = live { requires = { "db" } } }, function(sup)
      local before = pids(sup)
      sup:apply(config { db = live { env = { A = "1" } },
                         web = live { requires = { "db" } } })
      sup:wait("web", "running", 20)
      ok(sup:status("web").pid ~= before.web)
      is(sup:status("web").restarts, 0)
    end)
  end)

tap.test("a new requirement is started, and what requires it runs on",
  function()
    with({ web = live() }, function(sup)
      local before = pids(sup)
      sup:apply(config { web = live { requires = { "db" } }, db = live() })
      sup:wait("db", "running", 20)
      is(sup:status("web").pid, before.web)
    end)
  end)

tap.test("a new requirement that is stopped by hand: it waits for that",
  function()
    with({ web = live(), db = live() }, function(sup)
      sup:stop "db"
      sup:apply(config { web = live { requires = { "db" } }, db = live() })
      sup:wait("web", "waiting", 20)
      is(sup:status("web").reason, "waits for db, which is stopped")
    end)
  end)

tap.test("a requirement that is no more: who waited for it starts", function()
  with({ web = live { requires = { "db" } }, db = live() }, function(sup)
    sup:stop "db"
    is(sup:status("web").state, "waiting")
    sup:apply(config { web = live(), db = live() })
    sup:wait("web", "running", 20)
  end)
end)

tap.test("what conflicts with a removed one starts when that has gone",
  function()
    local release = require "luvisor.sync".event()
    with({ old = live(), new = live { conflicts = { "old" },
      autostart = false } }, function(sup)
      local stop = sup.descendants.stop
      sup.descendants.stop = function(d, inst, how)
        if inst.name == "old" then release:wait() end
        return stop(d, inst, how)
      end
      local apply = task.spawn(function()
        sup:apply(config { new = live { autostart = false } })
      end)
      task.checkpoint()
      task.checkpoint()
      sup:start("new", { wait = false })
      is(sup:status("new").state, "waiting")
      release:set()
      apply:join()
      sup:wait("new", "running", 20)
    end)
  end)

tap.test("instances: more, fewer, a number instead of none, and back",
  function()
    local function count(n)
      return config { w = live { instances = n } }
    end
    with({ w = live { instances = 2 } }, function(sup)
      local before = pids(sup)
      sup:apply(count(4))
      sup:wait("w", "running", 20)
      is(#sup:list(), 4)
      sup:apply(count(1))
      is_deeply(pids(sup), { ["w@1"] = before["w@1"] })
      sup:apply(count(nil))
      sup:wait("w", "running", 20)
      is_deeply({ sup:list()[1].name, #sup:list() }, { "w", 1 })
      sup:apply(count(3))
      sup:wait("w", "running", 20)
      is(#sup:list(), 3)
      sup:apply(count(0))
      is(#sup:list(), 0)
      tap.throws(function() sup:status "w" end, "w has no instances")
      sup:start "w"
      sup:stop "w"
      sup:restart "w"
    end)
  end)

tap.test("scale holds until the file says another number", function()
  local function count(n, env)
    return config { w = live { instances = n, env = env } }
  end
  with({ w = live { instances = 1 } }, function(sup)
    sup:scale("w", 3)
    sup:apply(count(1))
    is(#sup:list(), 3)
    sup:apply(count(1, { A = "1" }))
    sup:wait("w", "running", 20)
    is(#sup:list(), 3, "over a restart, too")
    sup:apply(count(2, { A = "1" }))
    is(#sup:list(), 2)
  end)
end)

tap.test("groups: another strategy counts from now on", function()
  local services = { a = live { group = "g" }, b = live { group = "g" } }
  with(services, function(sup)
    local before = pids(sup)
    is_deeply(steps_of(sup:apply(config(services,
      { groups = { g = { strategy = "one_for_all" } } }))),
      { "update a group", "update b group" })
    is_deeply(pids(sup), before)
    sup:find("a")[1].process:finish { code = 1 }
    sup:find("b")[1]:wait_until(function(i)
      return i.pid and i.pid ~= before.b
    end)
  end)
end)

tap.test("during a start that takes its time: it is given up and made anew",
  function()
    local function slow(env)
      return { a = live { ready = { delay = 1000 }, env = env } }
    end
    with({ b = live() }, function(sup)
      sup:apply(config(slow()))
      sup:wait("a", "starting", 20)
      local before = sup:status("a").pid
      sup:apply(config(slow { A = "1" }))
      sup:find("a")[1]:wait_until(function(i)
        return i.pid and i.pid ~= before
      end)
    end)
  end)

tap.test("during a backoff: the next start is of the new kind", function()
  with({ a = { command = "missing", backoff = { initial = 1000 } } },
    function(sup)
      sup:wait("a", "backoff", 20)
      sup:apply(config { a = live() })
      sup:wait("a", "running", 20)
    end)
end)

tap.test("after it has failed: it is tried again", function()
  with({ a = { command = "missing", burst = { count = 1,
    retry_after = false } } }, function(sup)
    sup:wait("a", "failed", 20)
    sup:apply(config { a = live() })
    sup:wait("a", "running", 20)
  end)
end)

tap.test("during another apply: refused in words", function()
  with({ a = live { hooks = { pre_stop = { timeout = 1000,
    fn = function() task.sleep(0.05) end } } } }, function(sup)
    local first = task.spawn(function()
      sup:apply(config { a = live { env = { A = "1" } } })
    end)
    task.checkpoint()
    tap.throws(function() sup:apply(config { a = live() }) end,
      "another apply is under way")
    first:join()
    sup:wait("a", "running", 20)
  end)
end)

tap.test("one who waits for it leaves: it is done all the same", function()
  with({ a = live { hooks = { pre_stop = { timeout = 1000,
    fn = function() task.sleep(0.02) end } } } }, function(sup)
    task.move_on(0, function()
      sup:apply(config { a = live { env = { A = "1" } }, b = live() })
    end)
    sup:find("a")[1]:wait_until(function(i) return i.spec.env.A end)
    tap.eventually(function() return not sup.applying end, 20)
    sup:wait("a", "running", 20)
    sup:wait("b", "running", 20)
  end)
end)

tap.test("who starts by hand what is being changed gets it as it will be",
  function()
    with({ a = live { hooks = { pre_stop = { timeout = 1000,
      fn = function() task.sleep(0.02) end } } }, b = live() }, function(sup)
      sup:stop "b"
      local apply = task.spawn(function()
        sup:apply(config { a = live { env = { A = "1" } },
                           b = live { env = { A = "1" } } })
      end)
      task.checkpoint()
      sup:start "b"
      apply:join()
      sup:wait("b", "running", 20)
      is(sup:find("b")[1].spec.env.A, "1")
    end)
  end)

tap.test("a function whose variables have changed is another", function()
  local function with_code(code)
    return { a = live { on_exit = function(_, status)
      return status.code == code and "stop" or nil
    end } }
  end
  with(with_code(1), function(sup)
    is_deeply(steps_of(sup:plan(config(with_code(2)))), { "update a on_exit" })
    is_deeply(sup:plan(config(with_code(1))), {})
    sup:apply(config(with_code(2)))
    sup:find("a")[1].process:finish { code = 2 }
    sup:wait("a", "stopped", 20)
  end)
end)

fakes.finish()
task.checkpoint()

tap.done()
