-- Counterparts of test_asyncio/test_runners.py: RunTests.

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local test = tap.test

local function fail(kind)
  errors.raise { kind = kind, message = kind }
end

local function sleep_long()
  asyncio.sleep(60)
end

test("test_asyncio_run_return: what the function returns", function()
  tap.is(asyncio.run(function()
    asyncio.sleep(0)
    return 42
  end), 42)
  local function add(a, b) return a + b, "more" end
  tap.is_deeply({ asyncio.run(add, 1, 2) }, { 3, "more" })
  tap.is_deeply({ asyncio.run { add, 1, 2 } }, { 3, "more" })
end)

test("test_asyncio_run_raises: what the function raises", function()
  local _, err = tap.throws(function()
    asyncio.run(function()
      asyncio.sleep(0)
      fail "Value"
    end)
  end, "Value")
  tap.is(err.message, "Value")
end)

test("test_asyncio_run_only_coro: nothing but an awaitable", function()
  for _, wrong in ipairs { 1, "main", true, {}, { 1, 2 } } do
    tap.throws(function() asyncio.run(wrong) end,
               "^asyncio%.run: expected a Future, a Task, a function or")
  end
  tap.throws(function() asyncio.run() end, "UsageError")
end)

test("test_asyncio_run_debug: the mode of its loop", function()
  local function debug()
    return asyncio.get_event_loop():get_debug()
  end
  tap.is(asyncio.run(debug), false)
  tap.is(asyncio.run(debug, { debug = false }), false)
  tap.is(asyncio.run(debug, { debug = true }), true)
  tap.is(asyncio.run(debug), false)
end)

test("test_asyncio_run_from_running_loop", function()
  local function main()
    asyncio.run(main)
  end
  tap.throws(function() asyncio.run(main) end,
             "asyncio%.run cannot be called inside a running event loop")
end)

test("test_asyncio_run_cancels_hanging_tasks", function()
  local leftover
  tap.is(asyncio.run(function()
    leftover = asyncio.create_task(sleep_long)
    return 123
  end), 123)
  tap.ok(leftover:done())
  tap.ok(leftover:cancelled())
end)

-- A task that makes an error of its cancellation.
local function fail_when_cancelled()
  asyncio.pcall(sleep_long)
  fail "ZeroDivision"
end

test("test_asyncio_run_reports_hanging_tasks_errors: to the handler",
  function()
    local leftover
    local contexts = {}
    tap.is(asyncio.run(function()
      asyncio.get_running_loop():set_exception_handler(function(_, context)
        contexts[#contexts + 1] = context
      end)
      leftover = asyncio.create_task(fail_when_cancelled)
      asyncio.sleep(0)
      return 123
    end), 123)
    tap.ok(leftover:done())
    tap.is(#contexts, 1)
    tap.like(contexts[1].message, "at the end of its run")
    tap.is(contexts[1].task, leftover)
    tap.is(contexts[1].exception.kind, "ZeroDivision")
  end)

test("test_asyncio_run_closes_gens_after_hanging_tasks_errors: loops are left",
  function()
    local lazy, closed, reported = nil, false, 0
    local closing = setmetatable({}, { __close = function() closed = true end })
    local function spin()
      for _ in function() return 1 end, nil, nil, closing do
        if not asyncio.pcall(sleep_long) then fail "ZeroDivision" end
      end
    end
    tap.throws(function()
      asyncio.run(function()
        asyncio.get_running_loop():set_exception_handler(function()
          reported = reported + 1
        end)
        lazy = asyncio.create_task(spin)
        asyncio.sleep(0)
        fail "FancyExit"
      end)
    end, "FancyExit")
    tap.ok(lazy:done())
    tap.ok(closed)
    tap.is(reported, 1)
  end)

test("test_asyncio_run_set_event_loop: the loop is that of the run", function()
  local outside = asyncio.get_event_loop()
  local inside = asyncio.run(asyncio.get_event_loop)
  tap.isnt(inside, outside)
  tap.ok(inside:is_closed())
  tap.is(asyncio.get_event_loop(), outside)
  tap.isnt(asyncio.run(asyncio.get_running_loop), inside, "each has its own")
end)

test("test_asyncio_run_loop_factory: makes the loop, once", function()
  local calls, loop = 0, nil
  local found = asyncio.run(asyncio.get_running_loop, {
    loop_factory = function(...)
      tap.is(select("#", ...), 0)
      calls = calls + 1
      loop = asyncio.new_event_loop()
      return loop
    end,
  })
  tap.is(calls, 1)
  tap.is(found, loop)
  tap.ok(loop:is_closed())
end)

test("test_loop_factory_default_event_loop", function()
  local loop = asyncio.run(asyncio.get_running_loop,
                           { loop_factory = asyncio.new_event_loop })
  tap.is(getmetatable(loop), getmetatable(asyncio.get_event_loop()))
  tap.throws(function()
    asyncio.run({ sleep_long }, { loop_factory = 1 })
  end, "loop_factory must be a function")
end)

tap.done()
