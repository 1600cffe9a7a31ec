-- Python's test_tasks.py: cancelling.
local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local task = require "luvisor.task"
local tap = require "luvisor.tap"

local LONG <const> = 60 -- nobody waits so long

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

local function sleep_long()
  asyncio.sleep(LONG)
end

local function is_cancelled(t, reason)
  local _, err = tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.is(err.reason, reason, "the message of the cancellation")
  tap.ok(t:done() and t:cancelled())
  tap.is(t:cancel(), false, "it cannot be cancelled again")
end

-- Messages --------------------------------------------------------------------

local messages <const> = { "none", "my message", 5 }

local function message(i)
  if i == 1 then return nil end
  return messages[i]
end

test("test_task_cancel_message_getter: a message comes with Cancelled",
  function()
    local t = asyncio.create_task(turn)
    t:cancel "my message"
    is_cancelled(t, "my message")
  end)

test("test_task_cancel_message_setter: the last message counts", function()
  local t = asyncio.create_task(turn)
  t:cancel "my message"
  t:cancel "my new message"
  is_cancelled(t, "my new message")
end)

test("test_cancel_with_message_then_future_result", function()
  for i = 1, #messages do
    local t = asyncio.create_task(sleep_long)
    turn()
    t:cancel(message(i))
    asyncio.wait { t }
    local _, err = tap.throws(function() t:result() end, "Cancelled")
    tap.is(err.reason, message(i))
  end
end)

test("test_cancel_with_message_then_future_exception", function()
  for i = 1, #messages do
    local t = asyncio.create_task(sleep_long)
    turn()
    t:cancel(message(i))
    asyncio.wait { t }
    local _, err = tap.throws(function() t:exception() end, "Cancelled")
    tap.is(err.reason, message(i))
  end
end)

test("test_cancel_with_message_before_starting_task", function()
  local begun = false
  local t = asyncio.create_task(function() begun = true end)
  t:cancel "my message"
  asyncio.wait { t }
  is_cancelled(t, "my message")
  tap.is(begun, false)
end)

test("test_cancellation_exception_context: as the cause of another error",
  function()
    local fut = asyncio.Future()
    local t = asyncio.create_task(function()
      local inner = asyncio.create_task(function()
        fut:set_result()
        sleep_long()
      end)
      fut:await()
      asyncio.get_running_loop():call_soon(inner.cancel, inner, "msg")
      local _, err = pcall(inner.await, inner)
      errors.raise { kind = "ValueError", message = "cancelled", cause = err }
    end)
    local _, err = tap.throws(function() t:await() end, "ValueError")
    tap.is(err.cause.kind, "Cancelled")
    tap.is(err.cause.reason, "msg")
  end)

-- Where it reaches ------------------------------------------------------------

test("test_cancel: of a task that sleeps", function()
  local t = asyncio.create_task(function()
    sleep_long()
    return 12
  end)
  asyncio.get_running_loop():call_soon(t.cancel, t)
  is_cancelled(t)
end)

test("test_cancel_yield: of a task that lets others have a turn", function()
  local t = asyncio.create_task(function()
    turn()
    turn()
    return 12
  end)
  turn()
  t:cancel()
  is_cancelled(t)
end)

test("test_cancel_inner_future: of what a task awaits", function()
  local f = asyncio.Future()
  local t = asyncio.create_task(function()
    f:await()
    return 12
  end)
  turn()
  f:cancel()
  is_cancelled(t)
  tap.ok(f:cancelled())
end)

test("test_cancel_both_task_and_inner_future", function()
  local f = asyncio.Future()
  local t = asyncio.create_task(function()
    f:await()
    return 12
  end)
  turn()
  f:cancel()
  t:cancel()
  is_cancelled(t)
  tap.ok(f:cancelled())
end)

test("test_task_cancel_waiter_future: a task cancels what it awaits", function()
  local f = asyncio.Future()
  local t = asyncio.create_task(f.await, f)
  turn()
  t:cancel()
  tap.ok(f:cancelled(), "at once")
  is_cancelled(t)
end)

