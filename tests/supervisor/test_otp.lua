-- What Erlang's supervisors promise, by the cases of its supervisor_SUITE.
-- permanent, transient, temporary are restart = always, on-failure, never; a
-- normal end is code 0, an abnormal one another or a signal. The processes are
-- none: the test ends them.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

fakes.begin(true)

-- Calls fn with a supervisor of a, b and c, all of which run, in a group of
-- this strategy; `edit` may change the services, `group` the group.
local function with(opts, fn)
  local services = {}
  for _, name in ipairs(opts.names or { "a", "b", "c" }) do
    services[name] = { command = "live", group = "g",
                       restart = opts.restart or "always" }
    for key, value in pairs(opts[name] or {}) do services[name][key] = value end
  end
  local sup <close> = supervisor.new {
    services = services, log = { dir = "/nonexistent" },
    state_dir = "/nonexistent",
    groups = { g = { strategy = opts.strategy, burst = opts.group_burst } },
    defaults = { backoff = { initial = 0.001, jitter = 0 },
      burst = opts.burst or { count = 100, retry_after = false } },
  }
  sup.log.write = function() end
  for _, one in ipairs(sup:list()) do sup:start(one.name) end
  fn(sup)
  sup:close()
  is(next(fakes.alive), nil, "none is left")
end

local function inst(sup, name)
  return sup:find(name)[1]
end

local function finish(sup, name, status)
  inst(sup, name).process:finish(status)
end

-- Waits until all of them are in a state.
local function reaches(sup, state, names)
  for _, name in ipairs(names) do sup:wait(name, state, 20) end
end

local function processes(sup)
  local list = {}
  for _, one in ipairs(sup:list()) do list[one.name] = one.pid end
  return list
end

