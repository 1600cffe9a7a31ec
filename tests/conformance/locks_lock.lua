-- Counterparts of test_asyncio/test_locks.py: LockTests and EventTests. Where
-- Python's tests look at a line of waiters, ours read it from tostring.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Locks -----------------------------------------------------------------------

test("test_repr: a lock shows whether it is locked", function()
  local lock = asyncio.Lock()
  tap.like(tostring(lock), "^<asyncio%.Lock at %S+ %[unlocked%]>$")
  lock:acquire()
  tap.like(tostring(lock), "%[locked%]>$")
end)

test("test_lock: a lock itself cannot be awaited", function()
  local lock = asyncio.Lock()
  tap.throws(function() asyncio.await(lock) end, "UsageError")
  tap.ok(not lock:locked())
end)

test("test_lock_doesnt_accept_loop_parameter", function()
  for _, name in ipairs {
    "Lock", "Condition", "Event", "Semaphore", "BoundedSemaphore",
  } do
    tap.throws(function()
      asyncio[name] { loop = asyncio.get_running_loop() }
    end, "^asyncio%." .. name .. ': unknown option "loop"')
  end
end)

test("test_lock_by_with_statement: a lock cannot be awaited in a block",
  function()
    for _, name in ipairs {
      "Lock", "Condition", "Semaphore", "BoundedSemaphore",
    } do
      local lock = asyncio[name]()
      turn()
      tap.ok(not lock:locked(), name)
      tap.throws(function() asyncio.await(lock) end, "UsageError")
      tap.ok(not lock:locked())
    end
  end)

