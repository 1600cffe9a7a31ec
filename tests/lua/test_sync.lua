-- Events, semaphores and locks. Conditions and barriers: test_condition.lua;
-- queues: test_queue.lua.
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- Every task that can run does, and those that it wakes.
local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function is_cancelled(t, name)
  tap.throws(function() t:join() end, "Cancelled", name)
end

-- Events ----------------------------------------------------------------------

tap.test("an event is not set until it is set, and so until cleared", function()
  local event = sync.event()
  tap.is(event:is_set(), false)
  event:set()
  tap.is(event:is_set(), true)
  tap.is(event:wait(), true, "waiting for it returns at once")
  event:set()
  tap.is(event:is_set(), true, "twice is once")
  event:clear()
  tap.is(event:is_set(), false)
end)

tap.test("setting an event wakes all who wait, in their order", function()
  local event, order = sync.event(), {}
  local tasks = {}
  for i = 1, 3 do
    tasks[i] = task.spawn(function()
      tap.is(event:wait(), true)
      order[#order + 1] = i
    end)
  end
  let_run()
  tap.is_deeply(order, {})
  event:set()
  tap.is_deeply(order, {}, "but they run later")
  for i = 1, 3 do tasks[i]:join() end
  tap.is_deeply(order, { 1, 2, 3 })
end)

tap.test("clearing an event does not stop those that it woke", function()
  local event, woken = sync.event(), false
  local t = task.spawn(function()
    event:wait()
    woken = true
  end)
  let_run()
  event:set()
  event:clear()
  t:join()
  tap.ok(woken)
  tap.is(task.move_on(0.01, event.wait, event), false, "the next one waits")
end)

tap.test("a cancelled waiter of an event waits no more", function()
  local event = sync.event()
  local t = task.spawn(event.wait, event)
  let_run()
  t:cancel()
  is_cancelled(t)
  event:set()
end)

-- Semaphores ------------------------------------------------------------------

tap.test("a semaphore of zero is locked", function()
  tap.ok(sync.semaphore(0):locked())
end)

tap.test("a semaphore takes an integer of zero or more", function()
  for _, n in ipairs { -1, 1.5, "1", false } do
    tap.throws(function() sync.semaphore(n) end, "n must be an integer")
  end
  tap.throws(function() sync.semaphore() end, "got nil")
  tap.throws(function() sync.semaphore(3, { max = 2 }) end, "above max")
  tap.throws(function() sync.semaphore(3, { maxx = 2 }) end,
             'did you mean "max"')
end)

tap.test("a semaphore lets n in, and one more for each release", function()
  local semaphore, entered = sync.semaphore(3), {}
  semaphore:acquire()
  semaphore:acquire()
  tap.ok(not semaphore:locked())
  local tasks = {}
  for i = 1, 4 do
    tasks[i] = task.spawn(function()
      semaphore:acquire()
      entered[#entered + 1] = i
    end)
  end
  let_run()
  tap.is_deeply(entered, { 1 })
  tap.ok(semaphore:locked())
  semaphore:release()
  semaphore:release()
  tap.ok(semaphore:locked(), "what is released belongs to those who wait")
  let_run()
  tap.is_deeply(entered, { 1, 2, 3 })
  semaphore:release()
  tasks[4]:join()
  tap.is_deeply(entered, { 1, 2, 3, 4 })
end)

tap.test("released without waiters a semaphore is free", function()
  local semaphore = sync.semaphore(1)
  semaphore:acquire()
  tap.ok(semaphore:locked())
  semaphore:release()
  tap.ok(not semaphore:locked())
  semaphore:release()
  semaphore:acquire()
  tap.ok(not semaphore:locked(), "a release beyond the start adds a unit")
end)

tap.test("a semaphore with a max refuses one release too many", function()
  local semaphore = sync.semaphore(1, { max = 1 })
  tap.throws(function() semaphore:release() end, "UsageError")
  semaphore:acquire()
  semaphore:release()
  tap.throws(function() semaphore:release() end, "more often than acquired")
end)

tap.test("the guard of a semaphore gives its unit back once", function()
  local semaphore = sync.semaphore(2)
  do
    local guard <close> = semaphore:acquire()
    local _ <close> = semaphore:acquire()
    tap.ok(semaphore:locked())
    guard:close()
    guard:close()
    tap.ok(not semaphore:locked())
    semaphore:acquire()
    tap.ok(semaphore:locked(), "closing twice gave one unit")
  end
  tap.ok(not semaphore:locked())
  semaphore:acquire()
  tap.ok(semaphore:locked(), "and its <close> gave none")
end)

tap.test("a guard releases when its body fails or is cancelled", function()
  local semaphore = sync.semaphore(1)
  tap.throws(function()
    local _ <close> = semaphore:acquire()
    error "inside"
  end, "inside")
  tap.ok(not semaphore:locked(), "after an error")
  tap.is(task.move_on(0.01, function()
    local _ <close> = semaphore:acquire()
    task.sleep(60)
  end), false)
  tap.ok(not semaphore:locked(), "after a cancel")
end)

tap.test("a cancelled acquire takes nothing", function()
  local semaphore = sync.semaphore(0)
  local t = task.spawn(semaphore.acquire, semaphore)
  let_run()
  t:cancel()
  is_cancelled(t)
  semaphore:release()
  tap.ok(not semaphore:locked(), "the unit is still there")
end)

tap.test("a release passes by those who are cancelled but still run", function()
  local semaphore, tasks, entered = sync.semaphore(0), {}, {}
  for i = 1, 4 do
    tasks[i] = task.spawn(function()
      semaphore:acquire()
      entered[#entered + 1] = i
    end)
  end
  let_run()
  tasks[1]:cancel()
  tasks[2]:cancel()
  semaphore:release()
  let_run()
  tap.is_deeply(entered, { 3 })
  tasks[4]:cancel()
  is_cancelled(tasks[4])
end)

tap.test("who was given a unit has it, cancelled or not", function()
  local semaphore, entered = sync.semaphore(0), false
  local t = task.spawn(function()
    local _ <close> = semaphore:acquire()
    entered = true
    task.checkpoint()
  end)
  let_run()
  semaphore:release()
  t:cancel()
  is_cancelled(t, "the cancel comes at its next wait")
  tap.ok(entered)
  tap.ok(not semaphore:locked(), "and its guard gave the unit back")
end)

tap.test("a waiter cancelled by the task that releases hangs nobody", function()
  local semaphore = sync.semaphore(1)
  local second
  local first = task.spawn(function()
    local _ <close> = semaphore:acquire()
    task.checkpoint()
    second:cancel()
  end)
  second = task.spawn(function()
    local _ <close> = semaphore:acquire()
    tap.ok(false, "never gets in")
  end)
  first:join()
  is_cancelled(second)
  tap.ok((task.move_on(1, semaphore.acquire, semaphore)))
end)

tap.test("a semaphore serves in turn, and again at the end of the line",
  function()
    local semaphore, order = sync.semaphore(1), {}
    task.nursery(function(nursery)
      for _, name in ipairs { "a", "b", "c" } do
        nursery:spawn(function()
          for round = 1, 2 do
            local _ <close> = semaphore:acquire()
            order[#order + 1] = name .. round
            task.sleep(0.001)
          end
        end)
      end
    end)
    tap.is(table.concat(order, " "), "a1 b1 c1 a2 b2 c2")
  end)

tap.test("a cancelled first in line leaves the order of the others", function()
  local semaphore, order, tasks = sync.semaphore(0), {}, {}
  for i = 1, 3 do
    tasks[i] = task.spawn(function()
      semaphore:acquire()
      order[#order + 1] = i
    end)
  end
  let_run()
  tasks[1]:cancel()
  let_run()
  semaphore:release()
  semaphore:release()
  let_run()
  tap.is_deeply(order, { 2, 3 })
end)

tap.test("anyone in the middle of a long line may leave it", function()
  local semaphore, tasks, served = sync.semaphore(0), {}, 0
  for i = 1, 1000 do
    tasks[i] = task.spawn(function()
      semaphore:acquire()
      served = served + (i % 3 == 0 and 1 or 1000)
    end)
  end
  let_run()
  for i = 1000, 1, -1 do
    if i % 3 ~= 0 then tasks[i]:cancel() end
  end
  for _ = 1, 333 do semaphore:release() end
  let_run()
  tap.is(served, 333)
  tap.ok(semaphore:locked(), "no unit is left over")
end)

-- Locks -----------------------------------------------------------------------

tap.test("a lock is held until it is released", function()
  local lock = sync.lock()
  tap.is(lock:locked(), false)
  local guard = lock:acquire()
  tap.is(lock:locked(), true)
  lock:release()
  tap.is(lock:locked(), false)
  guard:close()
  tap.is(lock:locked(), false, "then its guard has nothing to release")
end)

tap.test("releasing a lock that nobody holds is wrong use", function()
  local lock = sync.lock()
  tap.throws(function() lock:release() end, "UsageError")
  lock:acquire():close()
  tap.throws(function() lock:release() end, "nobody holds it")
end)

tap.test("a guard releases the lock at the end of its scope", function()
  local lock = sync.lock()
  do
    local _ <close> = lock:acquire()
    tap.ok(lock:locked())
  end
  tap.ok(not lock:locked())
end)

tap.test("a guard never releases the lock of another", function()
  local lock = sync.lock()
  local old = lock:acquire()
  lock:release()
  local new = lock:acquire()
  old:close()
  tap.ok(lock:locked())
  new:close()
  new:close()
  tap.ok(not lock:locked())
end)

tap.test("a lock is handed on in turn and is never free between", function()
  local lock, order = sync.lock(), {}
  lock:acquire()
  for i = 1, 2 do
    task.spawn(function()
      lock:acquire()
      order[#order + 1] = i
    end)
  end
  let_run()
  tap.is_deeply(order, {})
  lock:release()
  tap.ok(lock:locked(), "it belongs to the first in line already")
  let_run()
  tap.is_deeply(order, { 1 })
  let_run()
  tap.is_deeply(order, { 1 }, "who holds it")
  local last = task.spawn(function()
    lock:acquire()
    order[#order + 1] = 3
  end)
  lock:release()
  let_run()
  lock:release()
  last:join()
  tap.is_deeply(order, { 1, 2, 3 })
  lock:release()
end)

tap.test("a cancelled acquire leaves the lock as it was", function()
  local lock = sync.lock()
  lock:acquire()
  local t = task.spawn(lock.acquire, lock)
  let_run()
  t:cancel()
  is_cancelled(t)
  lock:release()
  tap.ok(not lock:locked())
end)

tap.test("a lock released while its first waiter is cancelled goes on",
  function()
    local lock, tasks, order = sync.lock(), {}, {}
    local free = sync.event()
    for i, name in ipairs { "a", "b", "c" } do
      tasks[i] = task.spawn(function()
        local _ <close> = lock:acquire()
        order[#order + 1] = name
        if i == 1 then free:wait() end
      end)
      let_run()
    end
    free:set()
    tasks[2]:cancel()
    let_run()
    tap.is_deeply(order, { "a", "c" })
    tap.ok(not lock:locked())
    is_cancelled(tasks[2])
  end)

tap.test("in a cancelled scope a free lock can be taken, a held one not",
  function()
    local lock = sync.lock()
    local t = task.spawn(function()
      task.current():cancel()
      lock:acquire()
      tap.ok(lock:locked(), "what need not wait is not cancelled")
      lock:acquire()
    end)
    is_cancelled(t)
    lock:release()
  end)

tap.done()
