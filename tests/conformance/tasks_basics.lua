-- Python's test_tasks.py: what a Task is, and how it is made.
local asyncio = require "luvisor.asyncio"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

local function ok() return "ok" end

local function where(fn)
  local at = debug.getinfo(fn, "S")
  return ("%s:%d"):format(at.short_src, at.linedefined)
end

-- Making ----------------------------------------------------------------------

test("test_task_class: a Task is of its loop and has its result", function()
  local loop = asyncio.get_running_loop()
  local t = asyncio.Task(ok)
  tap.is(t:await(), "ok")
  tap.ok(t:done())
  tap.is(t:result(), "ok")
  tap.is(t:get_loop(), loop)
end)

tap.test("test_task_class: in a loop made by hand", function()
  local loop = asyncio.new_event_loop()
  local t = loop:create_task(ok)
  tap.is(t:get_loop(), loop)
  tap.is(loop:run_until_complete(t), "ok")
  loop:close()
end)

test("test_task_basics: calling is awaiting", function()
  local function inner1() turn() return 42 end
  local function inner2() turn() return 1000 end
  local t = asyncio.create_task(function() return inner1() + inner2() end)
  tap.is(t:await(), 1042)
end)

test("test_bare_create_task", function()
  tap.is(asyncio.create_task(function() return 1 end):await(), 1)
end)

test("test_bare_create_named_task", function()
  local t = asyncio.create_task(turn, { name = "No-op" })
  tap.is(t:get_name(), "No-op")
  t:await()
end)

test("test_create_task_with_noncoroutine: a value is no call", function()
  for _ = 1, 2 do
    tap.throws(function() asyncio.create_task(123) end,
      "expected a function or a list {fn, arg, …}, got a number")
  end
  tap.throws(function() asyncio.create_task(asyncio.sleep(0)) end, "got nil")
end)

test("test_create_task_with_async_function: again and again", function()
  for _ = 1, 2 do tap.is(asyncio.create_task(ok):await(), "ok") end
end)

test("test_create_task_with_asynclike_function: what can be called", function()
  local callable = setmetatable({}, { __call = function() return 42 end })
  for _ = 1, 2 do
    local t = asyncio.create_task(callable)
    tap.is(t:await(), 42)
    tap.ok(tostring(t))
  end
end)

test("test_get_coro: a Task knows its function", function()
  local t = asyncio.create_task(ok)
  tap.is(t:get_coro(), ok)
  t:await()
  tap.is(t:get_coro(), ok)
end)

test("test_future_subclass: a Task is a Future", function()
  local t = asyncio.create_task(ok)
  tap.ok(asyncio.isfuture(t))
  tap.ok(asyncio.isfuture(asyncio.Future()))
  tap.ok(not asyncio.isfuture(ok) and not asyncio.isfuture {})
  t:await()
end)

test("test_coroutine_non_gen_function_return_future", function()
  local fut = asyncio.Future()
  local t1 = asyncio.create_task(function() return fut end)
  local t2 = asyncio.create_task(function() fut:set_result "test" end)
  tap.is(t1:await(), fut, "a Future is a result like others")
  tap.is(t2:await(), nil)
  tap.is(fut:result(), "test")
end)

test("test_step_result_future: a function waits for the Future it awaits",
  function()
    local fut, result = asyncio.Future(), nil
    local t = asyncio.create_task(function() result = fut:await() end)
    turn()
    local object = {}
    fut:set_result(object)
    t:await()
    tap.is(result, object)
    tap.is(t:result(), nil)
  end)

test("test_task_set_methods: its function alone makes its result", function()
  local t = asyncio.create_task(ok)
  tap.throws(function() t:set_result "no" end, "has no set_result")
  tap.throws(function() t:set_exception "no" end, "has no set_exception")
  tap.is(t:await(), "ok")
end)

test("test_task_del_collect: results may collect garbage as they die",
  function()
    local calls = {}
    for i = 1, 100 do
      calls[i] = function()
        return setmetatable({}, { __gc = function() collectgarbage() end })
      end
    end
    local list = asyncio.gather(table.unpack(calls))
    tap.is(list.n, 100)
  end)

test("test_coroutine_non_gen_function: a function need not wait", function()
  tap.is(asyncio.await(ok), "ok")
  tap.is(asyncio.await { ok }, "ok")
end)

local function spend_tasks()
  for _ = 1, 1000 do asyncio.create_task(turn):await() end
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

test("test_refleaks_in_task___init__: tasks that have ended leave nothing",
  function()
    spend_tasks()
    local before = spend_tasks()
    tap.ok(spend_tasks() - before < 50, "not 50 KiB in 1000 tasks")
  end)

