-- slow
-- Whatever a service forks, it is found, stopped, and reaped.
local errors = require "luvisor.error"
local process = require "luvisor.process"
local stopping = require "luvisor.supervisor.stopping"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local tree = require "luvisor.core.proctree"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local children = dofile(SUPPORT .. "children.lua")
local services = dofile(SUPPORT .. "services.lua")

local is, ok = tap.is, tap.ok
local with, alive = services.with, services.alive

local function count(mark)
  return #alive(mark)
end

-- A service whose leader runs on, with `script` having made `n` processes that
-- have the mark. Stopped, none is left; how many had to be killed is returned.
local function stops_all(script, n, opts)
  opts = opts or {}
  local mark, killed = services.mark()
  local command = opts.command or { shell = script:gsub("MARK", mark) }
  with({ a = { command = command, stop = { grace = opts.grace or 5 } } },
    function(sup)
      sup:start "a"
      tap.eventually(function() return count(mark) >= n end, 30)
      sup:stop "a"
      is(count(mark), 0, "none is left by the stop")
      killed = #sup:status("a").killed
    end, { log = { dir = services.TMP .. "/log", level = "error" } })
  return killed
end

-- Each generation, deaf to TERM, leaves the next one in a session of its own.
local NEXT <const> = [=[trap '' TERM; [ $1 -lt 2000 ] || exit
  setsid sh -c "$NEXT" sh $(($1 + 1)) $2 &]=]

