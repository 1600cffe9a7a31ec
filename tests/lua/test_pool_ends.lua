-- The ends of workers: by themselves, by force, by cancellation. No call waits
-- for one that is dead, and nothing is left of it.

local core_os = require "luvisor.core.os"
local core_pool = require "luvisor.core.pool"
local core_process = require "luvisor.core.process"
local links = require "luvisor.pool.link"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local values = require "luvisor.pool.values"

local pools = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/pools.lua")

local TOLD <const> = pools.TOLD
local new, told, is_gone = pools.new, pools.told, pools.is_gone

-- Death -----------------------------------------------------------------------

tap.test("a worker that is killed raises WorkerDied for its call", function()
  local p <close> = new(1)
  local t = task.detached(pcall, p.call, p, "wait", TOLD)
  local there = told()
  signal.send(there, "KILL")
  local ok, err = t:join()
  tap.is(ok, false)
  tap.is(err.kind, "WorkerDied")
  tap.is(tostring(err.status), "killed by KILL")
  tap.is(err.status.returncode, -9)
  tap.is(tostring(err), ("the worker (pid %d) died during wait: killed by KILL")
    :format(there))
  tap.isnt(p:call "pid", there, "another takes its place")
end)

tap.test("what a worker said before it ended is not lost", function()
  local hello = values.encode(true, "no.such.module", false, "", "")
  local link = links.start(hello)
  link.process:wait()
  local success, err = link:ask(values.encode("f"))
  tap.is(success, nil)
  tap.like(tostring(err), 'module "no.such.module" cannot be loaded')
  tap.throws(function() link:ask "x" end, "BrokenPipe",
    "that was its last word")
  link:kill()
end)

tap.test("os.exit in a function ends the worker, with that code", function()
  local p <close> = new(1)
  for _, code in ipairs { 0, 7 } do
    local _, err = tap.throws(function() p:call("exit", code) end, "WorkerDied")
    tap.is(err.status.code, code)
  end
  tap.is(p:call("echo", 1), 1)
end)

tap.test("a signal that a function dies of ends the worker alone", function()
  local p <close> = new(1)
  for _, sig in ipairs { "ABRT", "USR1", "TERM" } do
    local _, err = tap.throws(function() p:call("die", sig) end, "WorkerDied")
    tap.ok(err.status.signal == sig or err.status.code == 143, sig)
  end
end)

tap.test("the calls in other workers do not notice", function()
  local p <close> = new(3)
  local results = {}
  task.nursery(function(n)
    for i = 1, 3 do
      n:spawn(function()
        results[i] = select(2, pcall(p.call, p, i == 2 and "die" or "echo",
          i == 2 and "KILL" or i))
      end)
    end
  end)
  tap.is(results[1], 1)
  tap.is(results[2].kind, "WorkerDied")
  tap.is(results[3], 3)
end)

tap.test("a worker that dies idle is replaced without a word", function()
  local p <close> = new(2)
  for _ = 1, 3 do
    local there = p:call "pid"
    signal.send(there, "KILL")
    tap.eventually(function() return is_gone(there) end)
    task.sleep(0.001) -- the loop has its turn
    tap.isnt(p:call "pid", there)
  end
end)

tap.test("also if nobody has noticed its death yet", function()
  local p <close> = new(1)
  local there = p:call "pid"
  signal.send(there, "KILL")
  repeat until is_gone(there) -- the loop has no turn
  tap.isnt(p:call "pid", there)
end)

tap.test("a child that a dead worker leaves does not hold the call", function()
  local p <close> = new(1)
  tap.throws(function() p:call("leave_grandchild", TOLD) end, "WorkerDied")
  signal.send(told(), "KILL")
end)

tap.test("a worker that cannot be started is told of, and tried again",
  function()
    local p <close> = new(1)
    local executable = core_pool.executable
    core_pool.executable = function() return "/no/such/program" end
    for _ = 1, 3 do
      local _, err = tap.throws(function() p:call("echo", 1) end, "SpawnError")
      tap.is(err.code, "ENOENT")
    end
    core_pool.executable = executable
    tap.is(p:call("echo", 1), 1)
  end)

-- Cancellation ----------------------------------------------------------------

tap.test("a time limit kills a worker, whatever it does", function()
  local p <close> = new(1)
  for _, fn in ipairs { "wait", "spin", "stop" } do
    local there = p:call "pid"
    tap.throws(function() task.timeout(0.05, p.call, p, fn) end, "Timeout")
    tap.ok(is_gone(there), "it is gone when the call is over: " .. fn)
    tap.is(p:call("echo", fn), fn, "and another has its place")
  end
end)

tap.test("and its children with it", function()
  local p <close> = new(1)
  for _, fn in ipairs { "child", "spin_with_child" } do
    local t = task.detached(p.call, p, fn, TOLD)
    local child = told()
    t:cancel()
    tap.throws(function() t:join() end, "Cancelled")
    tap.eventually(function() return is_gone(child) end, fn)
  end
end)

tap.test("a call may be cancelled at each moment", function()
  local p <close> = new(1)
  local payload, turns, done = ("x"):rep(200000), 0, 0
  while done < 3 do
    local result
    local t = task.detached(function()
      result = p:call("echo", payload)
    end)
    for _ = 1, turns do task.checkpoint() end
    t:cancel()
    pcall(t.join, t)
    if result then
      done = done + 1
      if result ~= payload then tap.ok(false, "the result") end
    end
    turns = turns + 1 + turns // 4
    if p:call("echo", turns) ~= turns then tap.ok(false, "the next call") end
  end
  tap.like(tostring(p), "^pool %(1 of 1 workers, 0 busy, 0 calls waiting%)")
end)

tap.test("a call that waits for a worker is cancelled without harm", function()
  local p <close> = new(1)
  local there = p:call "pid"
  local first = task.detached(p.call, p, "wait", TOLD)
  told()
  local waiting = {}
  for i = 1, 3 do waiting[i] = task.detached(p.call, p, "pid") end
  task.checkpoint()
  tap.like(tostring(p), "1 busy, 3 calls waiting")
  waiting[2]:cancel()
  tap.throws(function() waiting[2]:join() end, "Cancelled")
  tap.ok(not is_gone(there), "the worker goes on")
  first:cancel()
  local one, three = waiting[1]:join(), waiting[3]:join()
  tap.is(one, three, "the others are served")
  tap.isnt(one, there)
end)

tap.test("nor is a worker harmed by who is cancelled when it is his turn",
  function()
    local p <close> = new(1)
    local there = p:call "pid"
    local second
    local first = task.detached(function()
      p:call "echo"
      second:cancel() -- it was served, and has not run
    end)
    second = task.detached(p.call, p, "echo")
    first:join()
    tap.throws(function() second:join() end, "Cancelled")
    tap.is(p:call "pid", there)
    tap.throws(function()
      task.timeout(0, p.call, p, "echo")
    end, "Timeout", "nor by one in a cancelled scope")
    tap.is(p:call "pid", there)
  end)

tap.test("deaths and cancellations leave no descriptor", function()
  local p <close> = new(2)
  p:call "echo"
  local before
  for i = 1, 20 do
    pcall(p.call, p, "die", "KILL")
    task.move_on(0.02, p.call, p, "spin")
    p:call "echo"
    if i == 5 then before = #core_os.fds() end
  end
  collectgarbage()
  tap.ok(#core_os.fds() <= before, "no more than before")
  tap.is(#core_process.children(), 1, "one worker is left")
end)

tap.done()
