-- The ends of pools: closed, dropped, or with their program. No worker is left.

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local pools = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/pools.lua")

local LUVISOR <const> = os.getenv "LUVISOR"
local TOLD <const> = pools.TOLD
local new, told, is_gone = pools.new, pools.told, pools.is_gone

-- Closing ---------------------------------------------------------------------

tap.test("close ends the calls under way, and those that wait", function()
  local p = new(2)
  local calls, pids = {}, {}
  for i, fn in ipairs { "wait", "spin", "echo", "echo" } do
    calls[i] = task.detached(pcall, p.call, p, fn, TOLD .. i)
  end
  for i = 1, 2 do pids[i] = told(TOLD .. i) end
  p:close()
  for i = 1, 2 do tap.ok(is_gone(pids[i]), "worker " .. i) end
  for i = 1, 4 do
    local ok, err = calls[i]:join()
    tap.ok(not ok and err:is "Closed", "call " .. i)
  end
  tap.throws(function() p:call("echo", 1) end, "Closed")
  tap.throws(function() p:map("echo", { 1 }) end, "Closed")
  p:close()
  tap.like(tostring(p), "^pool %(0 of 2 workers, .*, closed%)")
end)

tap.test("close under a big message, in either direction", function()
  for _, fn in ipairs { "wait", "echo" } do
    local p = new(1)
    local t = task.detached(pcall, p.call, p, fn, ("x"):rep(50 << 20))
    task.checkpoint()
    task.checkpoint()
    p:close()
    local ok, err = t:join()
    tap.ok(not ok and err:is "Closed", fn)
  end
end)

tap.test("a cancelled close ends the workers all the same", function()
  local p = new(2)
  local pids = p:map("pid", { 1, 2, 3, 4 })
  task.move_on(0, p.close, p)
  for _, there in ipairs(pids) do tap.ok(is_gone(there)) end
  p = new(1)
  local there = p:call "pid"
  tap.throws(function()
    task.timeout(0.05, function()
      local _ <close> = p
      p:call "spin"
    end)
  end, "Timeout")
  tap.ok(is_gone(there))
end)

tap.test("an idle worker cleans up before it ends", function()
  local p = new(1)
  local path = pools.TMP .. "/cleaned"
  p:call(function(name)
    require("luvisor.task").at_exit(function() io.open(name, "w"):close() end)
  end, path)
  p:close()
  tap.ok(os.remove(path), "it has")
end)

-- The end of the program ------------------------------------------------------

local HEAD <const> = [[
  local lv = require "luvisor"
  local pool, task, signal = lv.pool, lv.task, lv.signal
  local MODULE, TOLD = ...
]]

local function start(script)
  return process.spawn { LUVISOR, "-e", HEAD .. script, pools.MODULE, TOLD,
                         stdout = "pipe", stderr = "pipe" }
end

-- Runs a script that prints pids; its result, and what they are.
local function run(script)
  local host <close> = start(script)
  local r = host:communicate(nil, { timeout = 30 })
  local pids = {}
  for there in r.stdout:gmatch "%d+" do pids[#pids + 1] = tonumber(there) end
  return r, pids
end

tap.test("a script that ends leaves no worker, closed or not", function()
  for script, code in pairs {
    [""] = 0, ["p:close()"] = 0, ["os.exit(3)"] = 3, ["error 'x'"] = 1,
    ["task.detached(p.call, p, 'spin')"] = 0,
    ["task.spawn(function() p:call('spin') end) task.sleep(0.05) "
      .. "os.exit(4)"] = 4,
  } do
    local r, pids = run([[
      p = pool.new { workers = 2, module = MODULE }
      print(table.unpack(p:map("pid", { 1, 2, 3 })))
    ]] .. script)
    tap.is(r.code, code, script)
    for _, there in ipairs(pids) do tap.ok(is_gone(there)) end
    if code ~= 1 then tap.is(r.stderr, "", "without a word") end
  end
end)

tap.test("INT ends a script and the workers that compute", function()
  local host <close> = start [[
    local p <close> = pool.new { workers = 1, module = MODULE }
    p:call("spin_with_child", TOLD)
  ]]
  local child = told()
  host:send_signal "INT"
  tap.is(host:wait().code, 130)
  tap.eventually(function() return is_gone(child) end)
end)

tap.test("no worker outlives a program that is killed", function()
  local host <close> = start [[
    local p <close> = pool.new { workers = 4, module = MODULE }
    for i, fn in ipairs { "wait", "spin", "child", "spin_with_child" } do
      task.spawn(p.call, p, fn, TOLD .. i)
    end
    local idle <close> = pool.new { workers = 1, module = MODULE }
    print(idle:call "pid")
    task.sleep(600)
  ]]
  local pids = { tonumber(host.stdout:readline()) }
  for i = 1, 4 do pids[i + 1] = told(TOLD .. i) end
  host:kill()
  host:wait()
  for i = 1, 5 do
    tap.eventually(function() return is_gone(pids[i]) end, "process " .. i)
  end
end)

tap.test("a pool that is dropped lets its workers go, with a warning",
  function()
    local r = run [[
      local function use()
        return pool.new { workers = 1, module = MODULE }:call "pid"
      end
      local there = use()
      for _ = 1, 4 do collectgarbage() end
      while pcall(signal.send, there, 0) do task.sleep(0.005) end
      print "gone"
    ]]
    tap.is(r.stdout, "gone\n")
    tap.like(r.stderr, "^luvisor: warning: the pool made at .*:5 was dropped "
      .. "while it has workers; they end\n$")
    r = run "pool.new { workers = 1 } collectgarbage() collectgarbage()"
    tap.is(r.stderr, "", "one without workers is no matter")
  end)

tap.test("a pool is not dropped while a call is in it", function()
  local r = run [[
    task.spawn(function()
      for _ = 1, 20 do collectgarbage() task.checkpoint() end
    end)
    print(pool.new { workers = 1, module = MODULE }:call("echo", 5))
    os.exit(0)
  ]]
  tap.is(r.stdout, "5\n")
end)

tap.done()
