local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function wait_for_ever()
  sync.event():wait()
end

local function on_close(fn)
  return setmetatable({}, { __close = fn })
end

local function each(...)
  local list = table.pack(...)
  return coroutine.wrap(function()
    for i = 1, list.n do
      task.checkpoint()
      coroutine.yield(list[i])
    end
  end)
end

local function collect(iterator)
  local items = {}
  for item in iterator do items[#items + 1] = item end
  return items
end

-- As in Lua ------------------------------------------------------------------

tap.test("generators are as in Lua where they do not wait", function()
  local co = coroutine.create(function(a, b)
    local c = coroutine.yield(a + b)
    local d, e = coroutine.yield(c * 2)
    return d, e, nil
  end)
  tap.is(coroutine.status(co), "suspended")
  tap.is_deeply({ coroutine.resume(co, 1, 2) }, { true, 3 })
  tap.is_deeply({ coroutine.resume(co, 5) }, { true, 10 })
  tap.is_deeply(table.pack(coroutine.resume(co, 7, 8)),
    { true, 7, 8, nil, n = 4 })
  tap.is(coroutine.status(co), "dead")
  tap.is_deeply({ coroutine.resume(co) },
    { false, "cannot resume dead coroutine" })
end)

tap.test("errors of generators are as in Lua", function()
  local co = coroutine.create(function() error { code = 1 } end)
  local ok, err = coroutine.resume(co)
  tap.is(ok, false)
  tap.is(err.code, 1)
  tap.is(coroutine.status(co), "dead")
  tap.like(debug.traceback(co), "in function 'error'", "its stack is kept")
  tap.is_deeply({ coroutine.close(co) }, { false, err })

  local fail = coroutine.wrap(function() error("oops", 0) end)
  tap.throws(fail, "test_coroutine.lua:%d+: oops$|^oops$" and "oops$")
  tap.throws(fail, "cannot resume dead coroutine")
  tap.throws(coroutine.wrap(function() error { code = 2 } end),
    function(e) return e.code == 2 end)
  tap.throws(coroutine.wrap(function() error() end),
    function(e) return e == nil end)
end)

tap.test("a generator that resumes itself or its resumer is refused",
  function()
    local outer
    outer = coroutine.create(function()
      tap.is(coroutine.status(outer), "running")
      tap.is_deeply({ coroutine.resume(outer) },
        { false, "cannot resume non-suspended coroutine" })
      local inner = coroutine.create(function()
        tap.is(coroutine.status(outer), "normal")
        tap.is_deeply({ coroutine.resume(outer) },
          { false, "cannot resume non-suspended coroutine" })
        tap.throws(function() coroutine.close(outer) end, "normal coroutine")
      end)
      tap.ok(coroutine.resume(inner))
    end)
    tap.is_deeply({ coroutine.resume(outer) }, { true })
  end)

tap.test("close closes the variables of a suspended generator", function()
  local closed = {}
  local co = coroutine.create(function()
    local _ <close> = on_close(function() closed[#closed + 1] = "outer" end)
    local _ <close> = on_close(function() closed[#closed + 1] = "inner" end)
    coroutine.yield()
  end)
  coroutine.resume(co)
  tap.is(coroutine.close(co), true)
  tap.is_deeply(closed, { "inner", "outer" })
  tap.is(coroutine.status(co), "dead")
  tap.is(coroutine.close(co), true)

  co = coroutine.create(function()
    local _ <close> = on_close(function() error("closing", 0) end)
    coroutine.yield()
  end)
  coroutine.resume(co)
  tap.is_deeply({ coroutine.close(co) }, { false, "closing" })
end)

tap.test("running, isyieldable and yield know the body of a task", function()
  local thread, main = coroutine.running()
  tap.is(type(thread), "thread")
  tap.is(main, true, "a task's body is no coroutine of the script")
  tap.is(coroutine.isyieldable(), false)
  tap.throws(function() coroutine.yield() end,
    "test_coroutine.lua:%d+: coroutine.yield outside a coroutine of the script")
  tap.throws(function() coroutine.yield() end, "UsageError")
  coroutine.wrap(function()
    local co, is_main = coroutine.running()
    tap.is(is_main, false)
    tap.is(coroutine.status(co), "running")
    tap.is(coroutine.isyieldable(), true)
    tap.is(coroutine.status(thread), "normal")
    tap.is_deeply({ coroutine.resume(thread) },
      { false, "cannot resume non-suspended coroutine" })
  end)()
end)

tap.test("the coroutine of another task cannot be meddled with", function()
  local thread
  local t = task.spawn(function()
    thread = coroutine.running()
    wait_for_ever()
  end)
  let_run()
  tap.is(coroutine.status(thread), "normal")
  tap.is(coroutine.resume(thread), false)
  tap.throws(function() coroutine.close(thread) end, "cannot close")
  t:cancel()
  let_run()
  tap.is(coroutine.status(thread), "dead")
end)

-- Waiting --------------------------------------------------------------------

tap.test("a generator may wait: other tasks run meanwhile", function()
  local others = 0
  task.nursery(function(n)
    n:spawn(function()
      while true do
        others = others + 1
        task.checkpoint()
      end
    end)
    tap.is_deeply(collect(each("a", "b", "c")), { "a", "b", "c" })
    n:cancel()
  end)
  tap.ok(others >= 3)
end)

tap.test("a generator that waits is normal; resume and close refuse it",
  function()
    local go = sync.event()
    local co = coroutine.create(function()
      go:wait()
      coroutine.yield "value"
    end)
    local t = task.spawn(coroutine.resume, co)
    let_run()
    tap.is(coroutine.status(co), "normal")
    tap.is_deeply({ coroutine.resume(co) },
      { false, "cannot resume non-suspended coroutine" })
    tap.throws(function() coroutine.close(co) end,
      "cannot close a normal coroutine")
    go:set()
    tap.is_deeply({ t:join() }, { true, "value" })
    tap.is(coroutine.status(co), "suspended")
  end)

tap.test("a wrapped generator that waits refuses other callers", function()
  local go = sync.event()
  local generator = coroutine.wrap(function()
    go:wait()
    coroutine.yield "value"
  end)
  local t = task.spawn(generator)
  let_run()
  tap.throws(generator, "cannot resume non%-suspended coroutine")
  go:set()
  tap.is(t:join(), "value")
end)

tap.test("generators that wait nest", function()
  local function twice(iterator)
    return coroutine.wrap(function()
      for item in iterator do
        task.checkpoint()
        coroutine.yield(item .. "1")
        task.checkpoint()
        coroutine.yield(item .. "2")
      end
    end)
  end
  tap.is_deeply(collect(twice(twice(each("a", "b")))),
    { "a11", "a12", "a21", "a22", "b11", "b12", "b21", "b22" })
end)

tap.test("values go both ways while a generator waits in between", function()
  local co = coroutine.create(function(...)
    local sum = 0
    local values = table.pack(...)
    while values.n > 0 do
      task.checkpoint()
      for i = 1, values.n do sum = sum + values[i] end
      values = table.pack(coroutine.yield(sum, nil))
    end
    return "end", nil
  end)
  tap.is_deeply(table.pack(coroutine.resume(co, 1, 2)),
    { true, 3, nil, n = 3 })
  tap.is_deeply(table.pack(coroutine.resume(co, 4)), { true, 7, nil, n = 3 })
  tap.is_deeply(table.pack(coroutine.resume(co)), { true, "end", nil, n = 3 })
end)

tap.test("an error after a wait is as one before", function()
  local co = coroutine.create(function()
    task.checkpoint()
    error { code = 3 }
  end)
  local ok, err = coroutine.resume(co)
  tap.is(ok, false)
  tap.is(err.code, 3)
  tap.is(coroutine.status(co), "dead")
  tap.throws(coroutine.wrap(function()
    task.checkpoint()
    error("oops", 0)
  end), "oops$")
end)

tap.test("a wait may fail inside a generator, which may catch it", function()
  local failed = task.spawn(wait_for_ever)
  let_run()
  failed:cancel()
  local co = coroutine.create(function()
    local ok, err = pcall(failed.join, failed)
    coroutine.yield(ok, err.kind)
    failed:join()
  end)
  tap.is_deeply({ coroutine.resume(co) }, { true, false, "Cancelled" })
  local ok, err = coroutine.resume(co)
  tap.is(ok, false, "an ordinary error does not pass through resume")
  tap.ok(err:is "Cancelled")
end)

tap.test("a generator begun by one task may be resumed by another", function()
  local names = {}
  local generator = coroutine.wrap(function()
    while true do
      task.checkpoint()
      names[#names + 1] = task.current().name
      coroutine.yield()
    end
  end)
  for _, name in ipairs { "first", "second" } do
    local t = task.spawn(function() generator() end)
    t.name = name
    t:join()
  end
  tap.is_deeply(names, { "first", "second" })
end)

tap.test("a generator begun by a task that failed goes on elsewhere",
  function()
    local generator = each("a", "b")
    local t = task.spawn(function()
      generator()
      wait_for_ever()
    end)
    let_run()
    t:cancel()
    let_run()
    tap.is_deeply(collect(generator), { "b" })
  end)

tap.test("task.current in a generator is whoever resumes it", function()
  local me = task.current()
  local current = coroutine.wrap(function()
    while true do coroutine.yield(task.current()) end
  end)
  tap.is(current(), me)
  local t = task.spawn(current)
  tap.is(t:join(), t)
end)

-- Cancelling -----------------------------------------------------------------

tap.test("a cancellation ends the generator and its caller", function()
  for _, make in ipairs {
    coroutine.wrap,
    function(fn)
      local co = coroutine.create(fn)
      return function() coroutine.resume(co) end
    end,
  } do
    local steps = {}
    local t = task.spawn(function()
      local outer = make(function()
        local inner = make(function()
          local _ <close> = on_close(function(_, err)
            steps[#steps + 1] = "inner closed: " .. err.kind
          end)
          wait_for_ever()
        end)
        inner()
        steps[#steps + 1] = "not reached"
      end)
      outer()
      steps[#steps + 1] = "not reached"
    end)
    let_run()
    t:cancel()
    let_run()
    tap.is(t.state, "cancelled")
    tap.is_deeply(steps, { "inner closed: Cancelled" })
  end
end)

tap.test("the variables of a wrapped generator that fails may wait", function()
  local steps = {}
  local function failing(fail)
    return coroutine.wrap(function()
      local _ <close> = on_close(function()
        task.shield_for(60, let_run)
        steps[#steps + 1] = "closed"
      end)
      fail()
    end)
  end
  tap.throws(failing(function() error("oops", 0) end), "oops")
  local t = task.spawn(failing(wait_for_ever))
  let_run()
  t:cancel()
  pcall(t.join, t)
  tap.is_deeply(steps, { "closed", "closed" })
end)

tap.test("inside coroutine.close nothing can wait", function()
  local co = coroutine.create(function()
    local _ <close> = on_close(task.checkpoint)
    coroutine.yield()
  end)
  coroutine.resume(co)
  local ok, err = coroutine.close(co)
  tap.is(ok, false)
  tap.ok(err:is "UsageError")
  tap.like(err.message, "cannot wait here.*coroutine.close")
end)

tap.test("nothing can wait in a generator that table.sort resumes", function()
  local co = coroutine.create(function()
    local ok, err = pcall(task.checkpoint)
    coroutine.yield(ok, err.kind)
    task.checkpoint()
    return "waited"
  end)
  local result
  string.gsub("x", "x", function() result = { coroutine.resume(co) } end)
  tap.is_deeply(result, { true, false, "UsageError" })
  tap.is_deeply({ coroutine.resume(co) }, { true, "waited" },
    "but when it is resumed elsewhere")
end)

-- Scopes that a generator yields out of ---------------------------------------

-- A generator that yields inside what scope(fn) runs fn in.
local function inside(scope)
  return coroutine.create(function()
    return scope(function()
      coroutine.yield "suspended"
      task.checkpoint()
      return "finished"
    end)
  end)
end

tap.test("a limit around a suspended generator is not around its caller",
  function()
    local co = inside(function(fn) return task.move_on(0.001, fn) end)
    coroutine.resume(co)
    task.sleep(0.002)
    let_run()
    tap.ok(true, "we were not cancelled")
    tap.is_deeply({ coroutine.resume(co) }, { true, false },
      "the generator was")
  end)

tap.test("limits of generators and callers do not mix in any order", function()
  local co = inside(function(fn) return task.timeout(60, fn) end)
  local got = { task.move_on(60, function()
    return coroutine.resume(co)
  end) }
  tap.is_deeply(got, { true, true, "suspended" })
  task.move_on(60, let_run)
  got = { task.move_on(60, coroutine.resume, co) }
  tap.is_deeply(got, { true, true, "finished" })

  co = inside(task.shield)
  local steps = 0
  tap.is(task.move_on(0, function()
    coroutine.resume(co)
    steps = 1
    task.checkpoint()
    steps = 2
  end), false)
  tap.is(steps, 1, "its shield does not shield us")
  tap.is(task.move_on(0, coroutine.resume, co), true, "but it, still")
end)

tap.test("a suspended generator goes on in the scopes of who resumes it",
  function()
    local co = inside(function(fn)
      return task.timeout(60, task.nursery, fn)
    end)
    coroutine.resume(co)
    local t = task.spawn(function()
      coroutine.resume(co)
    end)
    t:cancel()
    pcall(t.join, t)
    tap.is(t.state, "cancelled")
    tap.is(coroutine.status(co), "dead")
  end)

tap.test("what was cancelled around it earlier is so no more", function()
  local co = inside(function(fn) return task.timeout(60, fn) end)
  task.move_on(0, function()
    coroutine.resume(co)
    task.checkpoint()
  end)
  tap.is_deeply({ coroutine.resume(co) }, { true, "finished" })
end)

tap.test("tasks of a nursery run while the generator in it is suspended",
  function()
    local go, produced = sync.event(), {}
    local co = coroutine.create(function()
      task.nursery(function(n)
        n:spawn(function()
          for i = 1, 3 do
            produced[i] = i
            task.checkpoint()
          end
          go:wait()
        end)
        coroutine.yield()
      end)
      return "all ended"
    end)
    tap.is_deeply({ coroutine.resume(co) }, { true })
    let_run()
    tap.is_deeply(produced, { 1, 2, 3 })
    go:set()
    tap.is_deeply({ coroutine.resume(co) }, { true, "all ended" })
  end)

tap.test("a task of it that fails is raised when the generator goes on",
  function()
    local co = inside(function(fn)
      return task.nursery(function(n)
        n:spawn(error, "oops", 0)
        return fn()
      end)
    end)
    tap.is_deeply({ coroutine.resume(co) }, { true, "suspended" })
    let_run()
    tap.is_deeply({ coroutine.resume(co) }, { false, "oops" })
  end)

tap.test("closing the generator cancels the tasks of its nursery", function()
  local t
  local co = coroutine.create(function()
    task.shield(task.nursery, function(n)
      t = n:spawn(wait_for_ever)
      coroutine.yield()
    end)
  end)
  coroutine.resume(co)
  let_run()
  tap.is(t.state, "waiting")
  tap.is(coroutine.close(co), true)
  let_run()
  tap.is(t.state, "cancelled")
end)

tap.test("a collected generator cancels the tasks of its nursery", function()
  local tasks = setmetatable({}, { __mode = "v" })
  local function abandon()
    local generator = coroutine.wrap(function()
      task.timeout(60, task.nursery, function(n)
        tasks[1] = n:spawn(wait_for_ever)
        coroutine.yield()
      end)
    end)
    generator()
  end
  abandon()
  let_run()
  local t = tasks[1]
  tap.eventually(function()
    collectgarbage()
    task.checkpoint()
    return t.state == "cancelled"
  end)
end)

tap.test("abandoned generators in limits leave nothing behind", function()
  for _ = 1, 50 do
    local generator = coroutine.wrap(function()
      task.timeout(60, task.shield_for, 60, coroutine.yield)
    end)
    generator()
  end
  collectgarbage()
  collectgarbage()
  task.checkpoint()
end)

tap.test("the generator outlives the scope in which it was suspended",
  function()
    local co = inside(function(fn) return task.timeout(60, fn) end)
    task.nursery(function()
      task.timeout(60, function() coroutine.resume(co) end)
    end)
    local t = task.spawn(function() return coroutine.resume(co) end)
    tap.is_deeply({ t:join() }, { true, "finished" })
  end)

tap.test("where nothing can wait, a generator inside a scope is not resumed",
  function()
    local co = inside(task.nursery)
    coroutine.resume(co)
    local result
    string.gsub("x", "x", function() result = { coroutine.resume(co) } end)
    tap.is(result[1], false)
    tap.like(result[2], "nothing can wait here")
    tap.is_deeply({ coroutine.resume(co) }, { true, "finished" })
  end)

tap.test("three generators deep, each in its own scope", function()
  local function level(depth)
    return coroutine.wrap(function()
      task.timeout(60, function()
        if depth == 0 then
          for i = 1, 3 do
            task.checkpoint()
            coroutine.yield(i)
          end
          return
        end
        for item in level(depth - 1) do
          task.move_on(60, task.checkpoint)
          coroutine.yield(item * 10)
        end
      end)
    end)
  end
  tap.is_deeply(collect(level(3)), { 1000, 2000, 3000 })
end)

tap.done()
