-- Counterparts of test_asyncio/test_locks.py: SemaphoreTests. Where Python's
-- tests look at the value and the line of waiters, ours look at what is
-- possible, and at tostring.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Starts a task that acquires the semaphore and notes its number then.
local function start_taking(semaphore, result, number)
  return asyncio.create_task(function()
    semaphore:acquire()
    result[#result + 1] = number
    return true
  end)
end

local function start_acquiring(semaphore)
  return asyncio.create_task(semaphore.acquire, semaphore)
end

test("test_initial_value_zero", function()
  tap.ok(asyncio.Semaphore(0):locked())
end)

test("test_repr: a semaphore shows its value and who waits", function()
  local semaphore = asyncio.Semaphore()
  tap.like(tostring(semaphore),
           "^<asyncio%.Semaphore at %S+ %[unlocked, value:1%]>$")
  semaphore:acquire()
  tap.like(tostring(semaphore), "%[locked%]>$")
  local tasks = {}
  for i = 1, 2 do
    tasks[i] = start_acquiring(semaphore)
    turn()
    tap.like(tostring(semaphore), ("%%[locked, waiters:%d%%]>$"):format(i))
  end
  for i = 1, 2 do
    semaphore:release()
    tasks[i]:await()
  end
end)

test("test_semaphore: a semaphore itself cannot be awaited", function()
  local semaphore = asyncio.Semaphore()
  tap.throws(function() asyncio.await(semaphore) end, "UsageError")
  tap.like(tostring(semaphore), "%[unlocked, value:1%]>$")
end)

test("test_semaphore_value: is an integer of 0 or more", function()
  for _, value in ipairs { -1, 1.5, "1" } do
    for _, name in ipairs { "Semaphore", "BoundedSemaphore" } do
      tap.throws(function() asyncio[name](value) end,
                 "^asyncio%." .. name .. ": value must be")
    end
  end
  tap.like(tostring(asyncio.Semaphore { value = 3 }), "value:3")
end)

test("test_acquire: as many as there are units, the others in turn", function()
  local semaphore, result, tasks = asyncio.Semaphore(3), {}, {}
  tap.ok(semaphore:acquire(), "acquire returns a true value")
  tap.ok(semaphore:acquire())
  tap.ok(not semaphore:locked())
  for i = 1, 3 do tasks[i] = start_taking(semaphore, result, i) end
  turn()
  tap.is_deeply(result, { 1 })
  tap.like(tostring(semaphore), "%[locked, waiters:2%]>$")

  tasks[4] = start_taking(semaphore, result, 4)
  semaphore:release()
  semaphore:release()
  tap.ok(semaphore:locked(), "both units have a new owner")
  turn()
  tap.is_deeply(result, { 1, 2, 3 })
  tap.like(tostring(semaphore), "%[locked, waiters:1%]>$")
  for i = 1, 3 do tap.ok(tasks[i]:done() and tasks[i]:result()) end
  semaphore:release()
  tap.ok(tasks[4]:await())
end)

test("test_acquire_cancel: a cancelled waiter leaves the line", function()
  local semaphore = asyncio.Semaphore()
  semaphore:acquire()
  local t = start_acquiring(semaphore)
  asyncio.get_running_loop():call_soon(t.cancel, t)
  tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.like(tostring(semaphore), "%[locked%]>$")
end)

test("test_acquire_cancel_before_awoken: a release passes over the cancelled",
  function()
    local semaphore, tasks = asyncio.Semaphore { value = 0 }, {}
    for i = 1, 4 do tasks[i] = start_acquiring(semaphore) end
    turn()
    tasks[1]:cancel()
    tasks[2]:cancel()
    semaphore:release()
    turn()
    turn()
    tap.ok(tasks[3]:done())
    tap.ok(not tasks[4]:done())
    tasks[4]:cancel()
    turn()
  end)

test("test_acquire_hang: the unit of a cancelled waiter goes to the next",
  function()
    local semaphore = asyncio.Semaphore(0)
    local t1, t2 = start_acquiring(semaphore), start_acquiring(semaphore)
    turn()
    t1:cancel()
    semaphore:release()
    turn()
    turn()
    tap.ok(semaphore:locked())
    tap.ok(t2:done())
  end)

test("test_acquire_no_hang: who is cancelled after its wake-up takes nothing",
  function()
    local semaphore, t2 = asyncio.Semaphore(1), nil
    local t1 = asyncio.create_task(function()
      do
        local _ <close> = semaphore:acquire()
        turn()
      end
      t2:cancel()
    end)
    t2 = asyncio.create_task(function()
      local _ <close> = semaphore:acquire()
      tap.ok(false, "this is never reached")
    end)
    local results = asyncio.gather(t1, t2, { return_exceptions = true })
    tap.is(results[1], nil)
    tap.ok(results[2]:is(asyncio.CancelledError))
    asyncio.wait_for({ semaphore.acquire, semaphore }, 1)
    tap.ok(semaphore:locked())
  end)

test("test_release_not_acquired: a bounded semaphore refuses it", function()
  local semaphore = asyncio.BoundedSemaphore()
  tap.throws(function() semaphore:release() end,
             "^BoundedSemaphore: released more often than acquired")
  semaphore:acquire()
  semaphore:release()
  tap.throws(function() semaphore:release() end, "UsageError")
end)

test("test_release_no_waiters", function()
  local semaphore = asyncio.Semaphore()
  semaphore:acquire()
  tap.ok(semaphore:locked())
  semaphore:release()
  tap.ok(not semaphore:locked())
  semaphore:release()
  tap.like(tostring(semaphore), "value:2", "it may be released more often")
end)

test("test_acquire_fifo_order: who comes again stands behind the others",
  function()
    local semaphore, result = asyncio.Semaphore(1), {}
    local function visit_twice(name)
      for i = 1, 2 do
        semaphore:acquire()
        result[#result + 1] = name .. "_" .. i
        asyncio.sleep(0.001)
        semaphore:release()
      end
    end
    do
      local group <close> = asyncio.TaskGroup()
      for _, name in ipairs { "c1", "c2", "c3" } do
        group:create_task(visit_twice, name)
      end
    end
    tap.is_deeply(result, { "c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2" })
  end)

test("test_acquire_fifo_order_2: also without waiting in between", function()
  local semaphore, result = asyncio.Semaphore(1), {}
  local t1 = start_taking(semaphore, result, 1)
  local t2 = asyncio.create_task(function()
    semaphore:acquire()
    result[#result + 1] = 2
    semaphore:release()
    semaphore:acquire()
    result[#result + 1] = 4
    return true
  end)
  local t3 = start_taking(semaphore, result, 3)
  turn()
  semaphore:release()
  semaphore:release()
  asyncio.gather(t1, t2, t3)
  tap.is_deeply(result, { 1, 2, 3, 4 })
end)

test("test_acquire_fifo_order_3: the first of the line is cancelled", function()
  local semaphore, result, tasks = asyncio.Semaphore(0), {}, {}
  for i = 1, 3 do tasks[i] = start_taking(semaphore, result, i) end
  turn()
  tasks[1]:cancel()
  turn()
  semaphore:release()
  semaphore:release()
  asyncio.gather(tasks[1], tasks[2], tasks[3], { return_exceptions = true })
  tap.is_deeply(result, { 2, 3 })
end)

test("test_acquire_fifo_order_4: one that acquires lets the others in",
  function()
    local semaphore, result, t4 = asyncio.Semaphore(0), {}, nil
    local function note(number) result[#result + 1] = number end
    local t1 = asyncio.create_task(function()
      semaphore:acquire()
      tap.ok(semaphore:locked(), "all units have new owners")
      t4 = asyncio.create_task(note, 4)
      note(1)
    end)
    local t2 = asyncio.create_task(function()
      for _ = 1, 3 do semaphore:release() end
      tap.ok(semaphore:locked(), "the first has been woken and has not run")
      semaphore:acquire()
      note(2)
    end)
    local t3 = asyncio.create_task(function()
      semaphore:acquire()
      tap.ok(semaphore:locked())
      note(3)
    end)
    turn()
    tap.like(tostring(semaphore), "%[locked, waiters:2%]>$")
    turn()
    asyncio.gather(t1, t2, t3, t4)
    tap.is_deeply(result, { 1, 2, 3, 4 })
  end)

tap.done()
