-- Python's test_tasks.py: gather. Where Python looks at the Future that gather
-- makes, we look at a Task that is in gather.
local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- Until all that can go on has done so.
local function settle()
  for _ = 1, 5 do turn() end
end

local function failure(kind)
  return errors.new { kind = kind, message = kind }
end

local function some_futures(n)
  local list = {}
  for i = 1, n do list[i] = asyncio.Future() end
  return table.unpack(list)
end

-- gather gets Futures, or calls that await them.
local function as_futures(...) return ... end

local function as_calls(...)
  local calls = table.pack(...)
  for i, fut in ipairs(calls) do calls[i] = { fut.await, fut } end
  return table.unpack(calls)
end

local function test_both(name, fn)
  test(name .. " (FutureGatherTests)", function() fn(as_futures) end)
  test(name .. " (CoroutineGatherTests)", function() fn(as_calls) end)
end

-- A Task in gather, and how often its callback was called.
local function start_gather(wrap, options, ...)
  local list = table.pack(wrap(...))
  list[list.n + 1] = options
  local t = asyncio.create_task(function()
    return asyncio.gather(table.unpack(list, 1, #list))
  end)
  local calls = 0
  t:add_done_callback(function() calls = calls + 1 end)
  turn()
  return t, function() return calls end
end

-- Both ------------------------------------------------------------------------

local function check_success(wrap, options)
  local a, b, c = some_futures(3)
  local t, calls = start_gather(wrap, options, a, b, c)
  b:set_result(1)
  a:set_result(2)
  settle()
  tap.ok(not t:done())
  tap.is(calls(), 0)
  c:set_result(3)
  settle()
  tap.is(calls(), 1)
  tap.is_deeply(t:result(), { 2, 1, 3, n = 3 })
end

test_both("test_success", function(wrap)
  check_success(wrap)
  check_success(wrap, { return_exceptions = false })
end)

test_both("test_result_exception_success", function(wrap)
  check_success(wrap, { return_exceptions = true })
end)

test_both("test_one_exception", function(wrap)
  local a, b, c, d, e = some_futures(5)
  local t, calls = start_gather(wrap, nil, a, b, c, d, e)
  local zero_division = failure "ZeroDivision"
  a:set_result(1)
  b:set_exception(zero_division)
  settle()
  tap.ok(t:done())
  tap.is(calls(), 1)
  tap.is(t:exception(), zero_division)
  c:set_result(3)
  d:cancel()
  e:set_exception(failure "Runtime")
  e:exception()
  settle()
end)

test_both("test_return_exceptions", function(wrap)
  local a, b, c, d = some_futures(4)
  local t, calls = start_gather(wrap, { return_exceptions = true }, a, b, c, d)
  local zero_division, runtime = failure "ZeroDivision", failure "Runtime"
  b:set_result(1)
  c:set_exception(zero_division)
  a:set_result(3)
  settle()
  tap.ok(not t:done())
  d:set_exception(runtime)
  settle()
  tap.is(calls(), 1)
  local list = t:result()
  tap.is_deeply({ list[1], list[2] }, { 3, 1 })
  tap.is(list[3], zero_division)
  tap.is(list[4], runtime)
end)

-- Of Futures ------------------------------------------------------------------

tap.test("test_constructor_empty_sequence_without_loop: an empty list",
  function()
    tap.is_deeply(asyncio.gather(), { n = 0 })
  end)

test("test_constructor_empty_sequence_use_running_loop", function()
  tap.is_deeply(asyncio.gather(), { n = 0 })
  tap.is_deeply(asyncio.gather { return_exceptions = true }, { n = 0 })
end)

-- Runs fn while another loop is the one outside of any run.
local function with_loop_set(fn)
  local loop = asyncio.new_event_loop()
  asyncio.set_event_loop(loop)
  local _ <close> = setmetatable({}, { __close = function()
    asyncio.set_event_loop(nil)
    loop:close()
  end })
  tap.is(asyncio.get_event_loop(), loop)
  fn(loop)
end

tap.test("test_constructor_empty_sequence_use_global_loop", function()
  with_loop_set(function() tap.is_deeply(asyncio.gather(), { n = 0 }) end)
end)

tap.test("test_constructor_heterogenous_futures: loops may be mixed", function()
  local one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
  local a, b = one:create_future(), other:create_future()
  a:set_result "a"
  b:set_result "b"
  tap.is_deeply(asyncio.gather(a, b), { "a", "b", n = 2 })
  one:close()
  other:close()
end)

test("test_constructor_homogenous_futures: in several gathers at once",
  function()
    local a, b = some_futures(2)
    local t = start_gather(as_futures, nil, a, b)
    local u = start_gather(as_futures, nil, a, b)
    tap.ok(not t:done() and not u:done())
    a:set_result(1)
    b:set_result(2)
    tap.is_deeply(t:await(), { 1, 2, n = 2 })
    tap.is_deeply(u:await(), { 1, 2, n = 2 })
  end)

test("test_one_cancellation: it is an error like others", function()
  local a, b, c, d, e = some_futures(5)
  local caught
  local t = asyncio.create_task(function()
    local _, err = pcall(asyncio.gather, a, b, c, d, e)
    caught = err
  end)
  turn()
  a:set_result(1)
  b:cancel "why"
  settle()
  tap.ok(t:done() and not t:cancelled())
  tap.is(caught.kind, "Cancelled")
  tap.is(caught.reason, "why")
  tap.ok(not c:done(), "the others go on")
  c:set_result(3)
  d:cancel()
  e:set_exception(failure "Runtime")
  e:exception()
end)

test("test_result_exception_one_cancellation", function()
  local a, b, c, d, e, f = some_futures(6)
  local t, calls = start_gather(as_futures, { return_exceptions = true },
    a, b, c, d, e, f)
  local zero_division, runtime = failure "ZeroDivision", failure "Runtime"
  a:set_result(1)
  b:set_exception(zero_division)
  c:cancel()
  settle()
  tap.ok(not t:done())
  d:set_result(3)
  e:cancel()
  f:set_exception(runtime)
  local list = t:await()
  tap.is_deeply({ list[1], list[4] }, { 1, 3 })
  tap.is(list[2], zero_division)
  tap.is(list[6], runtime)
  tap.ok(list[3]:is "Cancelled" and list[5]:is "Cancelled")
  turn()
  tap.is(calls(), 1)
end)

-- Of calls --------------------------------------------------------------------

tap.test("test_constructor_without_loop: the script has one", function()
  local function abc() return "abc" end
  tap.is_deeply(asyncio.gather(abc, abc), { "abc", "abc", n = 2 })
end)

tap.test("test_constructor_use_global_loop: of the loop that is set",
  function()
    with_loop_set(function(loop)
      local current = asyncio.get_running_loop
      tap.is(asyncio.gather(current)[1], loop)
    end)
  end)

test("test_constructor_use_running_loop", function()
  local current = asyncio.get_running_loop
  tap.is(asyncio.gather(current)[1], current())
end)

test("test_duplicate_coroutines: a list is one call, a function many",
  function()
    local calls = 0
    local function count(s)
      calls = calls + 1
      return s
    end
    local c = { count, "abc" }
    tap.is_deeply(asyncio.gather(c, c, { count, "def" }, c),
      { "abc", "abc", "def", "abc", n = 4 })
    tap.is(calls, 2)
    asyncio.gather(count, count)
    tap.is(calls, 4)
  end)

test("test_cancellation_broadcast: cancelling it cancels all", function()
  local proof, waiter = 0, asyncio.Future()
  local function inner()
    waiter:await()
    proof = proof + 1
  end
  local child1, child2 = asyncio.create_task(inner), asyncio.create_task(inner)
  local f = asyncio.create_task(function()
    pcall(asyncio.gather, child1, child2)
    proof = proof + 100
  end)
  turn()
  tap.ok(f:cancel())
  tap.throws(function() f:await() end, asyncio.CancelledError)
  tap.ok(waiter:cancelled())
  tap.ok(child1:cancelled() and child2:cancelled())
  settle()
  tap.is(proof, 0)
end)

test("test_exception_marking: later errors count as asked for", function()
  local reported = 0
  asyncio.get_running_loop():set_exception_handler(function()
    reported = reported + 1
  end)
  local a, b = some_futures(2)
  local function inner(fut)
    fut:await()
    error(failure "Runtime", 0)
  end
  local f = asyncio.create_task(asyncio.gather, { inner, a }, { inner, b })
  turn()
  a:set_result()
  settle()
  b:set_result()
  settle()
  tap.ok(f:exception():is "Runtime")
  f = nil
  collectgarbage()
  collectgarbage()
  tap.is(reported, 0)
  tap.is(f, nil)
end)

test("test_issue46672: a wrong argument starts nothing", function()
  local started = false
  tap.throws(function()
    asyncio.gather(function() started = true end, {})
  end, "gather: argument 2: expected")
  settle()
  tap.is(started, false)
end)

test("test_cancel_gather_1: what is done is not cancelled any more", function()
  local fut = asyncio.Future()
  local child = asyncio.create_task(fut.await, fut)
  local t = asyncio.create_task(asyncio.gather, child)
  turn()
  local cancelled
  t:add_done_callback(function() cancelled = t:cancel() end)
  fut:set_result(42)
  tap.is_deeply(t:await(), { 42, n = 1 })
  turn()
  tap.is(cancelled, false)
  tap.ok(not t:cancelled())
end)

test("test_cancel_gather_2: also if errors are kept", function()
  for _, reason in ipairs { false, "my message", 5 } do
    reason = reason or nil
    local t = asyncio.create_task(function()
      while true do
        asyncio.gather({ asyncio.sleep, 0.001 }, { return_exceptions = true })
      end
    end)
    asyncio.sleep(0.01)
    t:cancel(reason)
    local _, err = tap.throws(function() t:await() end, asyncio.CancelledError)
    tap.is(err.reason, reason)
    tap.ok(t:cancelled())
  end
end)

tap.done()