test("test_cancel_task_catching: a task may catch it", function()
  local fut1, fut2 = asyncio.Future(), asyncio.Future()
  local t = asyncio.create_task(function()
    fut1:await()
    local ok, err = asyncio.pcall(fut2.await, fut2)
    if not ok and err:is(asyncio.CancelledError) then return 42 end
  end)
  turn()
  fut1:set_result()
  turn()
  t:cancel()
  tap.ok(fut2:cancelled())
  tap.is(t:await(), 42)
  tap.ok(not t:cancelled())
end)

test("test_cancel_task_ignoring: and go on waiting", function()
  local fut1, fut2, fut3 = asyncio.Future(), asyncio.Future(), asyncio.Future()
  local t = asyncio.create_task(function()
    fut1:await()
    asyncio.pcall(fut2.await, fut2)
    return fut3:await()
  end)
  turn()
  fut1:set_result()
  turn()
  t:cancel()
  tap.ok(fut2:cancelled())
  turn()
  fut3:set_result(42)
  tap.is(t:await(), 42)
  tap.ok(not fut3:cancelled() and not t:cancelled())
end)

test("test_cancel_current_task: it is felt at the next wait", function()
  local t
  t = asyncio.create_task(function()
    t:cancel()
    sleep_long()
    return 12
  end)
  is_cancelled(t)
end)

test("test_cancel_at_end: it counts though there is no more wait", function()
  local t
  t = asyncio.create_task(function()
    t:cancel()
    return 12
  end)
  is_cancelled(t)
end)

test("test_cancel_awaited_task: what it awaits next is cancelled", function()
  local fut, nested, t = asyncio.Future(), nil, nil
  t = asyncio.create_task(function()
    nested = asyncio.create_task(fut.await, fut)
    turn()
    t:cancel()
    nested:await()
  end)
  is_cancelled(t)
  tap.ok(nested:cancelled())
  tap.ok(fut:cancelled())
end)

test("test_task_cancel_sleeping_task: by a timer", function()
  local sleeper = asyncio.create_task(sleep_long)
  asyncio.get_running_loop():call_later(0.01, sleeper.cancel, sleeper)
  local ok, err = pcall(sleeper.await, sleeper)
  tap.ok(not ok and err:is "Cancelled", "an ordinary error for who awaits it")
end)

test("test_sleep_cancel: the timer of a sleep goes with it", function()
  local loop = asyncio.get_running_loop()
  local t = asyncio.create_task(asyncio.sleep, LONG, "yeah")
  turn()
  t:cancel()
  is_cancelled(t)
  local fut = loop:create_future()
  local handle = loop:call_later(LONG, fut.set_result, fut)
  handle:cancel()
  tap.ok(handle:cancelled())
end)

test("test_yield_future_passes_cancel: through all calls", function()
  local proof, waiter = 0, asyncio.Future()
  local function inner()
    local _, err = asyncio.pcall(waiter.await, waiter)
    proof = proof + 1
    error(err, 0)
  end
  local f = asyncio.create_task(function()
    local ok = asyncio.pcall(inner)
    proof = proof + (ok and 10 or 100)
  end)
  turn()
  f:cancel()
  f:await()
  tap.is(proof, 101)
  tap.ok(waiter:cancelled())
end)

test("test_cancel_traceback_for_future_result: where it was", function()
  local t = asyncio.create_task(sleep_long)
  turn()
  tap.like(t:get_stack(), "tasks_cancel%.lua:%d+: in function")
  t:cancel()
  is_cancelled(t)
end)

test("tasks that wait for each other in a ring can be cancelled", function()
  local a, b
  a = asyncio.create_task(function() b:await() end)
  b = asyncio.create_task(function() a:await() end)
  turn()
  a:cancel "ring"
  asyncio.wait { a, b }
  tap.ok(a:cancelled() and b:cancelled())
end)

