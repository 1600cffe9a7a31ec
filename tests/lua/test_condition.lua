local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

-- Starts n tasks that wait for the condition, and note their number when they
-- have been woken. Each then keeps the lock, unless it is told to release it.
local function waiting(condition, n, release)
  local woken, tasks = {}, {}
  for i = 1, n do
    tasks[i] = task.spawn(function()
      local guard = condition:acquire()
      local _ <close> = release and guard or nil
      condition:wait()
      woken[#woken + 1] = i
    end)
  end
  let_run()
  return woken, tasks
end

-- Conditions ------------------------------------------------------------------

tap.test("who is notified goes on when the lock is free", function()
  local condition = sync.condition()
  local woken = waiting(condition, 3)
  tap.is_deeply(woken, {})
  tap.ok(not condition:locked(), "those who wait do not hold the lock")

  condition:acquire()
  condition:notify()
  let_run()
  tap.is_deeply(woken, {}, "not while the notifier holds it")
  condition:release()
  let_run()
  tap.is_deeply(woken, { 1 })
  tap.ok(condition:locked(), "the first holds it now")

  condition:notify(2)
  let_run()
  tap.is_deeply(woken, { 1 })
  condition:release()
  let_run()
  tap.is_deeply(woken, { 1, 2 })
  condition:release()
  let_run()
  tap.is_deeply(woken, { 1, 2, 3 })
  tap.ok(condition:locked())
end)

tap.test("notify wakes as many as it is told, longest waiting first", function()
  local condition = sync.condition()
  local woken = waiting(condition, 3, true)
  local function notify(n)
    local _ <close> = condition:acquire()
    condition:notify(n)
  end
  notify(1)
  let_run()
  tap.is_deeply(woken, { 1 })
  notify(2048)
  let_run()
  tap.is_deeply(woken, { 1, 2, 3 })
  notify()
end)

tap.test("notify_all wakes all", function()
  local condition = sync.condition()
  local woken = waiting(condition, 3, true)
  local guard = condition:acquire()
  condition:notify_all()
  guard:close()
  let_run()
  tap.is_deeply(woken, { 1, 2, 3 })
end)

tap.test("a notify that nobody waits for is forgotten", function()
  local condition = sync.condition()
  local _ <close> = condition:acquire()
  condition:notify_all()
  tap.is(task.move_on(0.01, condition.wait, condition), false)
end)

tap.test("without the lock there is no wait and no notify", function()
  local condition = sync.condition()
  for _, method in ipairs { "wait", "notify", "notify_all" } do
    tap.throws(function() condition[method](condition) end,
               "^condition: " .. method .. " without the lock")
  end
end)

tap.test("wait_for waits until the predicate holds", function()
  local condition, ready = sync.condition(), false
  local t = task.spawn(function()
    local _ <close> = condition:acquire()
    return condition:wait_for(function()
      tap.ok(condition:locked(), "the predicate has the lock")
      return ready
    end)
  end)
  let_run()
  for _, value in ipairs { false, "now" } do
    ready = value
    local _ <close> = condition:acquire()
    condition:notify()
  end
  tap.is(t:join(), "now", "and returns its value")
end)

tap.test("wait_for needs no lock where the predicate holds at once", function()
  local condition, list = sync.condition(), { 1, 2, 3 }
  tap.is(condition:wait_for(function() return list end), list)
  tap.throws(function() condition:wait_for(function() end) end, "UsageError")
end)

tap.test("a cancelled wait has the lock again", function()
  local condition = sync.condition()
  local held
  local t = task.spawn(function()
    local _ <close> = condition:acquire()
    local _ <close> = setmetatable({}, { __close = function()
      held = condition:locked()
    end })
    condition:wait()
  end)
  let_run()
  tap.ok(not condition:locked())
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  tap.is(held, true, "so its guard can release it")
  tap.ok(not condition:locked())
end)

tap.test("a cancelled wait waits for the lock that another holds", function()
  local condition, order = sync.condition(), {}
  local t = task.spawn(function()
    local _ <close> = condition:acquire()
    local _ <close> = setmetatable({}, { __close = function()
      order[#order + 1] = "cleanup"
    end })
    condition:wait()
  end)
  let_run()
  do
    local _ <close> = condition:acquire()
    t:cancel()
    let_run()
    order[#order + 1] = "release"
  end
  tap.throws(function() t:join() end, "Cancelled")
  tap.is_deeply(order, { "release", "cleanup" })
  tap.ok(not condition:locked())
end)

tap.test("a cancelled waiter takes no notify from another", function()
  local condition = sync.condition()
  local woken, tasks = waiting(condition, 2, true)
  do
    local _ <close> = condition:acquire()
    tasks[1]:cancel()
    condition:notify()
  end
  let_run()
  tap.is_deeply(woken, { 2 })
  tap.throws(function() tasks[1]:join() end, "Cancelled")
  tap.ok(not condition:locked())
end)

tap.test("who was notified and then cancelled returns from the wait", function()
  local condition, returned = sync.condition(), false
  local t = task.spawn(function()
    local _ <close> = condition:acquire()
    returned = condition:wait()
    task.checkpoint()
  end)
  let_run()
  do
    local _ <close> = condition:acquire()
    condition:notify()
    t:cancel()
  end
  tap.throws(function() t:join() end, "Cancelled", "cancelled at the next wait")
  tap.is(returned, true)
  tap.ok(not condition:locked())
end)

tap.test("a timeout around a wait holds the lock inside", function()
  local condition = sync.condition()
  local _ <close> = condition:acquire()
  tap.throws(function() task.timeout(0.01, condition.wait, condition) end,
             "Timeout")
  tap.ok(condition:locked())
end)

tap.test("conditions may share a lock", function()
  local lock = sync.lock()
  local empty, full = sync.condition(lock), sync.condition(lock)
  tap.is(empty.lock, lock)
  tap.is(full.lock, lock)
  local guard = lock:acquire()
  tap.ok(empty:locked() and full:locked())
  guard:close()
  guard = full:acquire()
  tap.ok(lock:locked() and empty:locked())
  guard:close()
  tap.throws(function() sync.condition(sync.semaphore(1)) end, "UsageError",
             "a semaphore is no lock")
end)

tap.test("a guard lives through the wait", function()
  local condition = sync.condition()
  local t = task.spawn(function()
    local guard = condition:acquire()
    condition:wait()
    tap.ok(condition:locked())
    guard:close()
    tap.ok(not condition:locked(), "it still releases")
  end)
  let_run()
  local guard <close> = condition:acquire()
  condition:notify()
  guard:close()
  t:join()
end)

tap.test("a producer and its consumers lose nothing", function()
  local condition, items, taken = sync.condition(), {}, 0
  task.nursery(function(nursery)
    for _ = 1, 3 do
      nursery:spawn(function()
        while true do
          local _ <close> = condition:acquire()
          condition:wait_for(function() return #items > 0 end)
          if table.remove(items, 1) == "end" then return end
          taken = taken + 1
        end
      end)
    end
    for i = 1, 103 do
      local _ <close> = condition:acquire()
      items[#items + 1] = i <= 100 and i or "end"
      condition:notify()
      if i % 7 == 0 then task.checkpoint() end
    end
  end)
  tap.is(taken, 100)
end)

-- Barriers --------------------------------------------------------------------

-- Starts n tasks that wait at the barrier; what each got is its result.
local function meet(barrier, n)
  local tasks = {}
  for i = 1, n do
    tasks[i] = task.spawn(function()
      local returned, value = pcall(barrier.wait, barrier)
      return returned and value or value.kind
    end)
  end
  let_run()
  return tasks
end

local function results(tasks)
  local list = {}
  for i, t in ipairs(tasks) do list[i] = t:join() end
  return list
end

tap.test("a barrier takes a positive integer", function()
  for _, n in ipairs { 0, -4, 1.5, "2" } do
    tap.throws(function() sync.barrier(n) end, "UsageError")
  end
end)

tap.test("a barrier of one stops nobody", function()
  local barrier = sync.barrier(1)
  tap.is(barrier:wait(), 1)
  tap.is(barrier:wait(), 1)
  tap.is(barrier:waiting(), 0)
end)

tap.test("nobody passes a barrier before the last has come", function()
  local barrier = sync.barrier(3)
  local first = meet(barrier, 1)
  tap.is(barrier:waiting(), 1)
  local second = meet(barrier, 1)
  tap.is(barrier:waiting(), 2)
  tap.is(barrier:wait(), 3)
  tap.is(barrier:waiting(), 0)
  tap.is(first[1]:join(), 1, "each gets its number")
  tap.is(second[1]:join(), 2)
  tap.ok(not barrier:is_broken())
end)

tap.test("a barrier is used again by those who passed", function()
  local barrier, passed = sync.barrier(5), { 0, 0, 0 }
  task.nursery(function(nursery)
    for _ = 1, 5 do
      nursery:spawn(function()
        for round = 1, 3 do
          tap.is(passed[round - 1] or 5, 5, "all are through the last round")
          barrier:wait()
          passed[round] = passed[round] + 1
          barrier:wait()
        end
      end)
    end
  end)
  tap.is_deeply(passed, { 5, 5, 5 })
end)

tap.test("a cancelled waiter leaves the barrier, unbroken", function()
  local barrier = sync.barrier(3)
  local tasks = meet(barrier, 2)
  tasks[1]:cancel()
  tap.throws(function() tasks[1]:join() end, "Cancelled")
  tap.is(barrier:waiting(), 1)
  local third = meet(barrier, 1)
  tap.is(barrier:waiting(), 2, "another comes in its place")
  tap.is(barrier:wait(), 3)
  tap.is(tasks[2]:join(), 1)
  tap.is(third[1]:join(), 2)
  tap.ok(not barrier:is_broken())
end)

tap.test("an aborted barrier is broken for all who wait and come", function()
  local barrier = sync.barrier(5)
  local tasks = meet(barrier, 4)
  barrier:abort()
  tap.ok(barrier:is_broken())
  tap.is_deeply(results(tasks), { "Closed", "Closed", "Closed", "Closed" })
  tap.throws(function() barrier:wait() end, "barrier is broken")
  tap.is(barrier:waiting(), 0)
end)

tap.test("a reset barrier is new, those who waited raise", function()
  local barrier = sync.barrier(2)
  local old = meet(barrier, 1)
  barrier:reset()
  tap.is_deeply(results(old), { "Closed" })
  tap.ok(not barrier:is_broken())
  tap.is_deeply(results(meet(barrier, 2)), { 1, 2 })
  barrier:abort()
  barrier:reset()
  tap.is_deeply(results(meet(barrier, 2)), { 1, 2 }, "broken or not")
end)

tap.test("a reset does not touch those who are through already", function()
  local barrier = sync.barrier(2)
  local tasks = meet(barrier, 1)
  barrier:wait()
  barrier:reset()
  tap.is_deeply(results(tasks), { 1 })
end)

tap.done()