-- A function that acquires the lock and notes its number then.
local function taker(lock, result, number)
  return function()
    if lock:acquire() then result[#result + 1] = number end
    return true
  end
end

test("test_acquire: one after the other, in the order of coming", function()
  local lock, result = asyncio.Lock(), {}
  tap.ok(lock:acquire(), "acquire returns a true value")
  local t1 = asyncio.create_task(taker(lock, result, 1))
  local t2 = asyncio.create_task(taker(lock, result, 2))
  turn()
  tap.is_deeply(result, {})

  lock:release()
  turn()
  tap.is_deeply(result, { 1 })
  turn()
  tap.is_deeply(result, { 1 })

  local t3 = asyncio.create_task(taker(lock, result, 3))
  lock:release()
  turn()
  tap.is_deeply(result, { 1, 2 })
  lock:release()
  turn()
  tap.is_deeply(result, { 1, 2, 3 })
  for _, t in ipairs { t1, t2, t3 } do
    tap.ok(t:done())
    tap.ok(t:result())
  end
end)

test("test_acquire_cancel: a cancelled waiter leaves the line", function()
  local lock = asyncio.Lock()
  lock:acquire()
  local t = asyncio.create_task(lock.acquire, lock)
  asyncio.get_running_loop():call_soon(t.cancel, t)
  tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.like(tostring(lock), "%[locked%]>$")
end)

-- Takes the lock for as long as the future lasts.
local function hold(lock, blocker)
  local _ <close> = lock:acquire()
  if blocker then blocker:await() end
end

test("test_cancel_race: a release passes over one that was cancelled",
  function()
    local lock = asyncio.Lock()
    local blocker = asyncio.get_running_loop():create_future()
    local a = asyncio.create_task(hold, lock, blocker)
    turn()
    tap.ok(lock:locked())
    local b = asyncio.create_task(hold, lock)
    turn()
    tap.like(tostring(lock), "waiters:1")
    local c = asyncio.create_task(hold, lock)
    turn()
    tap.like(tostring(lock), "waiters:2")

    blocker:set_result(nil)
    b:cancel()
    turn()
    tap.ok(not lock:locked())
    tap.ok(a:done())
    tap.ok(b:cancelled())
    c:await()
  end)

test("test_cancel_release_race: one release lets one in", function()
  local lock, locks, calls = asyncio.Lock(), 0, 0
  local function lock_it()
    calls = calls + 1
    lock:acquire()
    locks = locks + 1
  end
  lock:acquire()
  local t1 = asyncio.create_task(lock_it)
  local t2 = asyncio.create_task(lock_it)
  local t3 = asyncio.create_task(lock_it)
  turn()

  asyncio.get_running_loop():call_soon(function()
    t1:cancel()
    lock:release()
  end)
  tap.throws(function() t1:await() end, asyncio.CancelledError)
  tap.is(locks, 1)
  tap.is(calls, 3)
  tap.ok(t1:cancelled() and t2:done())

  t3:cancel()
  turn()
  tap.ok(t3:cancelled())
end)

test("test_finished_waiter_cancelled: its wake-up goes to the next", function()
  local lock = asyncio.Lock()
  lock:acquire()
  local b = asyncio.create_task(lock.acquire, lock)
  turn()
  tap.like(tostring(lock), "waiters:1")
  local c = asyncio.create_task(lock.acquire, lock)
  b:cancel()
  lock:release()
  turn()
  tap.ok(lock:locked())
  tap.ok(b:cancelled())
  c:await()
end)

test("test_finished_waiter_cancelled: also if it was woken before", function()
  local lock = asyncio.Lock()
  lock:acquire()
  local b = asyncio.create_task(lock.acquire, lock)
  local c = asyncio.create_task(lock.acquire, lock)
  turn()
  lock:release()
  b:cancel()
  tap.ok(not lock:locked(), "nobody has it")
  tap.throws(function() lock:release() end, "UsageError")
  c:await()
  tap.ok(lock:locked())
  tap.ok(b:cancelled())
end)

test("test_release_not_acquired", function()
  local lock = asyncio.Lock()
  tap.throws(function() lock:release() end, "^Lock: released, but")
end)

test("test_release_no_waiters", function()
  local lock = asyncio.Lock()
  lock:acquire()
  tap.ok(lock:locked())
  lock:release()
  tap.ok(not lock:locked())
end)

test("test_context_manager: a lock is released at the end of its block",
  function()
    local lock = asyncio.Lock()
    tap.ok(not lock:locked())
    do
      local _ <close> = lock:acquire()
      tap.ok(lock:locked())
    end
    tap.ok(not lock:locked())
    tap.throws(function()
      local _ <close> = lock:acquire()
      error "in the block"
    end, "in the block")
    tap.ok(not lock:locked(), "also when it is left by an error")
  end)

test("test_acquire: nobody overtakes one that was woken and has not run",
  function()
    local lock, result = asyncio.Lock(), {}
    local function pass(name)
      local _ <close> = lock:acquire()
      result[#result + 1] = name
    end
    lock:acquire()
    asyncio.create_task(pass, "who waited")
    turn()
    lock:release()
    pass "who came"
    tap.is_deeply(result, { "who waited", "who came" })
  end)

-- Events ----------------------------------------------------------------------

test("test_repr: an event shows whether it is set and who waits", function()
  local event = asyncio.Event()
  tap.like(tostring(event), "^<asyncio%.Event at %S+ %[unset%]>$")
  event:set()
  tap.like(tostring(event), "%[set%]>$")
  event:clear()
  local t = asyncio.create_task(event.wait, event)
  turn()
  tap.like(tostring(event), "%[unset, waiters:1%]>$")
  event:set()
  t:await()
end)

test("test_wait: all who wait go on, and who comes later does not wait",
  function()
    local event, result = asyncio.Event(), {}
    tap.ok(not event:is_set())
    local function waiter(number)
      return function()
        if event:wait() then result[#result + 1] = number end
      end
    end
    local t1 = asyncio.create_task(waiter(1))
    local t2 = asyncio.create_task(waiter(2))
    turn()
    tap.is_deeply(result, {})
    local t3 = asyncio.create_task(waiter(3))
    event:set()
    turn()
    tap.is_deeply(result, { 3, 1, 2 })
    for _, t in ipairs { t1, t2, t3 } do
      tap.ok(t:done())
      tap.is(t:result(), nil)
    end
  end)

test("test_wait_on_set", function()
  local event = asyncio.Event()
  event:set()
  tap.is(event:wait(), true)
end)

test("test_wait_cancel: a cancelled waiter leaves the line", function()
  local event = asyncio.Event()
  local t = asyncio.create_task(event.wait, event)
  asyncio.get_running_loop():call_soon(t.cancel, t)
  tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.like(tostring(event), "%[unset%]>$")
end)

test("test_clear", function()
  local event = asyncio.Event()
  tap.ok(not event:is_set())
  event:set()
  tap.ok(event:is_set())
  event:clear()
  tap.ok(not event:is_set())
end)

test("test_clear_with_waiters: a clear does not take a wake-up back", function()
  local event, result = asyncio.Event(), {}
  local t = asyncio.create_task(function()
    if event:wait() then result[#result + 1] = 1 end
    return true
  end)
  turn()
  tap.is_deeply(result, {})
  event:set()
  event:clear()
  tap.ok(not event:is_set())
  event:set()
  event:set()
  turn()
  tap.is_deeply(result, { 1 })
  tap.like(tostring(event), "%[set%]>$")
  tap.ok(t:done())
  tap.ok(t:result())
end)

tap.done()
