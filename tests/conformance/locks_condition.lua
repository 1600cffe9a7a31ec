-- Counterparts of test_asyncio/test_locks.py: ConditionTests.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Starts n tasks that wait for the condition and note their number then. Each
-- keeps the lock unless it is told to release it.
local function start_waiting(condition, n, release)
  local result, tasks = {}, {}
  for i = 1, n do
    tasks[i] = asyncio.create_task(function()
      condition:acquire()
      if condition:wait() then result[#result + 1] = i end
      if release then condition:release() end
      return true
    end)
  end
  turn()
  tap.is_deeply(result, {})
  return result, tasks
end

local function all_done(tasks)
  for _, t in ipairs(tasks) do
    tap.ok(t:done())
    tap.ok(t:result())
  end
end

test("test_wait: who is notified goes on when the lock is free", function()
  local condition = asyncio.Condition()
  local result, tasks = start_waiting(condition, 3)
  tap.ok(not condition:locked())

  tap.ok(condition:acquire())
  condition:notify()
  turn()
  tap.is_deeply(result, {})
  tap.ok(condition:locked())
  condition:release()
  turn()
  tap.is_deeply(result, { 1 })
  tap.ok(condition:locked(), "the first has it now")

  condition:notify(2)
  turn()
  tap.is_deeply(result, { 1 })
  for i = 2, 3 do
    condition:release()
    turn()
    tap.is(#result, i)
    tap.is(result[i], i)
    tap.ok(condition:locked())
  end
  all_done(tasks)
end)

test("test_wait_cancel: a cancelled waiter has the lock again", function()
  local condition = asyncio.Condition()
  condition:acquire()
  local wait = asyncio.create_task(condition.wait, condition)
  asyncio.get_running_loop():call_soon(wait.cancel, wait)
  tap.throws(function() wait:await() end, asyncio.CancelledError)
  tap.like(tostring(condition), "%[locked%]>$")
end)

test("test_wait_cancel_contested: the lock is taken again, whoever wants it",
  function()
    local condition = asyncio.Condition()
    condition:acquire()
    local wait = asyncio.create_task(condition.wait, condition)
    turn()
    tap.ok(not condition:locked())

    condition:acquire()
    condition:notify()
    local loop = asyncio.get_running_loop()
    loop:call_soon(wait.cancel, wait)
    loop:call_soon(condition.release, condition)
    asyncio.pcall(wait.await, wait)
    tap.ok(condition:locked())
  end)

test("test_wait_cancel_after_notify: cancelled while it takes the lock again",
  function()
    local condition, waited = asyncio.Condition(), false
    local t = asyncio.create_task(function()
      local _ <close> = condition:acquire()
      waited = true
      condition:wait()
    end)
    turn()
    condition:acquire()
    condition:notify()
    turn()
    t:cancel()
    turn()
    tap.ok(not t:done(), "not before it has the lock")
    condition:release()
    turn()
    tap.ok(t:cancelled())
    tap.ok(waited)
    tap.ok(not condition:locked())
  end)

test("test_wait_unacquired", function()
  local condition = asyncio.Condition()
  tap.throws(function() condition:wait() end,
             "^Condition: wait without the lock")
end)

test("test_wait_for: waits until the predicate holds", function()
  local condition, holds, result = asyncio.Condition(), false, {}
  local t = asyncio.create_task(function()
    local _ <close> = condition:acquire()
    if condition:wait_for(function() return holds end) then
      result[#result + 1] = 1
    end
    return true
  end)
  turn()
  tap.is_deeply(result, {})
  for _, value in ipairs { false, true } do
    holds = value
    do
      local _ <close> = condition:acquire()
      condition:notify()
    end
    turn()
    tap.is(#result, value and 1 or 0)
  end
  all_done { t }
end)

test("test_wait_for_unacquired: no lock is needed where the predicate holds",
  function()
    local condition, list = asyncio.Condition(), { 1, 2, 3 }
    tap.is(condition:wait_for(function() return list end), list)
    tap.throws(function()
      condition:wait_for(function() return false end)
    end, "UsageError")
  end)

test("test_notify: wakes as many as it is told, longest waiting first",
  function()
    local condition = asyncio.Condition()
    local result, tasks = start_waiting(condition, 3, true)
    do
      local _ <close> = condition:acquire()
      condition:notify(1)
    end
    turn()
    tap.is_deeply(result, { 1 })
    do
      local _ <close> = condition:acquire()
      condition:notify(1)
      condition:notify(2048)
    end
    turn()
    tap.is_deeply(result, { 1, 2, 3 })
    all_done(tasks)
  end)

test("test_notify_all: wakes all", function()
  local condition = asyncio.Condition()
  local result, tasks = start_waiting(condition, 2, true)
  do
    local _ <close> = condition:acquire()
    condition:notify_all()
  end
  turn()
  tap.is_deeply(result, { 1, 2 })
  all_done(tasks)
end)

test("test_notify_unacquired", function()
  local condition = asyncio.Condition()
  tap.throws(function() condition:notify() end,
             "^Condition: notify without the lock")
end)

test("test_notify_all_unacquired", function()
  local condition = asyncio.Condition()
  tap.throws(function() condition:notify_all() end,
             "^Condition: notify_all without the lock")
end)

test("test_repr: a condition shows its lock and who waits", function()
  local condition = asyncio.Condition()
  tap.like(tostring(condition), "^<asyncio%.Condition at %S+ %[unlocked%]>$")
  condition:acquire()
  tap.like(tostring(condition), "%[locked%]>$")
  condition:release()
  local _, tasks = start_waiting(condition, 1, true)
  tap.like(tostring(condition), "%[unlocked, waiters:1%]>$")
  local _, more = start_waiting(condition, 1, true)
  tap.like(tostring(condition), "%[unlocked, waiters:2%]>$")
  do
    local _ <close> = condition:acquire()
    condition:notify_all()
  end
  asyncio.gather(tasks[1], more[1])
end)

test("test_context_manager: a condition is released at the end of the block",
  function()
    local condition = asyncio.Condition()
    tap.ok(not condition:locked())
    do
      local _ <close> = condition:acquire()
      tap.ok(condition:locked())
    end
    tap.ok(not condition:locked())
  end)

test("test_explicit_lock: a condition and its lock are taken together",
  function()
    local function check(lock, condition)
      for _, taken in ipairs { condition, lock } do
        tap.ok(not lock:locked() and not condition:locked())
        local _ <close> = taken:acquire()
        tap.ok(lock:locked() and condition:locked())
      end
      tap.ok(not lock:locked() and not condition:locked())
    end
    local lock = asyncio.Lock()
    check(lock, asyncio.Condition(lock))
    check(lock, asyncio.Condition { lock = lock })
    local semaphore = asyncio.Semaphore(1)
    check(semaphore, asyncio.Condition(semaphore))
  end)

test("test_ambiguous_loops: a condition takes a lock and no loop", function()
  local lock = asyncio.Lock()
  tap.throws(function()
    asyncio.Condition { lock = lock, loop = asyncio.get_running_loop() }
  end, 'unknown option "loop"')
  for _, wrong in ipairs { 1, "lock", asyncio.Event() } do
    tap.throws(function() asyncio.Condition(wrong) end,
               "^asyncio%.Condition: lock must be a lock, got")
  end
end)

test("test_timeout_in_block: wait_for around a wait", function()
  local condition = asyncio.Condition()
  local _ <close> = condition:acquire()
  tap.throws(function()
    asyncio.wait_for({ condition.wait, condition }, 0.01)
  end, asyncio.TimeoutError)
end)

-- Starts a task that waits for the condition, catches its cancellation and
-- raises it again. Returns the task and a function that tells what it caught.
local function start_catching(condition, predicate)
  local caught
  local t = asyncio.create_task(function()
    local _ <close> = condition:acquire()
    local ok, err = asyncio.pcall(condition.wait_for, condition, predicate)
    tap.ok(not ok and err:is(asyncio.CancelledError))
    caught = err
    error(err, 0)
  end)
  turn()
  return t, function() return caught end
end

test("test_cancelled_error_wakeup: what cancelled the wait is raised",
  function()
    local condition = asyncio.Condition()
    local t, caught = start_catching(condition, function() return false end)
    t:cancel("foo")
    local _, err = tap.throws(function() t:await() end, asyncio.CancelledError)
    tap.is(err.reason, "foo")
    tap.is(caught().reason, "foo")
    tap.ok(not condition:locked())
  end)

test("test_cancelled_error_re_aquire: also while it takes the lock again",
  function()
    local condition, wake = asyncio.Condition(), false
    local t, caught = start_catching(condition, function() return wake end)
    condition:acquire()
    wake = true
    condition:notify()
    turn()
    t:cancel("foo")
    condition:release()
    local _, err = tap.throws(function() t:await() end, asyncio.CancelledError)
    tap.is(err.reason, "foo")
    tap.is(caught().reason, "foo")
    tap.ok(not condition:locked())
  end)

-- Two consumers wait for items; the first is notified of one, and cancelled
-- after as many turns: the second must have it.
local function lose_no_wake_up(turns)
  local condition, items = asyncio.Condition(), 0
  local function consume()
    local _ <close> = condition:acquire()
    while true do
      condition:wait_for(function() return items ~= 0 end)
      if items < 0 then return end
      items = items - 1
    end
  end
  local first = asyncio.create_task(consume)
  local second = asyncio.create_task(consume)
  turn()
  do
    local _ <close> = condition:acquire()
    items = 1
    condition:notify(1)
    for _ = 1, turns do turn() end
    first:cancel()
    -- What the consumers do is not notified: a time limit lets us look.
    pcall(asyncio.timeout, 0.01, function()
      condition:wait_for(function() return items == 0 end)
    end)
    tap.is(items, 0)
    items = -1
    condition:notify_all()
  end
  second:await()
  tap.ok(first:cancelled())
end

test("test_cancelled_wakeup: a wake-up that meets a cancellation is passed on",
  function() lose_no_wake_up(0) end)

test("test_cancelled_wakeup_relock: also while the lock is taken again",
  function() lose_no_wake_up(1) end)

tap.done()
