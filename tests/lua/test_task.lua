local errors = require "luvisor.error"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function wait_for_ever()
  sync.event():wait()
end

local function two_and_nil()
  return 1, nil, "three", nil
end

tap.test("join returns all values of the function, nils too", function()
  local t = task.spawn(two_and_nil)
  tap.is_deeply(table.pack(t:join()), { 1, nil, "three", nil, n = 4 })
  tap.is_deeply(table.pack(t:join()), { 1, nil, "three", nil, n = 4 },
    "again, when it has long ended")
end)

tap.test("a task gets the arguments, nils too", function()
  local t = task.spawn(table.pack, nil, 2, nil)
  tap.is_deeply(t:join(), { nil, 2, nil, n = 3 })
end)

tap.test("spawn does not run the task yet", function()
  local ran = false
  local t = task.spawn(function() ran = true end)
  tap.is(ran, false)
  tap.is(t.state, "ready")
  t:join()
  tap.is(ran, true)
end)

tap.test("tasks run in the order in which they were spawned", function()
  local order = {}
  for i = 1, 5 do task.spawn(function() order[#order + 1] = i end) end
  let_run()
  tap.is_deeply(order, { 1, 2, 3, 4, 5 })
end)

tap.test("any number of tasks may join one", function()
  local go = sync.event()
  local t = task.spawn(function()
    go:wait()
    return "value"
  end)
  local joiners = {}
  for i = 1, 20 do joiners[i] = task.spawn(t.join, t) end
  let_run()
  go:set()
  for i = 1, 20 do
    if joiners[i]:join() ~= "value" then tap.is(i, "value") end
  end
  tap.is(t.state, "done")
end)

tap.test("a joiner that is cancelled leaves the others and the task", function()
  local go = sync.event()
  local t = task.spawn(function()
    go:wait()
    return "value"
  end)
  local first, second = task.spawn(t.join, t), task.spawn(t.join, t)
  let_run()
  first:cancel()
  let_run()
  tap.is(first.state, "cancelled")
  go:set()
  tap.is(second:join(), "value")
end)

tap.test("join of a task that failed raises its very error", function()
  local err = errors.new { kind = "Mine", message = "mine" }
  local t
  local _, caught = tap.throws(function()
    task.nursery(function(n)
      t = n:spawn(error, err)
    end)
  end)
  tap.is(rawequal(caught, err), true, "from the nursery")
  tap.is(t.state, "failed")
  local ok, again = pcall(t.join, t)
  tap.is(ok, false)
  tap.is(rawequal(again, err), true, "from join")
end)

tap.test("join of a task that was cancelled raises an ordinary error",
  function()
    local t = task.spawn(wait_for_ever)
    t.name = "the waiter"
    let_run()
    t:cancel("enough")
    local ok, err = pcall(t.join, t)
    tap.is(ok, false, "pcall catches it: the caller is not cancelled")
    tap.ok(err:is "Cancelled")
    tap.is(err.reason, "enough")
    tap.is(err.message, ("task %d (the waiter) was cancelled"):format(t.id))
    tap.is(t.state, "cancelled")
    task.sleep(0)
  end)

tap.test("a task cannot join itself", function()
  tap.throws(function() task.current():join() end, "Deadlock")
end)

tap.test("a task that is cancelled before its first turn runs up to a wait",
  function()
    local steps = {}
    local t = task.spawn(function()
      steps[#steps + 1] = "began"
      task.checkpoint()
      steps[#steps + 1] = "not reached"
    end)
    t:cancel()
    tap.is(t.state, "ready")
    let_run()
    tap.is_deeply(steps, { "began" })
    tap.is(t.state, "cancelled")
  end)

tap.test("a task may cancel itself: its next wait raises", function()
  local steps = {}
  local t = task.spawn(function()
    task.current():cancel("myself")
    steps[#steps + 1] = "still here"
    task.sleep(0)
    steps[#steps + 1] = "not reached"
  end)
  tap.throws(function() t:join() end, { kind = "Cancelled", reason = "myself" })
  tap.is_deeply(steps, { "still here" })
end)

tap.test("a task that waits no more after its cancellation is done", function()
  local t = task.spawn(function()
    task.current():cancel()
    return "result"
  end)
  tap.is(t:join(), "result")
  tap.is(t.state, "done")
end)

tap.test("cancelling a task that has ended, or twice, is harmless", function()
  local t = task.spawn(two_and_nil)
  t:join()
  t:cancel()
  tap.is(t:join(), 1)
  local waiter = task.spawn(wait_for_ever)
  let_run()
  waiter:cancel("first")
  waiter:cancel("second")
  tap.throws(function() waiter:join() end, { reason = "first" })
end)

tap.test("state tells ready, running, waiting, done, failed and cancelled",
  function()
    local seen
    local t = task.spawn(function()
      seen = task.current().state
      wait_for_ever()
    end)
    tap.is(t.state, "ready")
    let_run()
    tap.is(seen, "running")
    tap.is(t.state, "waiting")
    t:cancel()
    let_run()
    tap.is(t.state, "cancelled")
  end)

tap.test("a task is named after its function, or as the script says",
  function()
    local line = debug.getinfo(1, "l").currentline
    local t = task.spawn(function() task.checkpoint() end)
    tap.like(t.name, ("test_task.lua:%d$"):format(line + 1))
    t:join()
    tap.like(t.name, ("test_task.lua:%d$"):format(line + 1), "also at its end")
    t.name = "worker"
    tap.is(t.name, "worker")
    tap.is(tostring(t), ("task %d (worker, done)"):format(t.id))
    local sleeper = task.spawn(task.sleep, 0)
    tap.is(sleeper.name, "[C]", "a function of C has no place")
    sleeper:join()
  end)

tap.test("a task has an id, methods, and nothing else", function()
  local t = task.spawn(two_and_nil)
  tap.is(math.type(t.id), "integer")
  tap.is(t.nonsense, nil)
  tap.is(t[1], nil)
  tap.throws(function() t.nonsense = 1 end, "UsageError")
  tap.throws(function() t.name = 1 end, "name must be a string, got number")
  tap.throws(function() t.join() end, "expected a task, got no value")
  tap.throws(function() t.join {} end, "UsageError")
  t:join()
end)

tap.test("a callable object may be spawned", function()
  local object = setmetatable({}, {
    __call = function(self, a) return type(self), a end,
  })
  local t = task.spawn(object, 7)
  tap.is(t.name, "[object]")
  tap.is_deeply({ t:join() }, { "table", 7 })
end)

tap.test("what cannot be called is refused where it is given", function()
  for _, spawn in ipairs { task.spawn, task.detached, task.nursery,
                           task.shield, task.at_exit } do
    tap.throws(function() spawn(nil) end, "UsageError")
    tap.throws(function() spawn {} end, "expected a function")
  end
  tap.throws(function() task.spawn() end, "UsageError")
  tap.throws(function() task.timeout(1) end, "expected a function")
  tap.throws(function() task.gather(print, 1) end,
    "gather: argument 2 must be a function or a task, got number")
end)

tap.test("current is the task, list is all of them, oldest first", function()
  local me = task.current()
  local t = task.spawn(wait_for_ever)
  let_run()
  local list = task.list()
  tap.is(list[#list], t)
  tap.is(list[#list - 1], me)
  t:cancel()
  let_run()
  list = task.list()
  tap.is(list[#list], me)
end)

tap.test("there is no current task in a finalizer's eyes to wait in",
  function()
    local result
    setmetatable({}, { __gc = function()
      result = table.pack(pcall(task.sleep, 0))
    end })
    collectgarbage()
    tap.is(result[1], false)
    tap.ok(result[2]:is "UsageError")
    tap.like(result[2].message, "cannot wait here.*__gc")
  end)

tap.test("dump tells what each task waits for, and where", function()
  local line = debug.getinfo(1, "l").currentline
  local t = task.spawn(function()
    task.sleep(60)
  end)
  t.name = "sleeper"
  let_run()
  local text = task.dump()
  tap.like(text, ("task %d %%(sleeper%%) waiting for a time to come\n"):format(
    t.id))
  tap.like(text, ("test_task.lua:%d: in function"):format(line + 2))
  tap.like(text, "%) running\n")
  t:cancel()
  tap.like(task.dump(), "%(sleeper%) ready, cancelled\n")
  let_run()
end)

tap.test("traceback shows where a task waits, also inside generators",
  function()
    local line = debug.getinfo(1, "l").currentline
    local t = task.spawn(function()
      for _ in coroutine.wrap(function()
        wait_for_ever()
      end) do end
    end)
    tap.like(t:traceback(), "^stack traceback:")
    let_run()
    local text = t:traceback()
    tap.like(text, ("test_task.lua:%d: in"):format(line + 3), "the generator")
    tap.like(text, "resumed by\nstack traceback:\n.*test_task.lua:" .. line + 2)
    t:cancel()
    let_run()
    tap.is(t:traceback(), "stack traceback:", "nowhere, when it has ended")
  end)

tap.test("gather returns the first value of each in their order", function()
  local done = {}
  local function slow()
    for _ = 1, 3 do task.checkpoint() end
    done[#done + 1] = "slow"
    return "a", "more"
  end
  local function quick()
    done[#done + 1] = "quick"
    return "b"
  end
  local t = task.spawn(function() return "c" end)
  local got = table.pack(task.gather(slow, quick, t, function() end))
  tap.is_deeply(got, { "a", "b", "c", nil, n = 4 })
  tap.is_deeply(done, { "quick", "slow" })
  tap.is(select("#", task.gather()), 0)
end)

tap.test("gather raises the first error and cancels the others", function()
  local other = "not begun"
  local function survivor()
    other = "begun"
    task.sleep(60)
    other = "ended"
  end
  tap.throws(function()
    task.gather(survivor, function()
      task.checkpoint()
      error("oops", 0)
    end)
  end, "^oops$")
  tap.is(other, "begun")
end)

tap.test("settle waits for all, whatever fails", function()
  local results = task.settle(
    function() return 1 end,
    function() error("oops", 0) end,
    function() error() end,
    function()
      let_run()
      return 4
    end,
    function() end)
  tap.is_deeply(results, {
    { ok = true, value = 1 },
    { ok = false, error = "oops" },
    { ok = false },
    { ok = true, value = 4 },
    { ok = true },
  })
  tap.is_deeply(task.settle(), {})
end)

tap.test("race returns the first that ends; the others are cancelled",
  function()
    local closed = 0
    local function slow()
      local _ <close> = setmetatable({}, {
        __close = function() closed = closed + 1 end,
      })
      task.sleep(60)
    end
    tap.is_deeply(table.pack(task.race(slow, two_and_nil, slow)),
      { 2, 1, nil, "three", nil, n = 5 })
    tap.is(closed, 2)
    tap.throws(function()
      task.race(slow, function() error("lost", 0) end)
    end, "^lost$")
    tap.throws(function() task.race() end, "UsageError")
  end)

tap.test("map keeps the order of the list, and a limit of jobs", function()
  local now, most = 0, 0
  local function twice(item, index)
    now = now + 1
    most = math.max(most, now)
    for _ = 1, 4 - item % 4 do task.checkpoint() end
    now = now - 1
    return item * 2, index
  end
  local list = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }
  local doubled = { 2, 4, 6, 8, 10, 12, 14, 16, 18 }
  tap.is_deeply(task.map(list, twice, { jobs = 3 }), doubled)
  tap.is(most, 3)
  tap.is_deeply(task.map(list, twice), doubled)
  tap.is(most, 9, "without a limit all at once")
  tap.is_deeply(task.map({}, twice), {})
  tap.throws(function() task.map(list, twice, { jobs = 0 }) end, "jobs must be")
  tap.throws(function() task.map(list, twice, { job = 1 }) end,
    'did you mean "jobs"')
end)

tap.test("map raises the first error and begins no further item", function()
  local begun = {}
  tap.throws(function()
    task.map({ 1, 2, 3, 4 }, function(item)
      begun[#begun + 1] = item
      task.checkpoint()
      if item == 1 then error("bad item", 0) end
      task.checkpoint()
    end, { jobs = 2 })
  end, "^bad item$")
  tap.is_deeply(begun, { 1, 2 })
end)

tap.test("retry calls again until it succeeds", function()
  local calls = 0
  local function third(a, b)
    calls = calls + 1
    if calls < 3 then error("not yet", 0) end
    return a, b, calls
  end
  tap.is_deeply(table.pack(task.retry({ delay = 0 }, third, nil, 2)),
    { nil, 2, 3, n = 3 })
  calls = 0
  tap.throws(function() task.retry({ times = 2, delay = 0 }, third) end,
    "^not yet$")
  tap.is(calls, 2, "times are calls in all")
  calls = -10
  tap.throws(function() task.retry({ times = 1 }, third) end)
  tap.is(calls, -9)
end)

tap.test("retry has defaults, and checks what it is given", function()
  tap.is(task.retry(nil, function() return "at once" end), "at once")
  tap.throws(function() task.retry({ time = 1 }, print) end, '"times"')
  tap.throws(function() task.retry({ jitter = 2 }, print) end, "from 0 to 1")
  tap.throws(function() task.retry({ times = 0 }, print) end, "UsageError")
end)

tap.test("a detached task cancels nobody and is waited for by nobody",
  function()
    local ended
    local t
    task.nursery(function()
      t = task.detached(function()
        let_run()
        ended = true
      end)
    end)
    tap.is(ended, nil, "the nursery has ended before")
    t:join()
    tap.is(ended, true)
  end)

tap.test("a task lives though nobody holds it", function()
  local go, done = sync.event(), false
  task.spawn(function()
    go:wait()
    done = true
  end)
  let_run()
  collectgarbage()
  collectgarbage()
  go:set()
  let_run()
  tap.is(done, true)
end)

tap.test("thousands of tasks are no trouble", function()
  local sum = 0
  task.nursery(function(n)
    for i = 1, 5000 do
      n:spawn(function()
        task.checkpoint()
        sum = sum + i
      end)
    end
  end)
  tap.is(sum, 12502500)
end)

tap.test("nurseries may nest as deep as calls of C do in Lua", function()
  local function nest(depth)
    if depth == 0 then
      task.checkpoint()
      return "deepest"
    end
    return task.nursery(function() return nest(depth - 1) end)
  end
  tap.is(nest(50), "deepest")
end)

tap.test("a chain of tasks in nurseries may be as deep as memory", function()
  local reached = 0
  local function chain(depth)
    reached = reached + 1
    if depth == 0 then return wait_for_ever() end
    task.nursery(function(n) n:spawn(chain, depth - 1) end)
  end
  local t = task.spawn(chain, 1000)
  tap.eventually(function() return reached == 1001 end)
  t:cancel()
  tap.eventually(function() return t.state == "cancelled" end)
end)

tap.done()
