-- What users of other runtimes suffer: a timeout or a cancel that leaves the
-- process running, loses what it wrote, or never comes back.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local errors = require "luvisor.error"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is_gone <const> = children.is_gone
local LONG <const> = 30 -- seconds; nothing here takes that long

local function sleeper(opts)
  local all = { "sleep", "600" }
  for name, value in pairs(opts or {}) do all[name] = value end
  return process.spawn(all)
end

-- -- Timeouts -----------------------------------------------------------------

tap.test("cpython#83169, kagan#44, device-builder#540, awf#729, synthadoc#288: "
  .. "after a timeout nothing runs, whichever way it was asked for", function()
  local _, err = tap.throws(function()
    process.run { "sleep", "600", timeout = 0.02 }
  end, "Timeout")
  tap.is(err.status.signal, "TERM", "run's own option")
  local ok, caught = task.move_on(0.02, process.run, { "sleep", "600" })
  tap.is(ok, false, "a limit around run")
  tap.is(caught, nil)
  local p
  tap.throws(function()
    task.timeout(0.02, function()
      local q <close> = sleeper { stdout = "pipe" }
      p = q
      q:communicate()
    end)
  end, "Timeout")
  tap.is(p.status.signal, "TERM", "a limit around a handle's block")
  tap.is_deeply(require "luvisor.core.process".children(), {})
end)

tap.test("luvit, node exec: a timeout ends the command, not just the wait",
function()
  local _, err = tap.throws(function()
    process.run { shell = "echo $$; sleep 600; echo hi", timeout = 0.2 }
  end, "Timeout")
  local pid = tonumber(err.stdout)
  tap.ok(is_gone(pid))
  tap.throws(function() signal.send(pid, 0) end, "NoProcess", "it is reaped")
  _, err = tap.throws(function()
    process.run { shell = "echo $$; yes", max_output = 100000 }
  end, "LimitOverrun")
  tap.ok(is_gone(tonumber(err.stdout:match "%d+")), "and so does max_output")
end)

-- A tree: each level has two that sleep, and the next level. Writes all pids.
local TREE <const> = [[
  tree() {
    sleep 600 & echo $!
    sleep 600 & echo $!
    if [ $1 -gt 0 ]; then (tree $(($1 - 1)); wait) & echo $!; fi
  }
  tree 3; echo end; wait]]

tap.test("node-v0.x#1811, execa#96, #170, qdone#32, aislop#279, nearai#38, "
  .. "openclaw#121051: descendants of any depth end, too", function()
  local _, err = tap.throws(function()
    process.run { "sh", "-c", TREE, timeout = 0.5 }
  end, "Timeout")
  local n = 0
  for pid in err.stdout:gmatch "%d+" do
    n = n + 1
    tap.eventually(function() return is_gone(pid) end)
  end
  tap.is(n, 11)
end)

-- -- Cancelling ---------------------------------------------------------------

tap.test("trio#3237: cancelling a shell ends what the shell has started",
function()
  local p
  task.nursery(function(n)
    n:spawn(function()
      local q <close> = process.spawn { shell = "sleep 600 & echo $!; wait",
                                        stdout = "pipe" }
      p = q
      q.pid_of_child = tonumber(q.stdout:readline())
      q:wait()
    end)
    tap.eventually(function() return p and p.pid_of_child end)
    n:cancel()
  end)
  tap.eventually(function() return is_gone(p.pid_of_child) end)
  tap.is(p.status.signal, "TERM")
end)

