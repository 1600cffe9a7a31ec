-- Counterparts of test_asyncio/test_waitfor.py. Python's SlowTask, which takes
-- its time whatever happens, is a function that ignores its cancellation until
-- an event of its own is set.

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local LONG <const> = 60 -- seconds: whoever sleeps so long is cancelled
local SHORT <const> = 0.001

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn(n)
  for _ = 1, n or 1 do asyncio.sleep(0) end
end

local Finally = { __close = function(self) self.fn() end }

local function finally(fn)
  return setmetatable({ fn = fn }, Finally)
end

-- A function that is slow to end, and a table that tells whether it has.
local function slow()
  local state = { exited = false }
  return function()
    asyncio.pcall(asyncio.sleep, LONG)
    asyncio.pcall(asyncio.sleep, SHORT)
    turn(2)
    state.exited = true
  end, state
end

local function times_out(fn)
  return select(2, tap.throws(fn, asyncio.TimeoutError))
end

-- wait_for --------------------------------------------------------------------

test("test_asyncio_wait_for_cancelled: waits for the end of what it cancels",
  function()
    local run, state = slow()
    local t = asyncio.create_task(asyncio.wait_for, run, LONG)
    turn(2)
    t:cancel()
    asyncio.wait { t }
    tap.ok(state.exited)
  end)

test("test_asyncio_wait_for_timeout: so it does when the time is over",
  function()
    local run, state = slow()
    pcall(asyncio.wait_for, run, SHORT)
    tap.ok(state.exited)
  end)

test("test_wait_for_timeout_less_then_0_or_0_future_done", function()
  local fut = asyncio.get_running_loop():create_future()
  fut:set_result "done"
  tap.is(asyncio.wait_for(fut, 0), "done")
  tap.ok(fut:done())
end)

test("test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started",
  function()
    local started = false
    times_out(function()
      asyncio.wait_for(function() started = true end, 0)
    end)
    turn(2)
    tap.ok(not started)
  end)

test("test_wait_for_timeout_less_then_0_or_0: what runs is cancelled",
  function()
    for _, timeout in ipairs { 0, -1 } do
      local running
      local started = asyncio.get_running_loop():create_future()
      local t = asyncio.create_task(function()
        running = true
        started:set_result(nil)
        local _ <close> = finally(function() running = false end)
        asyncio.sleep(LONG)
      end)
      started:await()
      times_out(function() asyncio.wait_for(t, timeout) end)
      tap.ok(t:done())
      tap.ok(t:cancelled())
      tap.is(running, false)
    end
  end)

test("test_wait_for: a task is cancelled when the time is over", function()
  local running
  local t = asyncio.create_task(function()
    running = true
    local _ <close> = finally(function() running = false end)
    asyncio.sleep(LONG)
  end)
  local err = times_out(function() asyncio.wait_for(t, SHORT) end)
  tap.like(tostring(err), "timed out")
  tap.ok(t:done())
  tap.ok(t:cancelled())
  tap.is(running, false)
end)

test("test_wait_for_blocking: without a limit", function()
  local function done() return "done" end
  tap.is(asyncio.wait_for(done, nil), "done")
  tap.is(asyncio.wait_for(done, { timeout = LONG }), "done")
  tap.is(asyncio.wait_for(done), "done")
end)

test("test_wait_for_race_condition: the result comes first", function()
  local loop = asyncio.get_running_loop()
  local fut = loop:create_future()
  loop:call_soon(fut.set_result, fut, "ok")
  tap.is(asyncio.wait_for(fut, LONG), "ok")
end)

test("test_wait_for_cancellation_race_condition: a result is returned though "
  .. "the time is over", function()
    local result = asyncio.wait_for(function()
      local ok, err = asyncio.pcall(asyncio.sleep, LONG)
      tap.ok(not ok and err:is(asyncio.CancelledError))
      return 1
    end, SHORT)
    tap.is(result, 1)
  end)

