-- Counterparts of test_asyncio/test_locks.py: BarrierTests.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local N <const> = 5
local HALF <const> = N // 2

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

local function start(n, fn)
  local tasks = {}
  for i = 1, n do tasks[i] = asyncio.create_task(fn) end
  return tasks
end

-- Runs fn in n tasks side by side; the list of their results.
local function gather(n, fn)
  return asyncio.gather(table.unpack(start(n, fn)))
end

local function start_waiting(barrier, n)
  local tasks = start(n, function() return barrier:wait() end)
  turn()
  return tasks
end

-- Waits at the barrier; whether it was broken.
local function finds_broken(barrier)
  local ok, err = pcall(barrier.wait, barrier)
  if not ok and not err:is(asyncio.BrokenBarrierError) then error(err, 0) end
  return not ok
end

local function is_at_rest(barrier)
  tap.is(barrier.n_waiting, 0)
  tap.ok(not barrier.broken)
  tap.like(tostring(barrier), "%[filling, waiters:0/")
end

test("test_barrier: a barrier itself cannot be awaited", function()
  local barrier = asyncio.Barrier(N)
  tap.throws(function() asyncio.await(barrier) end, "UsageError")
  is_at_rest(barrier)
end)

test("test_repr: a barrier shows its state and who waits", function()
  local barrier, tasks = asyncio.Barrier(N), {}
  local function come(n)
    for _, t in ipairs(start_waiting(barrier, n)) do tasks[#tasks + 1] = t end
  end
  tap.like(tostring(barrier), "^<asyncio%.Barrier at %S+ %[filling, .*%]>$")
  come(2)
  tap.like(tostring(barrier), "%[filling, waiters:2/5%]>$")
  come(barrier.parties - barrier.n_waiting)
  tap.like(tostring(barrier), "%[draining, waiters:0/5%]>$")
  come(2)
  barrier:reset()
  tap.like(tostring(barrier), "%[resetting, waiters:0/5%]>$")
  come(2)
  barrier:abort()
  tap.like(tostring(barrier), "%[broken%]>$")
  tap.ok(barrier.broken)
  tasks[#tasks + 1] = { return_exceptions = true }
  asyncio.gather(table.unpack(tasks))
end)

test("test_barrier_parties: is a positive integer", function()
  for _, parties in ipairs { 0, -4, 1.5, "2", false } do
    tap.throws(function() asyncio.Barrier(parties or nil) end,
               "^asyncio%.Barrier: parties must be a positive integer, got")
  end
  local barrier = asyncio.Barrier(N)
  tap.is(getmetatable(barrier), asyncio.Barrier)
  tap.is(barrier.parties, N)
end)

test("test_context_manager: each gets another index", function()
  local barrier, results = asyncio.Barrier(3), {}
  gather(3, function()
    local i, _ <close> = barrier:wait()
    results[#results + 1] = i
  end)
  table.sort(results)
  tap.is_deeply(results, { 0, 1, 2 })
  is_at_rest(barrier)
end)

test("test_filling_one_task: a barrier of one stops nobody", function()
  local barrier = asyncio.Barrier(1)
  tap.is(barrier:wait(), 0)
  is_at_rest(barrier)
end)

test("test_filling_one_task_twice", function()
  local barrier = asyncio.Barrier(1)
  local t1 = start_waiting(barrier, 1)[1]
  tap.is(barrier.n_waiting, 0)
  local t2 = start_waiting(barrier, 1)[1]
  tap.ok(t1:done() and t2:done())
  tap.is(t1:result(), 0)
  tap.is(t2:result(), 0)
  is_at_rest(barrier)
end)

test("test_filling_task_by_task: nobody passes before the last has come",
  function()
    local barrier = asyncio.Barrier(3)
    local t1 = start_waiting(barrier, 1)[1]
    tap.is(barrier.n_waiting, 1)
    tap.like(tostring(barrier), "filling")
    local t2 = start_waiting(barrier, 1)[1]
    tap.is(barrier.n_waiting, 2)
    tap.like(tostring(barrier), "filling")
    tap.ok(not t1:done() and not t2:done())
    local t3 = start_waiting(barrier, 1)[1]
    asyncio.wait { t1, t2, t3 }
    is_at_rest(barrier)
  end)

test("test_filling_tasks_wait_twice: a barrier is used again", function()
  local barrier, firsts, seconds = asyncio.Barrier(N), 0, 0
  gather(N, function()
    barrier:wait()
    firsts = firsts + 1
    barrier:wait()
    seconds = seconds + 1
  end)
  tap.is(firsts, N)
  tap.is(seconds, N)
  is_at_rest(barrier)
end)

test("test_filling_tasks_check_return_value", function()
  local barrier = asyncio.Barrier(N)
  local results = gather(N, function()
    barrier:wait()
    return barrier:wait()
  end)
  table.sort(results)
  tap.is_deeply({ table.unpack(results) }, { 0, 1, 2, 3, 4 })
  is_at_rest(barrier)
end)

test("test_draining_state: it drains until the last one leaves", function()
  local barrier, results = asyncio.Barrier(N), {}
  gather(N, function()
    barrier:wait()
    results[#results + 1] = tostring(barrier):find "draining" ~= nil
  end)
  tap.is_deeply(results, { true, true, true, true, false })
  is_at_rest(barrier)
end)

test("test_blocking_tasks_while_draining: who comes meanwhile waits outside",
  function()
    local again = 2
    local barrier, others = asyncio.Barrier(N), asyncio.Barrier(N - again)
    gather(N, function()
      barrier:wait()
      if again > 0 then
        again = again - 1
      else
        others:wait()
      end
      barrier:wait()
    end)
    is_at_rest(barrier)
    is_at_rest(others)
  end)

test("test_filling_tasks_cancel_one: another comes in its place", function()
  local barrier = asyncio.Barrier(3)
  local t1 = start_waiting(barrier, 1)[1]
  tap.is(barrier.n_waiting, 1)
  local t2 = start_waiting(barrier, 1)[1]
  tap.is(barrier.n_waiting, 2)

  t1:cancel()
  turn()
  tap.is(barrier.n_waiting, 1)
  tap.throws(function() t1:await() end, asyncio.CancelledError)
  tap.ok(t1:cancelled())

  local t3 = start_waiting(barrier, 1)[1]
  tap.is(barrier.n_waiting, 2)
  local t4 = asyncio.create_task(barrier.wait, barrier)
  tap.is(#asyncio.gather(t2, t3, t4), 3)
  is_at_rest(barrier)
end)

test("test_reset_barrier: nobody waits", function()
  local barrier = asyncio.Barrier(1)
  asyncio.create_task(barrier.reset, barrier)
  turn()
  is_at_rest(barrier)
end)

test("test_reset_barrier_while_tasks_waiting: they find it broken", function()
  local barrier = asyncio.Barrier(N)
  local tasks = start(N - 1, function() return finds_broken(barrier) end)
  turn()
  asyncio.create_task(barrier.reset, barrier)
  local broken = asyncio.gather(table.unpack(tasks))
  tap.is_deeply({ table.unpack(broken) }, { true, true, true, true })
  is_at_rest(barrier)
end)

test("test_reset_barrier_when_tasks_half_draining: the others find it broken",
  function()
    local barrier, broken, left = asyncio.Barrier(N), 0, 0
    gather(N, function()
      if finds_broken(barrier) then
        broken = broken + 1
        return
      end
      left = left + 1
      if left == N - HALF then barrier:reset() end
    end)
    tap.is(broken, HALF)
    is_at_rest(barrier)
  end)

test("test_reset_barrier_when_tasks_half_draining_half_blocking: not who waits "
  .. "outside", function()
    local barrier, inside, outside, count = asyncio.Barrier(N), 0, 0, 0
    gather(N, function()
      if finds_broken(barrier) then
        inside = inside + 1
        barrier:wait()
        return
      end
      count = count + 1
      if count > HALF then
        barrier:reset()
        barrier:wait()
      elseif finds_broken(barrier) then
        outside = outside + 1
      end
    end)
    tap.is(inside, HALF)
    tap.is(outside, 0)
    is_at_rest(barrier)
  end)

test("test_reset_barrier_while_tasks_waiting_and_waiting_again", function()
  local barrier, broken, passed = asyncio.Barrier(N), 0, 0
  local tasks = start(N - 1, function()
    if finds_broken(barrier) then broken = broken + 1 end
    barrier:wait()
    passed = passed + 1
  end)
  asyncio.create_task(barrier.reset, barrier)
  turn()
  tasks[N] = asyncio.create_task(function()
    barrier:wait()
    passed = passed + 1
  end)
  asyncio.gather(table.unpack(tasks))
  tap.is(broken, N - 1)
  tap.is(passed, N)
  is_at_rest(barrier)
end)

test("test_reset_barrier_while_tasks_draining: none by the last to leave",
  function()
    local barrier, count, broken, passed = asyncio.Barrier(N), 0, 0, 0
    gather(N, function()
      barrier:wait()
      count = count + 1
      if count == N then
        barrier:reset()
        barrier:wait()
      elseif finds_broken(barrier) then
        broken = broken + 1
      end
      barrier:wait()
      passed = passed + 1
    end)
    tap.is(broken, 0)
    tap.is(passed, N)
    is_at_rest(barrier)
  end)

test("test_abort_barrier: nobody waits", function()
  local barrier = asyncio.Barrier(1)
  asyncio.create_task(barrier.abort, barrier)
  turn()
  tap.is(barrier.n_waiting, 0)
  tap.ok(barrier.broken)
  tap.throws(function() barrier:wait() end, "barrier was aborted")
end)

test("test_abort_barrier_when_tasks_half_draining_half_blocking: all find it "
  .. "broken", function()
    local barrier, inside, outside, count = asyncio.Barrier(N), 0, 0, 0
    gather(N, function()
      if finds_broken(barrier) then
        inside = inside + 1
        return
      end
      count = count + 1
      if count > HALF then
        barrier:abort()
      elseif finds_broken(barrier) then
        outside = outside + 1
      end
    end)
    tap.ok(barrier.broken)
    tap.is(inside, HALF)
    tap.is(outside, N - HALF - 1)
    tap.is(barrier.n_waiting, 0)
    tap.like(tostring(barrier), "%[broken%]>$")
  end)

-- Passes the barrier; the one with the index HALF fails then.
local function pass_or_fail(barrier)
  if barrier:wait() == HALF then error "fails" end
end

-- Passes the barrier twice, but one fails between, and breaks it. Whether the
-- caller found it broken.
local function passes_twice(barrier)
  local ok, err = pcall(pass_or_fail, barrier)
  if ok then return finds_broken(barrier) end
  if type(err) == "table" then return err:is(asyncio.BrokenBarrierError) end
  barrier:abort()
  return nil
end

test("test_abort_barrier_when_exception: one that fails breaks it for all",
  function()
    local barrier, broken = asyncio.Barrier(N), 0
    gather(N, function()
      local found = passes_twice(barrier)
      if found then broken = broken + 1 end
      tap.isnt(found, false, "nobody passes twice")
    end)
    tap.ok(barrier.broken)
    tap.is(broken, N - 1)
    tap.is(barrier.n_waiting, 0)
  end)

test("test_abort_barrier_when_exception_then_resetting: it is new", function()
  local barrier, meeting = asyncio.Barrier(N), asyncio.Barrier(N)
  local broken, again = 0, 0
  gather(N, function()
    local found = passes_twice(barrier)
    if found then broken = broken + 1 end
    tap.isnt(found, false, "nobody passes twice")
    if meeting:wait() == HALF then barrier:reset() end
    meeting:wait()
    barrier:wait()
    again = again + 1
  end)
  tap.is(broken, N - 1)
  tap.is(again, N)
  is_at_rest(barrier)
end)

tap.done()