tap.test("cpython#139373: a cancelled communicate has lost nothing, however "
  .. "often", function()
  local p <close> = process.spawn { "seq", "200000", stdout = "pipe",
                                    limit = 4096 }
  local result
  for i = 1, 100 do
    local talking = task.spawn(p.communicate, p)
    for _ = 1, i % 4 do task.checkpoint() end
    talking:cancel()
    local ended, value = pcall(talking.join, talking)
    if ended then
      result = value
      break
    end
  end
  local out = (result or p:communicate()).stdout
  tap.is(#out, 1288895)
  tap.ok(out == process.capture { "seq", "200000" } .. "\n")
end)

tap.test("cpython#103847: cancelled between the spawn and communicate",
function()
  local p
  local t = task.spawn(function()
    local q <close> = sleeper { stdout = "pipe" }
    p = q
    task.checkpoint()
    q:communicate()
  end)
  task.checkpoint()
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  tap.is(p.status.signal, "TERM")
end)

tap.test("cpython#118516: spawn does not wait, so there is nothing in it to "
  .. "cancel", function()
  local p
  task.move_on(0, function()
    pcall(task.shield, task.checkpoint)
    local q <close> = sleeper()
    p = q
    tap.is(q.status, nil, "it runs, as in any other scope")
    q:wait()
  end)
  tap.is(p.status.signal, "TERM", "and the cancel comes at the next wait")
end)

tap.test("cpython#125502, #88050, #114177, #100055: a program ends, without a "
  .. "word and without orphans, though its children were cancelled", function()
  local r = children.run([[
    local pids = {}
    local function talk(argv)
      local p = process.spawn(argv)
      pids[#pids + 1] = p.pid
      local _ <close> = p
      p:communicate()
    end
    task.nursery(function(n)
      for _ = 1, 10 do
        n:spawn(talk, { "sleep", "600", stdout = "pipe" })
        n:spawn(talk, { "cat", stdin = "pipe", stdout = "pipe" })
        n:spawn(process.run, { "sleep", "600" })
      end
      task.checkpoint()
      process.spawn { "sleep", "600", stdin = "pipe" } -- and nobody's
      n:cancel()
    end)
    print(table.concat(pids, " "))
    local t = task.spawn(function() process.spawn { "true" }:wait() end)
    t:cancel()
  ]], { timeout = LONG })
  tap.is(r.stderr, "")
  local n = 0
  for pid in r.stdout:gmatch "%d+" do
    n = n + 1
    if not is_gone(pid) then tap.ok(false, pid .. " is left") end
  end
  tap.is(n, 20)
end)

-- A program of root's that does not let itself be killed by its user: it takes
-- on root's user id as well, as sudo does.
local function with_setuid(fn)
  children.need_root()
  children.need "setpriv"
  local dir <close> = children.tmpdir()
  local program, luvisor = dir.path .. "/root", dir.path .. "/luvisor"
  process.run { "cp", process.which "setpriv", program }
  process.run { "cp", children.LUVISOR, luvisor }
  process.run { "chmod", "755", os.getenv "TMPDIR", dir.path, luvisor }
  process.run { "chmod", "4755", program }
  local who = process.run { program, "--reuid", "0", "id", "-u", user = 65534,
                            cwd = "/", check = false }
  if who.stdout ~= "0\n" then tap.skip "no setuid programs here" end
  fn(luvisor, program)
end

-- Tries all that ends a child on one that runs as root, by a nobody.
local UNKILLABLE <const> = [[
  local process = require "luvisor.process"
  local task = require "luvisor.task"
  local function argv(opts)
    table.move({ arg[1], "--reuid", "0", "sh", "-c",
                 "echo $$; exec sleep 600" }, 1, 6, 1, opts)
    return opts
  end
  local p = process.spawn(argv { stdout = "pipe" })
  print(p.stdout:readline())
  for _, end_it in ipairs { p.kill, p.terminate, p.stop, p.close } do
    local ok, err = pcall(end_it, p)
    print(ok, err.kind, err.code)
  end
  print(p.status)
  local ok, err = pcall(process.run, argv { timeout = 0.5 })
  io.write(err.stdout)
  print(ok, err.code, err.cause.kind, err.argv[1] == arg[1])
]]

tap.test("trio#1209, #1525: a child that cannot be killed is told of, not "
  .. "waited for", function()
  with_setuid(function(luvisor, program)
    local asan = os.getenv "ASAN_OPTIONS" or ""
    local r = process.run { luvisor, "-e", UNKILLABLE, program, user = 65534,
      cwd = "/", check = false, timeout = LONG, linger = 0.05,
      leftover = "leave", env = { ASAN_OPTIONS = asan .. ":detect_leaks=0" } }
    local said = r.stdout:gsub("(%d+)\n", function(pid)
      signal.send(tonumber(pid), "KILL") -- we are root
      return "PID\n"
    end)
    tap.is(said, "PID\n" .. ("false\tOSError\tEPERM\n"):rep(4) .. "nil\n"
      .. "PID\nfalse\tEPERM\tTimeout\ttrue\n")
    tap.like(r.stderr, "Operation not permitted", "its end says so, too")
    tap.is(r.code, 1)
  end)
end)

-- -- Nurseries ----------------------------------------------------------------

tap.test("trio#1104: a process may be started into a nursery", function()
  local p
  task.nursery(function(n)
    p = n:start(function(started)
      local q <close> = sleeper()
      started(q)
      q:wait()
    end)
    tap.is(p.status, nil, "it runs, and the nursery's body has it")
    n:cancel()
  end)
  tap.is(p.status.signal, "TERM", "and it does not outlive the nursery")
end)

tap.test("trio#2923: the error of one command comes bare through nurseries",
function()
  local _, err = tap.throws(function()
    task.nursery(function(n)
      n:spawn(task.nursery, function(inner)
        inner:spawn(process.run, { "sh", "-c", "echo why >&2; exit 9" })
        inner:spawn(process.run, { "sleep", "600" })
      end)
    end)
  end, "ExitError")
  tap.ok(errors.is_error(err))
  tap.is(err.status.code, 9)
  tap.is(err.stderr, "why\n")
end)

tap.done()