-- Sleeps, and takes a while to clean up when it is cancelled.
local function slow_cleanup(state)
  local _ <close> = finally(function()
    asyncio.sleep(SHORT)
    state.done = true
  end)
  asyncio.sleep(LONG)
end

test("test_wait_for_waits_for_task_cancellation", function()
  local state = {}
  local t = asyncio.create_task(slow_cleanup, state)
  times_out(function() asyncio.wait_for(t, SHORT) end)
  tap.ok(state.done)
  tap.ok(t:cancelled())
end)

test("test_wait_for_waits_for_task_cancellation_w_timeout_0", function()
  local state = {}
  local t = asyncio.create_task(slow_cleanup, state)
  turn()
  times_out(function() asyncio.wait_for(t, 0) end)
  tap.ok(state.done)
  tap.ok(t:cancelled())
end)

test("test_wait_for_reraises_exception_during_cancellation", function()
  local t = asyncio.create_task(function()
    local _ <close> = finally(function()
      errors.raise { kind = "Foo", message = "foo" }
    end)
    asyncio.sleep(LONG)
  end)
  tap.throws(function() asyncio.wait_for(t, SHORT) end, "Foo")
end)

-- Cancels a wait_for; the task that it waits for is cancelled, too.
local function cancel_wait_for(timeout)
  local loop = asyncio.get_running_loop()
  local t = asyncio.create_task(function() loop:create_future():await() end)
  local wait = asyncio.create_task(function()
    asyncio.wait_for(t, timeout)
  end)
  loop:call_soon(wait.cancel, wait)
  tap.throws(function() wait:await() end, asyncio.CancelledError)
  tap.ok(t:cancelled())
end

test("test_cancel_blocking_wait_for", function() cancel_wait_for(nil) end)

test("test_cancel_wait_for", function() cancel_wait_for(LONG) end)

test("test_wait_for_cancel_suppressed: who ignores it and returns",
  function()
    tap.is(asyncio.wait_for(function()
      asyncio.pcall(asyncio.sleep, LONG)
      return 42
    end, SHORT), 42)
  end)

test("test_wait_for_issue86296: cancelled when what it waits for is done",
  function()
    local reached_end = false
    local inner = asyncio.create_task(function() return "done" end)
    local t = asyncio.create_task(function()
      asyncio.wait_for(inner, LONG)
      asyncio.sleep(LONG)
      reached_end = true
    end)
    tap.ok(not t:done())
    turn()
    t:cancel()
    tap.throws(function() t:await() end, asyncio.CancelledError)
    tap.ok(inner:done())
    tap.is(inner:await(), "done")
    tap.ok(not reached_end)
  end)

-- With shield -----------------------------------------------------------------

-- A task that returns when the event is set.
local function start_waiting(event)
  return asyncio.create_task(function()
    event:wait()
    return "done"
  end)
end

test("test_zero_timeout: a shield is cancelled, what is in it goes on",
  function()
    local event = asyncio.Event()
    local t = start_waiting(event)
    local shielded = asyncio.create_task(asyncio.shield, t)
    times_out(function() asyncio.wait_for(shielded, 0) end)
    tap.ok(not t:done())
    tap.ok(not t:cancelled())
    tap.ok(shielded:cancelled())
    event:set()
    tap.is(t:await(), "done")
  end)

test("test_none_timeout: without a limit", function()
  local event = asyncio.Event()
  local t = start_waiting(event)
  asyncio.get_running_loop():call_later(SHORT, event.set, event)
  tap.is(asyncio.wait_for({ asyncio.shield, t }, nil), "done")
  tap.ok(t:done())
  tap.is(t:await(), "done")
end)

test("test_shielded_timeout: what is in it goes on", function()
  local event = asyncio.Event()
  local t = start_waiting(event)
  times_out(function() asyncio.wait_for({ asyncio.shield, t }, SHORT) end)
  tap.ok(not t:done())
  tap.ok(not t:cancelled())
  event:set()
  tap.is(t:await(), "done")
end)

tap.done()