test("test_task_awaits_on_itself", function()
  local t
  t = asyncio.create_task(function() t:await() end)
  tap.throws(function() t:await() end, "cannot wait for itself")
end)

-- pcall and shields -----------------------------------------------------------

test("pcall, xpcall and try let it pass, asyncio.pcall does not", function()
  local lv = require "luvisor"
  for _, catch in ipairs { pcall, lv.try, function(fn, ...)
    return xpcall(fn, tostring, ...)
  end } do
    local went_on = false
    local t = asyncio.create_task(function()
      catch(sleep_long)
      went_on = true
    end)
    turn()
    t:cancel()
    is_cancelled(t)
    tap.is(went_on, false)
  end
end)

test("a shield of luvisor.task puts it off", function()
  local fut, log = asyncio.Future(), {}
  local t = asyncio.create_task(function()
    task.shield(function() log[1] = fut:await() end)
    log[2] = "after"
    sleep_long()
  end)
  turn()
  t:cancel "late"
  tap.ok(not fut:cancelled())
  fut:set_result "inside"
  is_cancelled(t, "late")
  tap.is_deeply(log, { "inside", "after" })
end)

test("a time limit of luvisor.task cancels what is awaited", function()
  local fut = asyncio.Future()
  tap.throws(function() task.timeout(0, fut.await, fut) end, "Timeout")
  tap.ok(fut:cancelled())
  tap.is(asyncio.current_task():cancelling(), 0)
  turn()
end)

-- cancelling and uncancel -----------------------------------------------------

test("test_cancelling: requests are counted", function()
  local t = asyncio.create_task(sleep_long)
  tap.is(t:cancelling(), 0)
  tap.ok(not tostring(t):find "cancelling")
  tap.ok(t:cancel())
  tap.is(t:cancelling(), 1)
  tap.like(tostring(t), "%[cancelling%]")
  tap.ok(t:cancel())
  tap.is(t:cancelling(), 2)
  is_cancelled(t)
end)

test("test_uncancel_basic", function()
  local t = asyncio.create_task(function()
    asyncio.pcall(sleep_long)
    asyncio.current_task():uncancel()
    sleep_long()
  end)
  turn()
  tap.ok(t:cancel())
  tap.is(t:cancelling(), 1)
  tap.ok(not t:cancelled())
  turn()
  tap.is(t:cancelling(), 0)
  tap.ok(not tostring(t):find "cancelling")
  tap.ok(t:cancel())
  tap.is(t:cancelling(), 1)
  is_cancelled(t)
  t:uncancel()
  tap.ok(t:cancelled() and t:done())
end)

test("test_uncancel_resets_must_cancel: what was not felt yet", function()
  local fut = asyncio.Future()
  local t = asyncio.create_task(function()
    fut:await()
    turn()
    return 42
  end)
  turn()
  fut:set_result()
  t:cancel()
  tap.is(t:cancelling(), 1)
  t:uncancel()
  tap.is(t:cancelling(), 0)
  tap.is(t:await(), 42)
end)

-- What asyncio.timeout does, by hand.
local function request(delay, limit)
  local t, loop = asyncio.current_task(), asyncio.get_running_loop()
  local timed_out, finished = false, false
  local handle = loop:call_later(limit, function()
    timed_out = true
    t:cancel()
  end)
  asyncio.pcall(function()
    asyncio.sleep(delay)
    finished = true
  end)
  handle:cancel()
  if timed_out then t:uncancel() end
  turn() -- what comes later is not cancelled
  return timed_out, finished
end

test("test_uncancel_structured_blocks", function()
  local t = asyncio.create_task(request, LONG, 0.01)
  tap.is_deeply({ t:await() }, { true, false })
  tap.is(t:cancelling(), 0)
  t = asyncio.create_task(request, 0, LONG)
  tap.is_deeply({ t:await() }, { false, true })
  tap.is(t:cancelling(), 0)
end)

tap.done()
