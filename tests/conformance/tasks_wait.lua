-- Python's test_tasks.py: wait and as_completed.
local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local LONG <const> = 60 -- nobody waits so long

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Tasks that end when they are told to: function, task.
local function task_of(value)
  local fut = asyncio.Future()
  local function finish() fut:set_result(value) end
  local function fail()
    fut:set_exception(errors.new { kind = "ZeroDivision", message = "err" })
  end
  return asyncio.create_task(fut.await, fut), finish, fail
end

local function soon(fn)
  asyncio.get_running_loop():call_later(0.001, fn)
end

local function results(list)
  local values = {}
  for i, t in ipairs(list) do values[i] = t:result() end
  table.sort(values)
  return table.concat(values, " ")
end

-- wait ------------------------------------------------------------------------

test("test_wait: until all are done", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  soon(finish_a)
  soon(finish_b)
  for _ = 1, 2 do -- the second time they are done already
    local done, pending = asyncio.wait { b, a }
    tap.is_deeply({ #done, #pending }, { 2, 0 })
    tap.ok(done[a] and done[b] and not pending[a])
    tap.is(results(done), "a b")
  end
end)

test("test_wait_duplicate_coroutines: each counts once", function()
  local c = asyncio.create_task(function() return "test" end)
  local spam = { function() return "spam" end }
  local done, pending = asyncio.wait { c, c, spam, spam }
  tap.is(#pending, 0)
  tap.is(results(done), "spam test")
end)

test("test_wait_errors: an empty list, a condition that there is not",
  function()
    tap.throws(function() asyncio.wait {} end, "of awaitables is empty")
    tap.throws(function()
      asyncio.wait({ turn }, { return_when = -1 })
    end, "return_when must be FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMP")
    tap.throws(function()
      asyncio.wait({ turn }, { retrun_when = "ALL_COMPLETED" })
    end, 'did you mean "return_when"')
  end)

test("test_wait_invalid_args: it takes a list", function()
  tap.throws(function() asyncio.wait(asyncio.Future()) end, "UsageError")
  tap.throws(function() asyncio.wait(turn) end, "UsageError")
  tap.throws(function() asyncio.wait { 1 } end, "wait: element 1: expected")
end)

test("test_wait_first_completed", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  soon(finish_b)
  local done, pending = asyncio.wait({ b, a },
    { return_when = asyncio.FIRST_COMPLETED })
  tap.is_deeply(done, { b })
  tap.is_deeply(pending, { a })
  finish_a()
  asyncio.wait { a }
end)

test("test_wait_really_done: more than one may be done by then", function()
  local a = asyncio.create_task(function() turn() end)
  local b = asyncio.create_task(function() turn() end)
  local c = task_of "c"
  local done, pending = asyncio.wait({ c, b, a },
    { return_when = asyncio.FIRST_COMPLETED })
  tap.is_deeply({ #done, #pending }, { 2, 1 })
  tap.ok(done[a] and done[b] and pending[c])
end)

test("test_wait_first_exception: one has failed already", function()
  local a = task_of "a"
  local b = asyncio.create_task(error, "err", 0)
  local done, pending = asyncio.wait({ b, a },
    { return_when = asyncio.FIRST_EXCEPTION })
  tap.is_deeply(done, { b })
  tap.is_deeply(pending, { a })
  tap.is(b:exception(), "err")
end)

test("test_wait_first_exception_in_wait", function()
  local a, finish_a = task_of "a"
  local b, _, fail_b = task_of "b"
  local c, finish_c = task_of "c"
  soon(finish_c)
  soon(fail_b)
  local done, pending = asyncio.wait({ b, a, c },
    { return_when = asyncio.FIRST_EXCEPTION })
  tap.ok(done[b] and done[c] and pending[a])
  finish_a()
  asyncio.wait { a }
end)

test("test_wait_with_exception: it raises none of them", function()
  local a, finish_a = task_of "a"
  local b, _, fail_b = task_of "b"
  soon(finish_a)
  soon(fail_b)
  for _ = 1, 2 do
    local done, pending = asyncio.wait { b, a }
    tap.is_deeply({ #done, #pending }, { 2, 0 })
    tap.is(a:exception(), nil)
    tap.ok(b:exception():is "ZeroDivision")
  end
end)

test("test_wait_with_timeout: it raises no Timeout either", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  soon(finish_a)
  local done, pending = asyncio.wait({ b, a }, { timeout = 0.05 })
  tap.ok(done[a] and pending[b])
  tap.ok(not b:cancelled(), "and cancels nothing")
  finish_b()
  tap.is(#asyncio.wait { a, b }, 2)
end)

test("test_wait_concurrent_complete: no time, what is done by now", function()
  local a, finish_a = task_of "a"
  local b = task_of "b"
  finish_a()
  turn()
  local done, pending = asyncio.wait({ b, a }, { timeout = 0 })
  tap.ok(done[a] and pending[b])
end)

test("test_wait_generator: a list of many", function()
  local list = {}
  for i = 1, 10 do list[i] = asyncio.create_task(math.max, i) end
  local done, pending = asyncio.wait(list,
    { return_when = asyncio.ALL_COMPLETED })
  tap.is_deeply({ #done, #pending }, { 10, 0 })
end)

test("test_yield_wait_does_not_shield_cancel: its wait is cancelled alone",
  function()
    local inner, finish = task_of "a"
    local f = asyncio.create_task(asyncio.wait, { inner })
    turn()
    f:cancel()
    tap.throws(function() f:await() end, asyncio.CancelledError)
    tap.ok(not inner:done())
    finish()
    tap.is(inner:await(), "a")
  end)

-- as_completed ----------------------------------------------------------------

test("test_as_completed: in the order in which they are done", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  local c, finish_c = task_of "c"
  soon(finish_b)
  local order = {}
  for f in asyncio.as_completed { c, a, b } do
    tap.ok(f:done())
    order[#order + 1] = f:await()
    if f == b then finish_a() end
    if f == a then finish_c() end
  end
  tap.is(table.concat(order), "bac")
end)

test("test_as_completed_same_tasks_in_as_out", function()
  local b = asyncio.create_task(function() return "b" end)
  local call = { function() return "a" end }
  local out = {}
  for f in asyncio.as_completed { call, b } do out[f] = f:result() end
  tap.is(out[b], "b", "a Task comes back as it is")
  tap.is(out[call], nil, "a call as its Task")
end)

test("test_as_completed_with_timeout", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  soon(finish_a)
  local values = {}
  tap.throws(function()
    for f in asyncio.as_completed({ a, b }, { timeout = 0.05 }) do
      values[#values + 1] = f:result()
    end
  end, asyncio.TimeoutError)
  tap.is_deeply(values, { "a" })
  tap.ok(not b:done())
  finish_b()
  b:await()
end)

test("test_as_completed_with_unused_timeout: it leaves no timer", function()
  local limit = { timeout = LONG }
  for f in asyncio.as_completed({ function() return "a" end }, limit) do
    tap.is(f:result(), "a")
  end
end)

test("test_as_completed_resume_iterator: a second loop takes the rest",
  function()
    local calls = {}
    for i = 1, 4 do calls[i] = { math.max, i } end
    local iterator, collected = asyncio.as_completed(calls), {}
    for f in iterator do
      collected[#collected + 1] = f:result()
      if #collected == 2 then break end
    end
    for f in iterator do collected[#collected + 1] = f:result() end
    tap.is_deeply(collected, { 1, 2, 3, 4 })
  end)

test("test_as_completed_reverse_wait: a list made of it can be awaited in "
  .. "any order", function()
  local a, finish_a = task_of "a"
  local b, finish_b = task_of "b"
  soon(finish_a)
  soon(finish_b)
  local list = {}
  for f in asyncio.as_completed { b, a } do list[#list + 1] = f end
  tap.is(list[2]:await(), "b")
  tap.is(list[1]:await(), "a")
end)

test("test_as_completed_concurrent: several tasks may take from it", function()
  local iterator = asyncio.as_completed {
    { asyncio.sleep, 0, "a" }, { asyncio.sleep, 0, "b" },
  }
  local function take() return iterator():result() end
  local list = asyncio.gather(take, take)
  table.sort(list)
  tap.is_deeply(list, { "a", "b", n = 2 })
  tap.is(iterator(), nil)
end)

test("test_as_completed_duplicate_coroutines: each comes once", function()
  local ham = { function() return "ham" end }
  local spam = asyncio.create_task(function() return "spam" end)
  local values = {}
  for f in asyncio.as_completed { ham, ham, spam, spam } do
    values[#values + 1] = f:result()
  end
  table.sort(values)
  tap.is_deeply(values, { "ham", "spam" })
end)

tap.test("test_as_completed_coroutine_without_loop: the script has one",
  function()
    local n = 0
    for f in asyncio.as_completed { { math.max, 42 } } do
      tap.is(f:await(), 42, "test_as_completed_coroutine_use_running_loop")
      n = n + 1
    end
    tap.is(n, 1)
  end)

test("test_as_completed_invalid_args: it takes a list", function()
  tap.throws(function() asyncio.as_completed(asyncio.Future()) end,
    "as_completed: expected a list of awaitables")
  tap.throws(function() asyncio.as_completed(turn) end, "UsageError")
end)

test("as_completed gives those that failed, too", function()
  for f in asyncio.as_completed { { error, "bad", 0 } } do
    tap.throws(function() f:result() end, "^bad$")
  end
end)

tap.done()
