-- Functions of the configuration: policy, readiness, services that are one.
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

-- What luvisor's own log says, as warnings.
local function warnings(sup)
  local list = {}
  sup.log.warning = function(_, message) list[#list + 1] = message end
  return list
end

-- Starts a service that crashes, with this on_exit, and waits until it is so.
local function crash(on_exit, state, fn, code)
  with({ a = { command = { shell = ("echo oh dear; exit %d"):format(code or 7)
    }, on_exit = on_exit, backoff = { initial = 0.01 },
    burst = { count = 3, retry_after = false } } }, function(sup)
    local said = warnings(sup)
    sup:start("a", { wait = false })
    local inst = sup:find("a")[1]
    task.timeout(30, inst.wait_until, inst, function(i)
      return i.state == state
    end)
    fn(sup, said)
  end)
end

tap.test("on_exit: stop, fail, restart, nothing", function()
  crash(function() return "stop" end, "stopped", function(sup)
    is(sup:status("a").restarts, 0)
  end)
  crash(function() return "fail" end, "failed", function(sup)
    is(sup:status("a").restarts, 0)
    is(sup:status("a").reason, "exited 7")
  end)
  crash(function() return "restart" end, "failed", function(sup)
    is(sup:status("a").restarts, 2)
    like(sup:status("a").reason, "too many starts")
  end, 0)
  crash(function() end, "failed", function(sup)
    is(sup:status("a").restarts, 2)
  end)
  crash(function() end, "stopped", function(sup)
    is(sup:status("a").restarts, 0)
  end, 0)
end)

tap.test("on_exit is told who ended, and how", function()
  local seen
  crash(function(svc, status)
    seen = { name = svc.name, last = svc.last_exit, code = status.code,
             text = tostring(status), tail = svc.tail(5) }
    return "stop"
  end, "stopped", function() end)
  is_deeply(seen, { name = "a", last = "exited 7", code = 7,
    text = "exited 7", tail = { "oh dear" } })
end)

tap.test("on_exit: an error, a strange answer, one that never comes: a "
  .. "warning, and the usual policy", function()
  local function judged(on_exit, pattern)
    crash(on_exit, "failed", function(sup, said)
      is(sup:status("a").restarts, 2)
      like(said[1], pattern)
    end)
  end
  judged(function() error("broken", 0) end, "^on_exit: broken$")
  judged(function() return "explode" end, "^on_exit: it returned explode")
end)

tap.test("on_exit: what waits or computes for ever ends after a second",
  function()
    local turns = 0
    local ticker = task.spawn(function()
      while true do
        turns = turns + 1
        task.sleep(0.001)
      end
    end)
    with({
      a = { command = "false", restart = "never",
            on_exit = function() while true do end end },
      b = { command = "false", restart = "never",
            on_exit = function() task.sleep(1000) end },
    }, function(sup)
      local said = warnings(sup)
      sup:start("a", { wait = false })
      sup:start("b", { wait = false })
      sup:wait("a", "failed", 30)
      sup:wait("b", "failed", 30)
      is_deeply(said, { "on_exit: timed out after 1 s",
                        "on_exit: timed out after 1 s" })
    end)
    ticker:cancel()
    ok(turns > 10, "others had their turns")
  end)

tap.test("ready: an endless loop is bounded, and holds up nobody", function()
  local loops = {
    function() while true do end end,
    function() while true do pcall(function() while true do end end) end end,
    function() coroutine.wrap(function() while true do end end)() end,
    function() return (";"):rep(10):gsub(";", function()
      while true do end
    end) end,
  }
  for i, fn in ipairs(loops) do
    with({
      a = { command = "sleep 100", ready = { fn = fn, timeout = 0.05 },
            restart = "never" },
      b = { command = "sleep 100" },
    }, function(sup)
      sup:start("a", { wait = false })
      sup:start "b"
      sup:stop "b"
      sup:wait("a", "failed", 30)
      like(sup:status("a").reason, i < 4 and "^not ready after 0.05 s"
        or "nothing can interrupt")
    end)
  end
end)

tap.test("ready: false, or nil and a reason, is a failure; it may wait",
  function()
    local answers = {
      { function() return false end, "its ready function says no" },
      { function() return nil, "no disk" end, "no disk" },
      { function() error { code = 1 } end, "table: " },
      { function() task.sleep(0.01) error("later", 0) end, "later" },
    }
    for _, one in ipairs(answers) do
      with({ a = { command = "sleep 100", ready = one[1], restart = "never" } },
        function(sup)
          local _, err = pcall(sup.start, sup, "a")
          like(tostring(err), "^a is failed: " .. one[2])
        end)
    end
    with({ a = { command = "sleep 100", ready = function(svc)
      task.sleep(0.01)
      return svc.state == "starting" and svc.pid ~= nil
    end } }, function(sup)
      sup:start "a"
      is(sup:status("a").state, "running")
    end)
  end)

tap.test("run: started again after an error, not after a return", function()
  local runs = 0
  with({
    f = { run = function(svc)
      runs = runs + 1
      if runs < 3 then error("try " .. svc.restarts, 0) end
    end, backoff = { initial = 0.01 } },
  }, function(sup)
    sup:start("f", { wait = false })
    task.timeout(30, function()
      sup:find("f")[1]:wait_until(function(i)
        return i.state == "stopped" and runs == 3
      end)
    end)
    is(sup:status("f").restarts, 2)
    is(sup:status("f").exit, "returned")
  end)
  with({ f = { run = function() error("broken", 0) end, restart = "never" } },
    function(sup)
      sup:start("f", { wait = false })
      sup:wait("f", "failed", 30)
      is(sup:status("f").exit, "failed: broken")
    end)
end)

tap.test("run: a stop cancels it, and its <close> variables may wait",
  function()
    local closed
    with({ f = { run = function()
      local _ <close> = setmetatable({}, { __close = function()
        task.shield(task.sleep, 0.02)
        closed = true
      end })
      task.sleep(1000)
    end } }, function(sup)
      sup:start "f"
      sup:stop "f"
      is(closed, true)
      is(sup:status("f").state, "stopped")
    end)
  end)

tap.test("run: the tasks that it starts are its own", function()
  local turns, started = 0, false
  with({ f = { run = function()
    task.spawn(function()
      started = true
      while true do
        turns = turns + 1
        task.sleep(0.001)
      end
    end)
  end } }, function(sup)
    sup:start "f"
    tap.eventually(function() return turns > 2 end, 30)
    is(sup:status("f").state, "running", "it lasts as long as they do")
    sup:stop "f"
    local now = turns
    task.sleep(0.02)
    is(turns, now)
    is(started, true)
  end)
end)

tap.test("run: an endless loop holds up nobody, and can be stopped", function()
  for _, fn in ipairs {
    function() while true do end end,
    function() for _ in coroutine.wrap(function() while true do end end) do end
    end,
  } do
    with({ f = { run = fn }, b = { command = "sleep 100" } }, function(sup)
      sup:start "f"
      sup:start "b"
      sup:stop "b"
      is(sup:status("f").state, "running")
      sup:stop "f"
      is(sup:status("f").state, "stopped")
      is(sup:status("f").exit, "cancelled")
    end)
  end
end)

tap.test("run: one that will not be cancelled is let go of after its grace",
  function()
    local go
    with({ f = { run = function()
      task.shield(function()
        while not go do task.sleep(0.01) end
      end)
    end, stop = { grace = 0.05 } } }, function(sup)
      local said = warnings(sup)
      sup:start "f"
      sup:stop "f"
      is(sup:status("f").state, "stopped")
      like(said[1], "does not end though cancelled")
    end)
    go = true
  end)

tap.test("run: requires, ready and health are as with a process", function()
  local told = {}
  with({
    db = { command = { shell = "echo port=7; exec sleep 100" },
           ready = { log = "(port=%d)" } },
    f = { requires = { "db" }, ready = function(svc)
      return svc.name == "f"
    end, run = function(svc)
      told[#told + 1] = svc.name
      task.sleep(1000)
    end, health = { fn = function() return #told > 1 end, interval = 0.02,
                    failures = 1 }, backoff = { initial = 0.01 } },
  }, function(sup)
    sup:start "f"
    is(sup:status("db").state, "running")
    local inst = sup:find("f")[1]
    task.timeout(30, inst.wait_until, inst, function(i)
      return i.restarts == 1 and i.state == "running"
    end)
    is_deeply(told, { "f", "f" })
  end)
end)

tap.test("a function has no process: what needs one is refused", function()
  for key, value in pairs { ready = { notify = true }, watchdog = 1,
    sockets = { ":1" } } do
    tap.throws(function()
      services.with({ f = { run = function() end, [key] = value } },
        function() end)
    end, key .. ": .*is for commands")
  end
  services.clean()
end)

tap.test("env_file: as a shell quotes, read at each start", function()
  local path = TMP .. "/env"
  fs.write_file(path, "# a note\n; another\n\nexport A=1\nB = \"two  words\"\n"
    .. "C='#no note'\nD=\nE=over\n")
  with({ a = { type = "oneshot", command = { shell =
    "echo \"$A|$B|$C|$D|$E\" > out" }, cwd = TMP, env_file = path,
    env = { E = "env" } } }, function(sup)
    sup:start "a"
    is(fs.read_file(TMP .. "/out"), "1|two  words|#no note||env\n")
    fs.write_file(path, "A=2\n")
    sup:restart "a"
    is(fs.read_file(TMP .. "/out"), "2||||env\n")
  end)
  os.remove(TMP .. "/out")
  os.remove(path)
end)

tap.test("env_file: what is wrong with it is said with file and line",
  function()
    local path = TMP .. "/env"
    for text, why in pairs {
      ["A=1\nnonsense\n"] = path .. ":2: expected NAME=value, got \"nonsense\"",
      ["A=1\n\nB='open\n"] = path .. ":3: ",
      ["1A=x"] = path .. ":1: expected NAME=value",
      ["A=a\0b"] = path .. ":1: ",
    } do
      fs.write_file(path, text)
      with({ a = { command = "sleep 100", env_file = path,
        restart = "never" } }, function(sup)
        local _, err = pcall(sup.start, sup, "a")
        local from = ("a is failed: " .. why):gsub("%p", "%%%0")
        like(tostring(err), from)
      end)
    end
    os.remove(path)
    with({ a = { command = "sleep 100", env_file = path,
      restart = "never" } }, function(sup)
      tap.throws(function() sup:start "a" end, "env.*ENOENT")
    end)
  end)

tap.test("user and groups, for the process and its hooks", function()
  if require "luvisor.core.os".geteuid() ~= 0 then
    return tap.skip "only root has other users"
  end
  local dir = fs.mkdtemp { prefix = "user-" }
  lv.process.run { "chmod", "777", dir, TMP }
  with({ a = { type = "oneshot", user = "nobody", groups = { "daemon" },
    umask = "077", cwd = dir, command = { shell =
      "echo $(id -un) $(id -gn) $(id -Gn) > a; umask >> a" },
    hooks = { pre_start = { shell = "id -un > hook" } } } }, function(sup)
    sup:start "a"
    like(fs.read_file(dir .. "/a"), "^nobody nogroup .*daemon\n0077\n$")
    is(fs.read_file(dir .. "/hook"), "nobody\n")
  end)
  fs.remove(dir, { recursive = true })
end)

tap.done()
