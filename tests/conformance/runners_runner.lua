-- Counterparts of test_asyncio/test_runners.py: RunnerTests. What Python does
-- by contextvars has no counterpart: each task has its own variables.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local test = tap.test

test("test_non_debug", function()
  local runner <close> = asyncio.Runner { debug = false }
  tap.is(runner:get_loop():get_debug(), false)
end)

test("test_debug", function()
  local runner <close> = asyncio.Runner { debug = true }
  tap.is(runner:get_loop():get_debug(), true)
end)

test("test_custom_factory: makes the loop", function()
  local loop = asyncio.new_event_loop()
  local runner <close> = asyncio.Runner {
    loop_factory = function() return loop end,
  }
  tap.is(runner:get_loop(), loop)
end)

test("test_run: the loop is closed with the runner", function()
  local kept, loop
  do
    local runner <close> = asyncio.Runner()
    kept = runner
    tap.is(runner:run(function()
      asyncio.sleep(0)
      return "done"
    end), "done")
    loop = runner:get_loop()
  end
  tap.throws(function() kept:get_loop() end, "Runner: it is closed")
  tap.ok(loop:is_closed())
end)

test("test_run_non_coro: nothing but an awaitable", function()
  local runner <close> = asyncio.Runner()
  tap.throws(function() runner:run(123) end, "^Runner:run: expected a Future")
end)

test("test_run_future: a Future of its loop may be run", function()
  local runner <close> = asyncio.Runner()
  local loop = runner:get_loop()
  local fut = loop:create_future()
  loop:call_soon(fut.set_result, fut, "done")
  tap.is(runner:run(fut), "done")
end)

test("test_explicit_close", function()
  local runner = asyncio.Runner()
  local loop = runner:get_loop()
  runner:close()
  tap.throws(function() runner:get_loop() end, "Runner: it is closed")
  tap.ok(loop:is_closed())
end)

test("test_double_close: is harmless", function()
  local runner = asyncio.Runner()
  local loop = runner:get_loop()
  runner:close()
  tap.ok(loop:is_closed())
  runner:close()
  tap.ok(loop:is_closed())
  asyncio.Runner():close()
end)

test("test_second_with_block_raises: a closed runner runs nothing", function()
  local results = {}
  local function add(value) results[#results + 1] = value end
  local runner = asyncio.Runner()
  do
    local again <close> = runner
    again:run(add, 1)
  end
  tap.throws(function()
    local again <close> = runner
    again:run(add, 2)
  end, "Runner: it is closed")
  tap.is_deeply(results, { 1 })
end)

test("test_run_keeps_context: what was started goes on in the next run",
  function()
    local runner <close> = asyncio.Runner()
    local event = asyncio.Event()
    local t = runner:run(function()
      return asyncio.create_task(function()
        event:wait()
        return "of the first run"
      end)
    end)
    runner:run(event.set, event)
    tap.is(runner:run(t), "of the first run")
  end)

test("test_recursive_run", function()
  local runner <close> = asyncio.Runner()
  tap.throws(function()
    runner:run(function() runner:run(asyncio.sleep, 0) end)
  end, "Runner:run cannot be called inside a running event loop")
end)

test("test_set_event_loop_called_once: one loop for all runs", function()
  local runner <close> = asyncio.Runner()
  local first = runner:run(asyncio.get_running_loop)
  tap.is(runner:run(asyncio.get_running_loop), first)
  tap.is(runner:get_loop(), first)
end)

test("test_no_repr_is_call_on_the_task_result", function()
  local calls = 0
  local value = setmetatable({}, {
    __tostring = function()
      calls = calls + 1
      return "value"
    end,
  })
  do
    local runner <close> = asyncio.Runner()
    tap.is(rawequal(runner:run(function() return value end), value), true)
  end
  tap.is(calls, 0)
end)

tap.done()