services.both_ways(function(how)
  tap.test("a plain child is asked like its leader, " .. how, function()
    is(stops_all("sleep MARK & exec sleep MARK", 2), 0, "nobody is killed")
  end)

  tap.test("a child that ignores TERM is killed after the grace, " .. how,
    function()
      local killed = stops_all([[sh -c 'trap "" TERM; while :; do sleep MARK; ]]
        .. [[done' & exec sleep MARK]], 3, { grace = 0.2 })
      ok(killed >= 1)
    end)

  tap.test("a child in a session of its own, " .. how, function()
    is(stops_all("setsid sleep MARK & exec sleep MARK", 2), 0)
  end)

  tap.test("a double fork, reparented to us, " .. how, function()
    is(stops_all("(sh -c '(sleep MARK &)' &); exec sleep MARK", 2), 0)
  end)

  tap.test("session and environment changed, its parent alive, " .. how,
    function()
      is(stops_all("env -i setsid sleep MARK & exec sleep MARK", 2), 0)
    end)

  tap.test("the same ignores TERM, and its parent does not, " .. how,
    function()
      local killed = stops_all([[env -i setsid sh -c 'trap "" TERM; while :; ]]
        .. [[do sleep MARK; done' & exec sleep MARK]], 3, { grace = 0.2 })
      ok(killed >= 1, "it is remembered though its parent has gone")
    end)

  tap.test("one that is stopped gets TERM, and CONT to act on it, " .. how,
    function()
      is(stops_all("sh -c 'kill -STOP $$; sleep MARK' & exec sleep MARK", 2),
        0)
    end)

  tap.test("a storm of forks ends, " .. how, function()
    local killed = stops_all([[exec sh -c 'trap "" TERM
      i=0; while [ $i -lt 400 ]; do i=$((i + 1))
      setsid sh -c "trap \"\" TERM; sleep MARK; :" & done; wait; sleep MARK']],
      100, { grace = 0 })
    ok(killed >= 1)
  end)

  tap.test("what others leave alive: a leader that goes at once, and what "
    .. "ignores TERM, has a session, is plain, " .. how, function()
    local killed = stops_all([[sh -c 'trap "" TERM; while :; do sleep MARK; ]]
      .. [[done' & setsid sleep MARK & sleep MARK & trap 'exit 0' TERM; ]]
      .. [[while :; do wait; done]], 5, { grace = 0.2 })
    ok(killed >= 1)
  end)

  tap.test("what runs away, from parent to child, is caught, " .. how,
    function()
      local mark, killed = services.mark()
      with({ a = { command = { shell = ([[sh -c "$NEXT" sh 0 %s &
        exec sleep %s]]):format(mark, mark) }, stop = { grace = 0 },
        env = { NEXT = NEXT } } }, function(sup)
        sup:start "a"
        tap.eventually(function() return count(mark) >= 1 end, 30)
        sup:stop "a"
        is(count(mark), 0)
        killed = #sup:status("a").killed
      end)
      ok(killed >= 1)
    end)

  tap.test("the same when the leader ends by itself, " .. how, function()
    local mark = services.mark()
    with({ a = { command = { shell = ([[sh -c "$NEXT" sh 0 %s &]]):format(
      mark) }, restart = "never", stop = { grace = 0 },
      env = { NEXT = NEXT } } }, function(sup)
      pcall(sup.start, sup, "a")
      sup:find("a")[1]:wait_until(function(inst)
        return inst.state == "stopped"
      end)
      is(count(mark), 0)
    end)
  end)

  tap.test("another user's processes, " .. how, function()
    children.need_root()
    local mark = services.mark()
    with({ a = { user = "nobody", cwd = "/", stop = { grace = 5 },
      command = { shell = ("setsid sleep %s & (setsid sleep %s &); "
        .. "exec sleep %s"):format(mark, mark, mark) } } }, function(sup)
      sup:start "a"
      tap.eventually(function() return count(mark) >= 3 end, 30)
      sup:stop "a"
      is(count(mark), 0)
    end)
  end)

  tap.test("many that stop at once share their looks, " .. how, function()
    local mark, list, looks = services.mark(), {}, 0
    for i = 1, 60 do
      list["s" .. i] = { command = "sleep " .. mark, autostart = true }
    end
    local look = tree.look
    with(list, function(sup)
      sup:start_all()
      tap.eventually(function() return count(mark) == 60 end, 30)
      tree.look = function()
        looks = looks + 1
        return look()
      end
      local closed, err = pcall(sup.close, sup)
      tree.look = look
      ok(closed, err)
    end)
    is(count(mark), 0)
    ok(looks < 60, looks .. " looks")
  end)

  tap.test("a leader that leaves a child: it is stopped, then started again, "
    .. how, function()
    local mark = services.mark()
    with({ a = { command = { shell = ("(setsid sleep %s &)"):format(mark) },
      restart = "always", backoff = { initial = 0.01 },
      burst = { count = 100 } } }, function(sup)
      sup:start "a"
      sup:find("a")[1]:wait_until(function(inst)
        ok(#alive(mark, "sleep") <= 1, "one generation at a time")
        return inst.restarts >= 3
      end)
    end)
    is(count(mark), 0)
  end)

  tap.test("a oneshot's leftovers go with it, " .. how, function()
    local mark = services.mark()
    with({ a = { type = "oneshot",
      command = { shell = ("sleep %s & sleep %s &"):format(mark, mark) } } },
      function(sup)
        sup:start "a"
        is(count(mark), 0)
        is(sup:status("a").exit, "exited 0")
      end)
  end)

  tap.test("main thread gone, another lives: no zombie for us, " .. how,
    function()
      local mark = services.mark()
      local script = "import ctypes, threading, time\n"
        .. "threading.Thread(target=time.sleep, args=(" .. mark .. ",)).start()"
        .. "\nctypes.CDLL(None).pthread_exit(None)"
      with({ a = { command = { shell = "exec python3 -c \"$PROGRAM\" & wait" },
        env = { PROGRAM = script }, stop = { grace = 5 } } }, function(sup)
        sup:start "a"
        tap.eventually(function()
          for _, one in ipairs(sup.descendants:list(sup:find("a")[1])) do
            if one.state == "Z" then return true end
          end
        end, 30)
        sup:stop "a"
        is(count(mark), 0)
      end)
    end)

  tap.test("what is nobody's ends with the supervisor, " .. how, function()
    local mark = services.mark()
    local script = ("(env -i setsid sh -c 'trap \"\" TERM; while :; do sleep "
      .. "%s; done' &)"):format(mark)
    with({ a = { command = { shell = script }, restart = "never" } },
      function(sup)
        pcall(sup.start, sup, "a")
        sup:find("a")[1]:wait_until(function(inst)
          return inst.state == "stopped"
        end)
      end)
    is(count(mark), 0)
  end)
end)

-- As by sudo, in a luvisor without privileges.
tap.test("who may not be signalled is named, and given up", function()
  local signal, stubborn = tree.signal, stopping.stubborn
  local mark, said = services.mark(), {}
  with({ a = { command = "true" } }, function(sup)
    local unit = { name = "x", spec = sup:find("a")[1].spec, sup = sup }
    local options = sup.descendants:prepare(unit)
    options[1], options[2] = "sleep", mark
    unit.process = process.spawn(options)
    sup.descendants:started(unit)
    function sup.log.warning(_, message) said[#said + 1] = message end
    tree.signal = function()
      errors.raise { kind = "OSError", code = "EPERM", message = "not allowed" }
    end
    stopping.stubborn = 0.05
    unit.cgroup = nil
    local ended = pcall(sup.descendants.stop, sup.descendants, unit,
      { signal = "TERM", grace = 0 })
    tree.signal, stopping.stubborn = signal, stubborn
    ok(ended)
    is(said[1], "it lives on: we may not signal it")
    is(count(mark), 1)
    unit.process:kill()
    unit.process:wait()
    sup.descendants:forget(unit)
  end)
end)

tap.test("the script's own orphans are its own business", function()
  local mark = services.mark()
  local pid
  with({ a = { command = "sleep 100" } }, function(sup)
    sup:start "a"
    pid = process.capture { shell = ("sleep %s >&- 2>&- & echo $!"):format(
      mark) }
    tap.eventually(function() return count(mark) == 1 end, 30)
  end)
  is(count(mark), 1)
  process.run { "kill", pid }
  tap.eventually(function() return count(mark) == 0 end, 30)
end)

tap.test("two supervisors leave each other's orphans alone", function()
  local mark = services.mark()
  local script = ("(setsid sleep %s &); exec sleep 100"):format(mark)
  with({ a = { command = { shell = script } } }, function(sup)
    sup:start "a"
    tap.eventually(function() return count(mark) == 1 end, 30)
    with({ b = { command = "sleep 100" } }, function(other)
      other:start "b"
    end)
    is(count(mark), 1)
  end)
  is(count(mark), 0)
end)

tap.test("io.popen and os.execute are refused, as their children look like "
  .. "strangers", function()
  ok(io.popen "true":close(), "without a supervisor they work")
  with({ a = { command = "sleep 100" } }, function()
    tap.throws(function() io.popen "true" end, "io.popen: not in a process")
    tap.throws(function() os.execute "true" end, "UsageError")
    is(os.execute(), true, "it starts nothing")
  end)
  ok(os.execute "true")
end)

tap.test("strangers are reaped, and no exit status is stolen", function()
  local mark = services.mark()
  with({ a = { command = { shell = ("while :; do (sleep 0.001 &); (true &); "
    .. "(exit 3 &); : %s; done"):format(mark) } } }, function(sup)
    sup:start "a"
    local wrong = 0
    task.map((function()
      local list = {}
      for i = 1, 500 do list[i] = i end
      return list
    end)(), function(i)
      local p = process.spawn { "sh", "-c", "exit " .. i % 256 }
      if p:wait().code ~= i % 256 then wrong = wrong + 1 end
    end, { jobs = 20 })
    is(wrong, 0)
  end)
  local living, dead = tree.look():orphans()
  is(#living + #dead, 0, "and no zombie is left")
end)

tap.done()