-- ensure_future ---------------------------------------------------------------

test("test_ensure_future_coroutine: a Task is made of a call", function()
  for _, aw in ipairs { ok, { ok } } do
    local t = asyncio.ensure_future(aw)
    tap.is(t:get_loop(), asyncio.get_running_loop())
    tap.is(t:await(), "ok")
  end
end)

tap.test("test_ensure_future_coroutine: in the loop that is set", function()
  local loop = asyncio.new_event_loop()
  asyncio.set_event_loop(loop)
  local t = asyncio.ensure_future(ok)
  asyncio.set_event_loop(nil)
  tap.is(t:get_loop(), loop)
  tap.is(loop:run_until_complete(t), "ok")
  loop:close()
  tap.is(asyncio.ensure_future(ok):await(), "ok", "and without one")
end)

test("test_ensure_future_future: it stays what it is", function()
  local fut = asyncio.Future()
  fut:set_result "ko"
  tap.is(asyncio.ensure_future(fut), fut)
  tap.is(asyncio.ensure_future(fut, { loop = fut:get_loop() }), fut)
  tap.is(fut:await(), "ko")
end)

test("test_ensure_future_task: it stays what it is", function()
  local t = asyncio.create_task(ok)
  tap.is(asyncio.ensure_future(t), t)
  tap.is(t:await(), "ok")
end)

test("test_ensure_future_error_msg: of another loop", function()
  local other = asyncio.new_event_loop()
  local fut = asyncio.Future()
  tap.throws(function()
    asyncio.ensure_future(fut, { loop = other })
  end, "the Future belongs to another loop")
  other:close()
end)

test("test_ensure_future_neither", function()
  tap.throws(function() asyncio.ensure_future "ok" end, "UsageError")
end)

test("test_ensure_future_awaitable: what can be called is awaitable", function()
  local aw = setmetatable({}, { __call = ok })
  tap.is(asyncio.ensure_future(aw):await(), "ok")
  local t = asyncio.ensure_future { asyncio.sleep, 0, "ok" }
  tap.is(t:await(), "ok")
  tap.is(t:get_coro(), asyncio.sleep, "test_ensure_future_task_awaitable")
end)

-- Names and texts -------------------------------------------------------------

test("test_task_repr: name, state and place", function()
  local fn <const> = function() turn() return "abc" end
  local place = where(fn)
  local t = asyncio.create_task(fn, { name = "TestTask" })
  local text <const> = "<asyncio.Task TestTask [%s] %s>"
  tap.is(tostring(t), text:format("pending", place))
  t:cancel()
  tap.is(tostring(t), text:format("cancelling", place))
  asyncio.wait { t }
  tap.is(tostring(t), text:format("cancelled", place))
  t = asyncio.create_task(fn, { name = "TestTask" })
  t:await()
  tap.is(tostring(t), text:format("finished", place))
  t = asyncio.create_task(error, "x", { name = "TestTask" })
  asyncio.wait { t }
  tap.is(tostring(t), text:format("failed", "[C]"))
  tap.is(t:exception(), "x")
end)

test("test_task_repr_autogenerated: names are numbered", function()
  local t1, t2 = asyncio.create_task(ok), asyncio.create_task(ok)
  local n1 = tostring(t1):match "^<asyncio%.Task Task%-(%d+) %[pending%]"
  local n2 = tostring(t2):match "^<asyncio%.Task Task%-(%d+) %[pending%]"
  tap.ok(tonumber(n1) < tonumber(n2))
  tap.is(t1:get_name(), "Task-" .. n1)
  asyncio.gather(t1, t2)
end)

test("test_task_repr_name_not_str: any value may be a name", function()
  local t = asyncio.create_task(ok)
  t:set_name(true)
  tap.is(t:get_name(), "true")
  t:await()
end)

test("test_task_set_name_pylong: so may a number", function()
  local t = asyncio.create_task(ok, { name = 987654321 })
  tap.is(t:get_name(), "987654321")
  t:set_name(123456789)
  tap.is(t:get_name(), "123456789")
  t:await()
end)

test("test_task_repr_wait_for: it tells what it waits for", function()
  local fut = asyncio.Future()
  local t = asyncio.create_task(fut.await, fut)
  local u = asyncio.create_task(t.await, t)
  turn()
  tap.is(tostring(t):match " wait_for=(.*)>$", tostring(fut))
  tap.is(tostring(u):match " wait_for=(.*)>$", t:get_name())
  fut:set_result()
  u:await()
  tap.ok(not tostring(t):find "wait_for")
end)

