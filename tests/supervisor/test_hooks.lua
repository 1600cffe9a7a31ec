-- Hooks: commands and functions around the life of a service.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local with = services.with

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

local NAMES <const> = { "pre_start", "post_start", "pre_stop", "post_stop" }

local function sleeper(hooks, more)
  local spec = { command = "sleep 100", hooks = hooks, cwd = TMP,
                 backoff = { initial = 0.01 } }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

local function lines_of(name)
  local lines = {}
  for line in io.lines(TMP .. "/" .. name) do lines[#lines + 1] = line end
  os.remove(TMP .. "/" .. name)
  return lines
end

-- What luvisor's own log says, as warnings.
local function warnings(sup)
  local list = {}
  sup.log.warning = function(_, message) list[#list + 1] = message end
  return list
end

tap.test("commands, in their order, as the service is executed", function()
  local hooks = {}
  for _, name in ipairs(NAMES) do
    hooks[name] = { shell = ("echo %s $LUVISOR_SERVICE ${LUVISOR_PID:-none} "
      .. "$COLOUR \"$LUVISOR_EXIT\" >> told"):format(name) }
  end
  with({ a = sleeper(hooks, { env = { COLOUR = "red" } }) }, function(sup)
    sup:start "a"
    local pid = sup:status("a").pid
    tap.eventually(function()
      return #fs.read_file(TMP .. "/told") > 40
    end, 30)
    sup:stop "a"
    is_deeply(lines_of "told", {
      "pre_start a none red ",
      ("post_start a %d red "):format(pid),
      ("pre_stop a %d red "):format(pid),
      ("post_stop a %d red killed by TERM"):format(pid),
    })
  end)
end)

tap.test("functions, in their order, with the service", function()
  local told, hooks = {}, {}
  for _, name in ipairs(NAMES) do
    hooks[name] = function(svc)
      told[#told + 1] = ("%s %s %s"):format(name, svc.name, svc.state)
    end
  end
  with({ a = sleeper(hooks) }, function(sup)
    sup:start "a"
    tap.eventually(function() return #told == 2 end, 30)
    sup:stop "a"
  end)
  is_deeply(told, { "pre_start a starting", "post_start a running",
                    "pre_stop a stopping", "post_stop a stopping" })
end)

tap.test("a pre_start that fails is a failed start, with what it said",
  function()
    with({ a = sleeper({ pre_start = { shell = "echo no licence; exit 5" } },
      { burst = { count = 2, retry_after = false } }) }, function(sup)
      local _, err = tap.throws(function() sup:start "a" end, "Failed")
      like(tostring(err), "^a is failed: hook pre_start: exited 5\n")
      like(tostring(err), "no licence")
      is(sup:status("a").restarts, 1, "it was tried again")
    end)
    with({ a = sleeper({ pre_start = function() error("not today", 0) end },
      { restart = "never" }) }, function(sup)
      tap.throws(function() sup:start "a" end, "hook pre_start: not today")
    end)
    with({ a = sleeper({ pre_start = { "/nonexistent/program" } },
      { restart = "never" }) }, function(sup)
      tap.throws(function() sup:start "a" end, "hook pre_start: .*ENOENT")
    end)
  end)

tap.test("one that takes too long has failed, and nothing of it is left",
  function()
    local mark = services.mark()
    services.both_ways(function(how)
      with({ a = sleeper({ pre_start = { timeout = 0.1,
        shell = ("trap '' TERM; setsid sleep %s & (sleep %s &); wait")
          :format(mark, mark) } }, { restart = "never" }) }, function(sup)
        tap.throws(function() sup:start "a" end,
          "hook pre_start: timed out after 0.1 s")
        is(#services.alive(mark, "sleep"), 0, how)
      end)
    end)
    with({ a = sleeper({ pre_start = { timeout = 0.05,
      fn = function() while true do end end } }, { restart = "never" }) },
      function(sup)
        tap.throws(function() sup:start "a" end,
          "hook pre_start: timed out after 0.05 s")
      end)
  end)

tap.test("what a hook leaves in the background is ended with it", function()
  local mark = services.mark()
  services.both_ways(function(how)
    with({ a = sleeper { pre_start = { shell =
      ("setsid sleep %s & sleep %s & exit 0"):format(mark, mark) } } },
      function(sup)
        sup:start "a"
        is(sup:status("a").state, "running", how)
        is(#services.alive(mark, "sleep"), 0, how)
      end)
  end)
end)

tap.test("a start can be given up while its pre_start runs", function()
  local mark = services.mark()
  for _, hook in ipairs { { shell = "sleep " .. mark },
    function() task.sleep(1000) end, function() while true do end end } do
    if type(hook) == "function" then hook = { fn = hook } end
    hook.timeout = 1000
    with({ a = sleeper { pre_start = hook } }, function(sup)
      local starter = task.spawn(pcall, sup.start, sup, "a")
      local inst = sup:find("a")[1]
      inst:wait_until(function(i) return i.state == "starting" end)
      if hook.shell then
        tap.eventually(function()
          return #services.alive(mark, "sleep") > 0
        end, 30)
      end
      sup:stop "a"
      is(inst.state, "stopped")
      is(#services.alive(mark, "sleep"), 0)
      is(starter:join(), false)
    end)
  end
end)

tap.test("a post_start that fails is a warning, and no more", function()
  with({ a = sleeper { post_start = { shell = "echo oh; exit 2" } } },
    function(sup)
      local said = warnings(sup)
      sup:start "a"
      tap.eventually(function() return said[1] end, 30)
      like(said[1], "^hook post_start: exited 2\n  | oh")
      is(sup:status("a").state, "running")
    end)
end)

tap.test("a pre_stop that hangs delays the stop by its limit only", function()
  with({ a = sleeper { pre_stop = { command = "sleep 1000", timeout = 0.1 } } },
    function(sup)
      local said = warnings(sup)
      sup:start "a"
      sup:stop("a", { wait = 30 })
      is(sup:status("a").state, "stopped")
      like(said[1], "hook pre_stop: timed out after 0.1 s")
    end)
end)

tap.test("post_stop comes after every end: a crash, a failed start", function()
  local ends = {}
  local function note(svc) ends[#ends + 1] = svc.last_exit or "none" end
  with({
    a = sleeper({ post_stop = note }, { command = { shell = "exit 3" },
      burst = { count = 2, retry_after = false } }),
    b = sleeper({ post_stop = note, pre_start = "false" },
      { restart = "never" }),
  }, function(sup)
    sup:start("a", { wait = false })
    sup:wait("a", "failed", 30)
    pcall(sup.start, sup, "b")
  end)
  is_deeply(ends, { "exited 3", "exited 3", "none" })
end)

tap.test("a hook that hangs holds up no other service", function()
  with({
    a = sleeper { pre_start = { timeout = 1000,
      fn = function() while true do end end } },
    b = sleeper { pre_start = { command = "sleep 1000", timeout = 1000 } },
    c = sleeper {},
  }, function(sup)
    sup:start("a", { wait = false })
    sup:start("b", { wait = false })
    sup:start "c"
    sup:stop "c"
    is(sup:status("a").state, "starting")
    is(sup:status("b").state, "starting")
  end)
end)

tap.test("much output is no harm, its end is told", function()
  with({ a = sleeper({ pre_start = { shell =
    "seq 1 300000; echo the last line; exit 1" } }, { restart = "never" }) },
    function(sup)
      local _, err = pcall(sup.start, sup, "a")
      like(tostring(err), "exited 1\n.*300000\n  | the last line")
    end)
end)

tap.test("what is meant for luvisor alone is not inherited by hooks", function()
  local p = lv.process.run { os.getenv "LUVISOR", "-e", [[
    local lv = require "luvisor"
    local sup <close> = require "luvisor.supervisor".new {
      log = { dir = arg[1] }, services = { a = { command = "sleep 100",
        hooks = { pre_start = { shell =
          "env | grep -c -e NOTIFY_SOCKET -e LISTEN_ -e WATCHDOG_; true" } },
        health = { command = { shell = "env > " .. arg[1] .. "/env; false" },
          interval = 0.01, failures = 1 }, restart = "never" } } }
    sup:start "a"
    sup:wait("a", "failed", 30)
  ]], TMP .. "/log", env = { NOTIFY_SOCKET = "/none", LISTEN_FDS = "1",
    WATCHDOG_USEC = "1", KEPT = "yes" }, check = false }
  is(p.stdout, "")
  local env = fs.read_file(TMP .. "/log/env")
  like(env, "KEPT=yes")
  ok(not env:find "NOTIFY_SOCKET" and not env:find "LISTEN_FDS"
    and not env:find "WATCHDOG_USEC")
  services.clean()
end)

tap.test("reload: a signal, a command, a function", function()
  local told
  with({
    s = { command = { shell = "trap 'echo hup > told' HUP; echo up; "
      .. "while :; do sleep 0.01; done" }, cwd = TMP, ready = { log = "up" } },
    c = sleeper({}, { reload = { command = { shell = "echo $LUVISOR_PID "
      .. "> told" } } }),
    f = sleeper({}, { reload = { fn = function(svc) told = svc.name end } }),
  }, function(sup)
    for _, name in ipairs { "s", "c" } do
      sup:start(name)
      sup:reload(name)
      tap.eventually(function()
        return fs.exists(TMP .. "/told") and #fs.read_file(TMP .. "/told") > 0
      end, 30)
      is(lines_of("told")[1], name == "s" and "hup"
        or tostring(sup:status("c").pid))
    end
    sup:start "f"
    sup:reload "f"
    tap.eventually(function() return told == "f" end, 30)
  end)
end)

tap.done()
