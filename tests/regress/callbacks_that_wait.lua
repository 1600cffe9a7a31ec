-- A callback of a loop that waited, or that cancelled the task that it was
-- called by, held up those behind it until another was given.

local asyncio = require "luvisor.asyncio"
local core = require "luvisor.core.task"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- Calls fn in the running loop, and another callback after it; waits for that.
local function both(fn)
  local loop, second = asyncio.get_running_loop(), asyncio.Event()
  loop:call_soon(fn)
  loop:call_soon(second.set, second)
  second:wait()
end

-- In a loop of its own, and in the program's.
local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
  tap.test(name .. ", in the program's loop", fn)
end

test("a callback that waits holds up no other one", function()
  local gate = asyncio.Event()
  both(function() gate:wait() end)
  both(function() asyncio.wait_for({ gate.wait, gate }, nil) end)
  gate:set()
  tap.ok(true, "those behind were called")
end)

test("two that wait hold up nobody", function()
  local gate, loop = asyncio.Event(), asyncio.get_running_loop()
  loop:call_soon(function() gate:wait() end)
  both(function() gate:wait() end)
  gate:set()
  tap.ok(true, "the third was called")
end)

test("a callback that is cancelled ends no other one", function()
  both(function()
    core.cancel_once(core.current())
    task.checkpoint()
  end)
  both(function()
    task.current():cancel()
    task.checkpoint()
  end)
  tap.ok(true, "those behind were called")
end)

tap.test("callbacks of a cancelled run are called all the same", function()
  local calls, shielded = 0, nil
  task.nursery(function(n)
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      local future = loop:create_future()
      local function count()
        calls = calls + 1
        if calls == 2 then n:cancel() end
        if calls < 5 then return loop:call_soon(count) end
        future:set_result "served"
      end
      loop:call_soon(count)
      shielded = task.shield(future.await, future)
    end)
  end)
  tap.is(calls, 5)
  tap.is(shielded, "served")
end)

tap.test("a callback that is called again and again ends with its run",
function()
  local calls = 0
  task.nursery(function(n)
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function(_, context)
        tap.ok(false, context.message)
      end)
      local function count()
        calls = calls + 1
        if calls == 5 then n:cancel() end
        loop:call_soon(count)
      end
      loop:call_soon(count)
      loop:create_future():await()
    end)
  end)
  tap.ok(calls >= 5)
end)

tap.done()