-- What happens to services while fn does something, as "a stopping, b …".
local function story(sup, words, fn)
  local follower = sup.events:subscribe()
  fn()
  follower:close()
  local list = {}
  for event in follower do
    if event.type == "state" and words[event.to] then
      list[#list + 1] = event.service .. " " .. event.to
    end
  end
  return table.concat(list, ", ")
end

local ends = {
  normal = { code = 0 }, abnormal = { code = 1 }, killed = { signal = "KILL" },
}

-- What becomes of one that ends so, by its restart rule.
local outcomes = {
  always = { normal = "running", abnormal = "running", killed = "running" },
  ["on-failure"] = { normal = "stopped", abnormal = "running",
                     killed = "running" },
  never = { normal = "stopped", abnormal = "failed", killed = "failed" },
}

local erlang = { always = "permanent", ["on-failure"] = "transient",
                 never = "temporary" }

for restart, row in pairs(outcomes) do
  for how, state in pairs(row) do
    tap.test(("%s_%s: %s, and the others run on"):format(erlang[restart], how,
      state == "running" and "started again" or "not started again"),
      function()
        with({ strategy = "one_for_one", restart = restart }, function(sup)
          local before = processes(sup)
          finish(sup, "b", ends[how])
          if state == "running" then
            inst(sup, "b"):wait_until(function(i)
              return i.state == "running" and i.pid ~= before.b
            end)
          end
          reaches(sup, state, { "b" })
          local after = processes(sup)
          is(after.a, before.a)
          is(after.c, before.c)
          is(sup:status("b").restarts, state == "running" and 1 or 0)
        end)
      end)
  end
end

tap.test("transient_shutdown: an end that success_codes names is a normal one",
  function()
    with({ strategy = "one_for_one", restart = "on-failure",
           b = { success_codes = { 0, "TERM" } } }, function(sup)
      finish(sup, "b", { signal = "TERM" })
      reaches(sup, "stopped", { "b" })
    end)
  end)

-- Ends one, and says who has another process when all run again.
local function renewed(sup, name)
  local before, list = processes(sup), {}
  finish(sup, name, ends.abnormal)
  inst(sup, name):wait_until(function(i)
    return i.state == "running" and i.pid ~= before[name]
  end)
  tap.eventually(function()
    for _, one in ipairs(sup:list()) do
      if one.state ~= "running" then return false end
    end
    return true
  end, 20)
  local after = processes(sup)
  for _, one in ipairs(sup:list()) do
    if after[one.name] ~= before[one.name] then list[#list + 1] = one.name end
  end
  return table.concat(list, " ")
end

local strategies = {
  one_for_one = { a = "a", b = "b", c = "c" },
  one_for_all = { a = "a b c", b = "a b c", c = "a b c" },
  rest_for_one = { a = "a b c", b = "b c", c = "c" },
}

for strategy, row in pairs(strategies) do
  tap.test(strategy .. ": who is started again with whom", function()
    with({ strategy = strategy }, function(sup)
      for name, who in pairs(row) do is(renewed(sup, name), who, name) end
    end)
  end)

  tap.test(strategy .. "_escalation: too many restarts of one, and who would "
    .. "have been restarted with it fails, too", function()
    with({ strategy = strategy, burst = { count = 1, within = 1000,
      retry_after = false } }, function(sup)
      finish(sup, "a", ends.abnormal)
      local all = strategy ~= "one_for_one"
      reaches(sup, "failed", all and { "a", "b", "c" } or { "a" })
      is(sup:status("a").reason, "exited 1; too many starts")
      is(sup:status("b").reason, all and "with a, which has failed" or nil)
      is(sup:status("b").state, all and "failed" or "running")
    end)
  end)

  tap.test(strategy .. "_escalation of the group: too many restarts of its "
    .. "members, and all have failed, visibly", function()
    with({ strategy = strategy, group_burst = { count = 2, within = 1000,
      retry_after = false } }, function(sup)
      for _, name in ipairs { "a", "b" } do renewed(sup, name) end
      local follower = sup.events:subscribe()
      finish(sup, "c", ends.abnormal)
      reaches(sup, "failed", { "a", "b", "c" })
      is(sup:status("a").reason, "too many restarts in group g")
      is(sup:status("c").reason, "exited 1; too many restarts in group g")
      local told
      follower:close()
      for event in follower do
        if event.type == "group" then told = event end
      end
      ok(told and told.group == "g" and told.to == "failed", "an event")
      sup:start "a"
      is(sup:status("a").state, "running", "somebody can start it again")
    end)
  end)

  tap.test(strategy .. "_other_child_fails_restart: another that does not come "
    .. "up again is tried again by its own rule", function()
    with({ strategy = strategy }, function(sup)
      local broken = inst(sup, "c").spec.command
      broken[1] = "missing"
      finish(sup, "a", ends.abnormal)
      if strategy == "one_for_one" then
        finish(sup, "c", ends.abnormal)
      end
      inst(sup, "c"):wait_until(function(i) return i.restarts >= 2 end)
      -- All or none: then nobody runs before all can.
      if strategy ~= "one_for_all" then reaches(sup, "running", { "a" }) end
      broken[1] = "live"
      reaches(sup, "running", { "a", "b", "c" })
    end)
  end)

  tap.test("hanging_restart_loop, " .. strategy .. ": one that never comes up "
    .. "holds up no request", function()
    with({ strategy = strategy }, function(sup)
      inst(sup, "b").spec.command[1] = "missing"
      finish(sup, "b", ends.abnormal)
      inst(sup, "b"):wait_until(function(i) return i.restarts >= 2 end)
      sup:stop "a"
      is(sup:status("a").state, "stopped")
      sup:stop "b"
      is(sup:status("b").state, "stopped")
    end)
  end)
end

tap.test("restart order: the others are stopped, the last first, and start "
  .. "after the one that has ended", function()
  with({ strategy = "one_for_all" }, function(sup)
    is(story(sup, { stopping = true, running = true }, function()
      renewed(sup, "b")
    end), "c stopping, a stopping, b running, a running, c running")
  end)
end)

tap.test("restart order: what it requires does not wait for it", function()
  with({ strategy = "one_for_all", b = { requires = { "a" } } }, function(sup)
    is(renewed(sup, "b"), "a b c")
  end)
end)

tap.test("rest_for_one_escalation after a time: all are tried again", function()
  with({ strategy = "rest_for_one", group_burst = { count = 0, within = 1000,
    retry_after = 0.001 } }, function(sup)
    finish(sup, "b", ends.abnormal)
    inst(sup, "a"):wait_until(function(i) return i.state == "failed" end)
    reaches(sup, "running", { "a", "b", "c" })
  end)
end)

tap.test("who was stopped by hand is not taken along", function()
  with({ strategy = "one_for_all" }, function(sup)
    sup:stop "c"
    finish(sup, "a", ends.abnormal)
    inst(sup, "b"):wait_until(function(i) return i.state ~= "running" end)
    reaches(sup, "running", { "a", "b" })
    is(sup:status("c").state, "stopped")
  end)
end)

tap.test("sup_stop: children are stopped in the reverse of their order",
  function()
    with({ strategy = "one_for_one", b = { requires = { "a" } },
           c = { requires = { "b" } } }, function(sup)
      local follower, list = sup.events:subscribe(), {}
      sup:close()
      for event in follower do
        if event.to == "stopped" then list[#list + 1] = event.service end
      end
      is(table.concat(list, " "), "c b a")
    end)
  end)

tap.test("sup_start_fail: one that cannot be started fails alone", function()
  with({ strategy = "one_for_one" }, function(sup)
    sup:stop "b"
    inst(sup, "b").spec.command[1] = "missing"
    inst(sup, "b").policy:set(inst(sup, "b").spec.backoff, { count = 1,
      within = 1000, retry_after = false })
    tap.throws(function() sup:start "b" end, "b is failed: no such program")
    is(sup:status("a").state, "running")
  end)
end)

tap.test("child_adm: start, stop, restart and remove children", function()
  with({ strategy = "one_for_one" }, function(sup)
    sup:start "a"
    is(sup:status("a").state, "running", "started twice is started")
    sup:stop "a"
    sup:stop "a"
    is(sup:status("a").state, "stopped", "stopped twice is stopped")
    sup:restart "a"
    is(sup:status("a").state, "running", "what is stopped is started")
    tap.throws(function() sup:start "nobody" end, "no service")
  end)
end)

tap.test("simple_one_for_one: instances end one by one", function()
  with({ names = { "w" }, w = { instances = 3 }, strategy = "one_for_one" },
    function(sup)
      is(renewed(sup, "w@2"), "w@2")
      is_deeply(#sup:list(), 3)
    end)
end)

tap.test("simple_one_for_one, one_for_all: instances are members, too",
  function()
    with({ names = { "w", "x" }, w = { instances = 2 },
           strategy = "one_for_all" }, function(sup)
      is(renewed(sup, "w@2"), "w@1 w@2 x")
    end)
  end)

tap.test("scale_many_temporary_children: hundreds come and go", function()
  with({ names = { "w" }, w = { instances = 1, restart = "never" },
    strategy = "one_for_one" }, function(sup)
    sup:scale("w", 300)
    reaches(sup, "running", { "w" })
    for _, one in ipairs(sup:find "w") do one.process:finish { code = 0 } end
    tap.eventually(function()
      for _, one in ipairs(sup:list()) do
        if one.state ~= "stopped" then return false end
      end
      return true
    end, 20)
    sup:scale("w", 0)
    is(#sup:list(), 0)
  end)
end)

fakes.finish()
task.checkpoint()

tap.done()
