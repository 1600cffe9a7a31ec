-- Python's test_tasks.py: Tasks and their loop; and what a loop does besides.
local asyncio = require "luvisor.asyncio"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"
local LONG <const> = 60 -- nobody waits so long

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- The contexts that the loop's exception handler was given.
local function collect_errors()
  local contexts = {}
  asyncio.get_running_loop():set_exception_handler(function(_, context)
    contexts[#contexts + 1] = context
  end)
  return contexts
end

-- Runs a script: its Result.
local function run_script(code, options)
  local command = { LUVISOR, "-e", [[
    local asyncio = require "luvisor.asyncio"
  ]] .. code, check = false, stderr = "pipe", timeout = 60 }
  for key, value in pairs(options or {}) do command[key] = value end
  return process.run(command)
end

-- Loops -----------------------------------------------------------------------

tap.test("test_stop_while_run_in_complete", function()
  local loop, x = asyncio.new_event_loop(), 0
  local t = loop:create_task(function()
    while x < 10 do
      asyncio.sleep(0.001)
      x = x + 1
      if x == 2 then
        loop:stop()
        asyncio.sleep(LONG)
      end
    end
  end)
  tap.throws(function() loop:run_until_complete(t) end,
    "the loop was stopped before it was done")
  tap.ok(not t:done())
  tap.is(x, 2)
  t:cancel()
  tap.throws(function() loop:run_until_complete(t) end, "Cancelled")
  loop:close()
end)

tap.test("run_forever runs until stop is called", function()
  local loop, log = asyncio.new_event_loop(), {}
  loop:call_soon(function()
    tap.ok(loop:is_running())
    log[1] = "called"
    loop:stop()
  end)
  loop:run_forever()
  tap.is_deeply(log, { "called" })
  tap.ok(not loop:is_running())
  loop:stop()
  loop:run_forever() -- stopped before: one turn
  loop:close()
  tap.ok(loop:is_closed())
  tap.throws(function() loop:run_forever() end, "the event loop is closed")
  tap.throws(function() loop:call_soon(turn) end, "Closed")
  tap.throws(function() loop:create_task(turn) end, "Closed")
end)

tap.test("test_other_loop_future: loops may wait for each other", function()
  local other = asyncio.new_event_loop()
  local fut = other:create_future()
  other:call_soon(fut.set_result, fut, "other's")
  asyncio.run(function() tap.is(fut:await(), "other's") end)
  other:close()
end)

test("get_running_loop is the same throughout a run", function()
  local loop = asyncio.get_running_loop()
  tap.is(asyncio.create_task(asyncio.get_running_loop):await(), loop)
  local seen
  loop:call_soon(function() seen = asyncio.get_event_loop() end)
  turn()
  tap.is(seen, loop)
  tap.is(asyncio.current_task():get_loop(), loop)
end)

tap.test("several runs may go on side by side", function()
  local task = require "luvisor.task"
  local function main(name)
    turn()
    return name, asyncio.get_running_loop()
  end
  local loops = {}
  task.gather(function()
    local name, loop = asyncio.run(main, "a")
    loops[name] = loop
  end, function()
    local name, loop = asyncio.run(main, "b")
    loops[name] = loop
  end)
  tap.ok(loops.a and loops.b and loops.a ~= loops.b)
end)

test("all_tasks lists what has not ended, oldest first", function()
  local me = asyncio.current_task()
  local a, b = asyncio.create_task(turn), asyncio.create_task(turn)
  local all = asyncio.all_tasks()
  tap.is(#all, 3)
  tap.ok(all[1] == me and all[2] == a and all[3] == b)
  asyncio.gather(a, b)
  tap.is(#asyncio.all_tasks(asyncio.get_running_loop()), 1)
end)

-- Calls -----------------------------------------------------------------------

test("test_error_in_call_soon: an error in a callback stops nothing", function()
  local contexts, log = collect_errors(), {}
  local loop = asyncio.get_running_loop()
  local handle = loop:call_soon(error, "bad", 0)
  loop:call_soon(function() log[1] = "went on" end)
  turn()
  tap.is_deeply(log, { "went on" })
  tap.is(#contexts, 1)
  tap.is(contexts[1].exception, "bad")
  tap.is(contexts[1].handle, handle)
  tap.like(contexts[1].message, "an error in the callback <asyncio%.Handle")
end)

test("a callback that is added in a callback has its turn in the next",
  function()
    local loop, log = asyncio.get_running_loop(), {}
    loop:call_soon(function()
      log[#log + 1] = 1
      loop:call_soon(function() log[#log + 1] = 3 end)
    end)
    loop:call_soon(function() log[#log + 1] = 2 end)
    turn()
    tap.is_deeply(log, { 1, 2 })
    turn()
    tap.is_deeply(log, { 1, 2, 3 })
  end)

test("a callback that waits keeps no other from its turn", function()
  local loop, log, fut = asyncio.get_running_loop(), {}, asyncio.Future()
  loop:call_soon(function()
    local value = fut:await()
    log[#log + 1] = value
  end)
  loop:call_soon(function() log[#log + 1] = "second" end)
  turn()
  turn()
  tap.is_deeply(log, { "second" })
  loop:call_soon(fut.set_result, fut, "first")
  for _ = 1, 5 do turn() end
  tap.is_deeply(log, { "second", "first" })
end)

test("what is due at one time is called in the order given", function()
  local loop, log = asyncio.get_running_loop(), {}
  local when = loop:time() + 0.01
  for i = 1, 5 do
    local handle = loop:call_at(when, function() log[i] = #log + 1 end)
    tap.is(handle:when(), when)
  end
  local last = asyncio.Future()
  loop:call_at(when, last.set_result, last)
  last:await()
  tap.is_deeply(log, { 1, 2, 3, 4, 5 })
end)

test("a sooner call is not kept waiting by a later one", function()
  local loop, log = asyncio.get_running_loop(), {}
  local late = loop:call_later(LONG, function() log[#log + 1] = "late" end)
  turn()
  local soon = asyncio.Future()
  loop:call_later(0.001, soon.set_result, soon, "soon")
  tap.is(soon:await(), "soon")
  late:cancel()
  late:cancel()
  tap.ok(late:cancelled())
  tap.is_deeply(log, {})
end)

tap.test("a timer that was cancelled keeps no program waiting", function()
  local r = run_script [[
    asyncio.get_running_loop():call_later(3600, print):cancel()
    asyncio.timeout(3600, asyncio.sleep, 0)
    for _ = 1, 1000 do asyncio.wait_for({ asyncio.sleep, 0 }, 3600) end
    print "done"
  ]]
  tap.is(r.stdout, "done\n")
  tap.is(tostring(r), "exited 0")
end)

test("done callbacks are called once, in order, and can be taken back",
  function()
    local log, fut = {}, asyncio.Future()
    local function note(f) log[#log + 1] = f:result() end
    fut:add_done_callback(note)
    fut:add_done_callback(function() log[#log + 1] = "second" end)
    fut:add_done_callback(note)
    tap.is(fut:remove_done_callback(note), 2)
    tap.is(fut:remove_done_callback(note), 0)
    fut:add_done_callback(note)
    fut:set_result "first"
    tap.is(#log, 0, "not before its turn")
    turn()
    tap.is_deeply(log, { "second", "first" })
    fut:add_done_callback(note)
    turn()
    tap.is(log[3], "first", "soon, if it is done")
  end)

-- run_coroutine_threadsafe ----------------------------------------------------

test("test_run_coroutine_threadsafe: without threads it is create_task",
  function()
    local loop = asyncio.get_running_loop()
    local function submit(fn, ...)
      return asyncio.run_coroutine_threadsafe({ fn, ... }, loop)
    end
    tap.is(submit(function(a, b) return a + b end, 1, 2):await(), 3)
    tap.throws(function() submit(error, "Fail!", 0):await() end, "Fail!",
      "test_run_coroutine_threadsafe_with_exception")
    local t = submit(asyncio.sleep, LONG)
    tap.throws(function() asyncio.wait_for(t, 0) end, "Timeout",
      "test_run_coroutine_threadsafe_with_timeout")
    tap.is(#asyncio.all_tasks(), 1)
    t = submit(function()
      asyncio.current_task():cancel()
      turn()
    end)
    tap.throws(function() t:await() end, "Cancelled",
      "test_run_coroutine_threadsafe_task_cancelled")
  end)

-- Signals, other processors ---------------------------------------------------

test("add_signal_handler calls a function for each arrival", function()
  local loop, fut, count = asyncio.get_running_loop(), asyncio.Future(), 0
  loop:add_signal_handler("USR1", function() error "replaced" end)
  loop:add_signal_handler("SIGUSR1", function(step)
    count = count + step
    if count == 4 then fut:set_result "heard" end
  end, 2)
  local stat <close> = io.open "/proc/self/stat"
  local pid = stat:read "n"
  signal.send(pid, "USR1")
  signal.send(pid, "USR1")
  turn()
  if count < 4 then signal.send(pid, "USR1") end
  tap.is(fut:await(), "heard")
  tap.is(loop:remove_signal_handler "USR1", true)
  tap.is(loop:remove_signal_handler "USR1", false)
  tap.throws(function() loop:add_signal_handler("KILL", print) end,
    "cannot be caught")
  tap.throws(function() loop:add_signal_handler("NOPE", print) end,
    "no such signal")
  tap.throws(function() loop:add_signal_handler("USR1", 1) end, "UsageError")
end)

test("run_in_executor calls in another process", function()
  local loop = asyncio.get_running_loop()
  local function sum(n)
    local total = 0
    for i = 1, n do total = total + i end
    return total, "done"
  end
  tap.is_deeply({ loop:run_in_executor(nil, sum, 100) }, { 5050, "done" })
  tap.is(asyncio.to_thread(sum, 10), 55)
  tap.throws(function()
    loop:run_in_executor(nil, function() return loop end)
  end, 'uses "loop" from outside')
  tap.throws(function() loop:run_in_executor({}, sum) end, "expected a pool")
end)

tap.done()