test("test_get_stack: where it waits, and where it failed", function()
  local function foo() asyncio.sleep(60) end
  local t = asyncio.create_task(foo)
  turn()
  local line = where(foo):gsub("%p", "%%%0")
  tap.like(t:get_stack(), "sleep'.*" .. line .. ": in function <[^\n]*>$")
  local printed = {}
  t:print_stack { write = function(_, text) printed[#printed + 1] = text end }
  tap.like(printed[1], "^<asyncio%.Task .*pending.*" .. line .. ": in")
  t:cancel()
  asyncio.wait { t }
  tap.is(t:get_stack(), "")
  t = asyncio.create_task(function() error("here", 0) end)
  asyncio.wait { t }
  tap.like(t:get_stack(), "tasks_basics%.lua")
  tap.is(t:exception(), "here")
end)

-- current_task ----------------------------------------------------------------

tap.test("test_current_task", function()
  local loop = asyncio.new_event_loop()
  tap.is(asyncio.current_task(loop), nil, "test_current_task_no_running_loop")
  local t
  t = loop:create_task(function()
    tap.is(asyncio.current_task(), t)
    tap.is(asyncio.current_task(nil), t)
    tap.is(asyncio.current_task(loop), t,
      "test_current_task_with_implicit_loop")
  end)
  loop:run_until_complete(t)
  tap.is(asyncio.current_task(loop), nil)
  loop:close()
end)

test("test_current_task_with_interleaving_tasks", function()
  local fut1, fut2 = asyncio.Future(), asyncio.Future()
  local t1, t2
  t1 = asyncio.create_task(function()
    tap.is(asyncio.current_task(), t1)
    fut1:await()
    tap.is(asyncio.current_task(), t1)
    fut2:set_result(true)
  end)
  t2 = asyncio.create_task(function()
    tap.is(asyncio.current_task(), t2)
    fut1:set_result(true)
    fut2:await()
    tap.is(asyncio.current_task(), t2)
  end)
  asyncio.gather(t1, t2)
end)

tap.test("test_current_task_no_running_loop_implicit: the script is a task",
  function()
    local t = asyncio.current_task()
    tap.ok(asyncio.isfuture(t))
    tap.is(asyncio.current_task(), t)
    tap.is(t:done(), false)
  end)

test("a callback of the loop is no task", function()
  local seen = "not called"
  asyncio.get_running_loop():call_soon(function()
    seen = asyncio.current_task()
  end)
  turn()
  tap.is(seen, nil)
end)

tap.test("a task that asyncio did not make can be awaited", function()
  local task = require "luvisor.task"
  local adopted
  local native = task.spawn(function()
    adopted = asyncio.current_task()
    task.checkpoint()
    return "native"
  end)
  task.checkpoint()
  tap.is_deeply(asyncio.gather(adopted, adopted), { "native", "native", n = 2 })
  tap.ok(adopted:done())
  tap.is(native:join(), "native")
end)

-- sleep -----------------------------------------------------------------------

test("test_sleep: it returns its second argument", function()
  local t = asyncio.create_task(function(dt, arg)
    asyncio.sleep(dt / 2)
    return asyncio.sleep(dt / 2, arg)
  end, 0.01, "yeah")
  tap.is(t:await(), "yeah")
end)

test("test_sleep_when_delay_is_nan", function()
  tap.throws(function() asyncio.sleep(0 / 0) end, "UsageError")
  tap.throws(function() asyncio.sleep "1" end, "UsageError")
end)

test("test_sleep_zero: it lets the callbacks that wait have a turn", function()
  local result = 0
  local function add(n) result = result + n end
  asyncio.get_running_loop():call_soon(add, 1)
  tap.is(result, 0)
  local n = asyncio.sleep(0, 10)
  tap.is(result, 1)
  add(n)
  tap.is(result, 11)
end)

-- The end of the program ------------------------------------------------------

tap.test("test_baseexception_during_cancel: os.exit ends all", function()
  local r = process.run {
    LUVISOR, "-e", [[
      local asyncio = require "luvisor.asyncio"
      asyncio.run(function()
        local t = asyncio.create_task(function()
          asyncio.pcall(asyncio.sleep, 60)
          os.exit(3)
        end)
        asyncio.sleep(0)
        t:cancel()
        t:await()
      end)
    ]], check = false, stderr = "pipe", timeout = 60,
  }
  tap.is(tostring(r), "exited 3")
  tap.is(r.stderr, "")
end)

tap.done()
