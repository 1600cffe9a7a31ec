-- asyncio from end to end, a little of everything: what each part is for. The
-- other files here go through Python's own tests one by one.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

-- Runs fn in a loop of its own, as the scripts of users do.
local function run_test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

tap.test("run returns what its function returns", function()
  local a, b = asyncio.run(function(x, y) return x + y, x - y end, 5, 3)
  tap.is(a, 8)
  tap.is(b, 2)
  tap.is(asyncio.run { math.max, 1, 7 }, 7, "a list is a call")
end)

tap.test("run raises what its function raises", function()
  tap.throws(function() asyncio.run(error, "oops", 0) end, "^oops$")
end)

tap.test("run cancels the tasks that are left, and waits for them", function()
  local log = {}
  asyncio.run(function()
    asyncio.create_task(function()
      local ok, err = asyncio.pcall(asyncio.sleep, 60)
      asyncio.sleep(0) -- waits work after the cancellation
      log[#log + 1] = ok == false and err.kind
    end)
    asyncio.sleep(0)
  end)
  tap.is_deeply(log, { "Cancelled" })
end)

run_test("a task is a Future of what its function returns", function()
  local t = asyncio.create_task(function(a, b) return a, b end, 1, 2)
  tap.is(t:done(), false)
  tap.throws(function() t:result() end, "InvalidState")
  tap.is_deeply({ t:await() }, { 1, 2 })
  tap.is_deeply({ t:result() }, { 1, 2 })
  tap.is(t:exception(), nil)
end)

run_test("a task can be named", function()
  local t = asyncio.create_task(asyncio.sleep, 0, { name = "sleeper" })
  tap.is(t:get_name(), "sleeper")
  local u = asyncio.create_task({ asyncio.sleep, 0, { name = "a value" } })
  tap.like(u:get_name(), "^Task%-%d+$", "but not by an argument of a list")
  tap.is_deeply(u:await(), { name = "a value" })
  tap.throws(function() asyncio.create_task({ print }, { nmae = 1 }) end,
    'did you mean "name"')
  t:await()
end)

run_test("a Future is settled by hand", function()
  local f = asyncio.get_running_loop():create_future()
  local seen
  f:add_done_callback(function(done) seen = done:result() end)
  asyncio.create_task(f.set_result, f, 42)
  tap.is(f:await(), 42)
  asyncio.sleep(0)
  tap.is(seen, 42)
  tap.throws(function() f:set_result(1) end, "InvalidState")
  tap.is(f:cancel(), false)
end)

run_test("cancelling raises Cancelled once; pcall lets it pass", function()
  local log = {}
  local t = asyncio.create_task(function()
    local ok, err = asyncio.pcall(function()
      pcall(asyncio.sleep, 60)
      log[#log + 1] = "not here"
    end)
    log[#log + 1] = ("%s %s %s"):format(ok, err.kind, err.reason)
    asyncio.sleep(0)
    return "went on"
  end)
  asyncio.sleep(0)
  tap.is(t:cancel("enough"), true)
  tap.is(t:cancelling(), 1)
  tap.is(t:await(), "went on")
  tap.is_deeply(log, { "false Cancelled enough" })
  tap.is(t:cancelled(), false)
  tap.is(t:cancel(), false)
end)

run_test("cancelling a task cancels what it awaits", function()
  local inner = asyncio.create_task(asyncio.sleep, 60)
  local outer = asyncio.create_task(inner.await, inner)
  asyncio.sleep(0)
  outer:cancel()
  tap.throws(function() outer:await() end, "Cancelled")
  tap.ok(inner:cancelled())
  tap.ok(outer:cancelled())
end)

run_test("gather makes a list, in the order of its arguments", function()
  local list = asyncio.gather(
    { asyncio.sleep, 0.02, "a" }, function() return nil end,
    asyncio.create_task(asyncio.sleep, 0, "c"))
  tap.is_deeply(list, { "a", nil, "c", n = 3 })
  local mixed = asyncio.gather(function() error("bad", 0) end,
    { math.max, 1, 2 }, { return_exceptions = true })
  tap.is_deeply(mixed, { "bad", 2, n = 2 })
end)

run_test("an error leaves gather at once, and the others go on", function()
  local t = asyncio.create_task(asyncio.sleep, 0.02, "went on")
  tap.throws(function()
    asyncio.gather(t, function() error("bad", 0) end)
  end, "^bad$")
  tap.is(t:done(), false)
  tap.is(t:await(), "went on")
end)

run_test("wait_for limits a function, a list, a task", function()
  tap.is(asyncio.wait_for(function() return "in time" end, 60), "in time")
  tap.throws(function()
    asyncio.wait_for({ asyncio.sleep, 60 }, 0.01)
  end, asyncio.TimeoutError)
  local t = asyncio.create_task(asyncio.sleep, 60)
  tap.throws(function() asyncio.wait_for(t, { timeout = 0.01 }) end, "Timeout")
  tap.ok(t:cancelled())
  local called = false
  tap.throws(function()
    asyncio.wait_for(function() called = true end, 0)
  end, "Timeout")
  tap.is(called, false, "with no time it does not begin")
end)

run_test("shield keeps what it is given from being cancelled", function()
  local inner = asyncio.create_task(asyncio.sleep, 0.02, "lived")
  local outer = asyncio.create_task(asyncio.shield, inner)
  asyncio.sleep(0)
  outer:cancel()
  tap.throws(function() outer:await() end, "Cancelled")
  tap.is(inner:await(), "lived")
end)

run_test("timeout ends a block, or a function", function()
  tap.throws(function()
    local limit <close> = asyncio.timeout(0.01)
    tap.is(limit:expired(), false)
    asyncio.sleep(60)
  end, "Timeout")
  tap.throws(function() asyncio.timeout(0.01, asyncio.sleep, 60) end, "Timeout")
  tap.is(asyncio.timeout(60, math.max, 1, 2), 2)
  tap.is(asyncio.current_task():cancelling(), 0)
  asyncio.sleep(0)
end)

run_test("a TaskGroup waits for its tasks", function()
  local t, u
  do
    local tg <close> = asyncio.TaskGroup()
    t = tg:create_task(asyncio.sleep, 0.02, "t")
    u = tg:create_task(asyncio.sleep, 0, "u")
  end
  tap.is(t:result() .. u:result(), "tu")
end)

run_test("an error in a TaskGroup cancels the others and the block", function()
  local other, after
  local _, err = tap.throws(function()
    asyncio.TaskGroup(function(tg)
      other = tg:create_task(asyncio.sleep, 60)
      tg:create_task(function() error("bad", 0) end)
      asyncio.sleep(60)
      after = true
    end)
  end, "ErrorGroup")
  tap.is_deeply(err.errors, { "bad" })
  tap.ok(other:cancelled())
  tap.is(after, nil)
  tap.is(asyncio.current_task():cancelling(), 0)
end)

run_test("wait sorts what is done from what is not", function()
  local quick = asyncio.create_task(asyncio.sleep, 0)
  local slow = asyncio.create_task(asyncio.sleep, 60)
  local done, pending = asyncio.wait({ quick, slow },
    { return_when = asyncio.FIRST_COMPLETED })
  tap.is_deeply({ #done, #pending }, { 1, 1 })
  tap.ok(done[quick] and pending[slow])
  done, pending = asyncio.wait({ slow }, { timeout = 0.01 })
  tap.is_deeply({ #done, #pending }, { 0, 1 })
end)

run_test("as_completed gives them as they are done", function()
  local order = {}
  for f in asyncio.as_completed { { asyncio.sleep, 0.03, "b" },
                                  { asyncio.sleep, 0.001, "a" } } do
    order[#order + 1] = f:result()
  end
  tap.is_deeply(order, { "a", "b" })
  tap.throws(function()
    for _ in asyncio.as_completed({ { asyncio.sleep, 60 } },
                                  { timeout = 0.01 }) do
      tap.ok(false, "nothing is done")
    end
  end, "Timeout")
end)

run_test("the loop calls functions soon, and later, in order", function()
  local loop, log = asyncio.get_running_loop(), {}
  local function note(text) log[#log + 1] = text end
  loop:call_later(0.02, note, "later")
  loop:call_at(loop:time() + 0.01, note, "at")
  loop:call_later(0.01, note, "never"):cancel()
  loop:call_soon(note, "soon")
  loop:call_soon(note, "never"):cancel()
  asyncio.sleep(0.03)
  tap.is_deeply(log, { "soon", "at", "later" })
end)

run_test("an error in a callback goes to the exception handler", function()
  local loop, seen = asyncio.get_running_loop(), {}
  loop:set_exception_handler(function(_, context) seen[#seen + 1] = context end)
  loop:call_soon(error, "bad", 0)
  asyncio.sleep(0)
  tap.is(#seen, 1)
  tap.is(seen[1].exception, "bad")
end)

tap.test("an error that nobody asks for is reported, once", function()
  local seen = {}
  asyncio.run(function()
    asyncio.get_running_loop():set_exception_handler(function(_, context)
      seen[#seen + 1] = context
    end)
    asyncio.create_task(function() error("lost", 0) end, { name = "loser" })
    asyncio.sleep(0)
    asyncio.sleep(0)
  end)
  collectgarbage()
  collectgarbage()
  tap.is(#seen, 1)
  tap.is(seen[1].exception, "lost")
  tap.is(seen[1].task:get_name(), "loser")
end)

tap.test("everything works outside of a run, too", function()
  local t = asyncio.create_task(asyncio.sleep, 0.001, "slept")
  tap.is(t:await(), "slept")
  tap.throws(function()
    asyncio.timeout(0.001, asyncio.sleep, 60)
  end, "Timeout")
  tap.throws(function()
    local tg <close> = asyncio.TaskGroup()
    tg:create_task(function() error("bad", 0) end)
  end, "ErrorGroup")
  tap.is_deeply(
    asyncio.gather({ asyncio.sleep, 0, 1 }, { asyncio.sleep, 0, 2 }),
    { 1, 2, n = 2 })
  tap.is(asyncio.get_running_loop():is_running(), true)
end)

tap.test("a run is not for a running loop", function()
  asyncio.run(function()
    tap.throws(function() asyncio.run(print) end, "UsageError")
  end)
end)

tap.test("a Runner runs again and again in one loop", function()
  local runner <close> = asyncio.Runner { debug = true }
  local loop = runner:get_loop()
  tap.is(runner:run(asyncio.get_running_loop), loop)
  tap.is(runner:run(math.max, 1, 2), 2)
  tap.is(loop:get_debug(), true)
  runner:close()
  tap.ok(loop:is_closed())
  tap.throws(function() runner:run(print) end, "UsageError")
end)

tap.done()
