-- Counterparts of test_asyncio/test_queues.py: QueueBasicTests, QueueGetTests
-- and QueuePutTests. Where Python's tests look at the lines of getters and
-- putters, ours read them from tostring.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

local function start_get(q)
  return asyncio.create_task(q.get, q)
end

local function start_put(q, item)
  return asyncio.create_task(q.put, q, item)
end

-- Basics ----------------------------------------------------------------------

local function check_shown()
  local q = asyncio.Queue()
  tap.like(tostring(q), "^<asyncio%.Queue at 0x%x+ %[maxsize=0%]>$")
  do
    local group <close> = asyncio.TaskGroup()
    local getter = group:create_task(q.get, q)
    turn()
    tap.like(tostring(q), "getters=1")
    q:put_nowait(0)
    tap.is(getter:await(), 0)
  end

  q = asyncio.Queue { maxsize = 1 }
  do
    local group <close> = asyncio.TaskGroup()
    q:put_nowait(1)
    local putter = group:create_task(q.put, q, 2)
    turn()
    tap.like(tostring(q), "maxsize=1 items=1 putters=1")
    tap.is(q:get_nowait(), 1)
    putter:await()
  end
  tap.like(tostring(q), "items=1")
end

test("test_repr: a queue shows its items and who waits", check_shown)
test("test_str: there is only one way to show a queue", check_shown)

test("test_generic_alias: a queue takes nothing but a maxsize", function()
  tap.throws(function() asyncio.Queue { type = "number" } end,
             '^asyncio%.Queue: unknown option "type"')
  tap.throws(function() asyncio.Queue "10" end, "maxsize must be a number")
  tap.throws(function() asyncio.Queue(1, 2) end, "at most 1 argument, got 2")
  tap.is(getmetatable(asyncio.Queue()), asyncio.Queue)
end)

test("test_empty", function()
  local q = asyncio.Queue()
  tap.ok(q:empty())
  q:put(1)
  tap.ok(not q:empty())
  tap.is(q:get(), 1)
  tap.ok(q:empty())
end)

test("test_full", function()
  local q = asyncio.Queue()
  tap.ok(not q:full())
  q = asyncio.Queue { maxsize = 1 }
  q:put(1)
  tap.ok(q:full())
end)

test("test_maxsize: put waits while the queue is full", function()
  local q, put = asyncio.Queue { maxsize = 2 }, {}
  tap.is(q.maxsize, 2)
  local t = asyncio.create_task(function()
    for i = 0, 2 do
      q:put(i)
      put[#put + 1] = i
    end
    return true
  end)
  turn()
  turn()
  tap.is_deeply(put, { 0, 1 })
  tap.is(q:get(), 0)
  turn()
  tap.is_deeply(put, { 0, 1, 2 })
  tap.is(q:get(), 1)
  tap.is(q:get(), 2)
  tap.ok(t:done() and t:result())
end)

-- Getting ---------------------------------------------------------------------

test("test_blocking_get: get does not wait where there is an item", function()
  local q = asyncio.Queue()
  q:put_nowait(1)
  tap.is(q:get(), 1)
end)

test("test_get_with_putters: a get wakes who waits to put", function()
  local q = asyncio.Queue(1)
  q:put(1)
  local putter = start_put(q, 2)
  turn()
  tap.is(q:get(), 1)
  tap.is(putter:await(), nil)
  tap.is(q:get(), 2)
end)

test("test_blocking_get_wait: get waits for an item", function()
  local q, started, finished = asyncio.Queue(), asyncio.Event(), false
  local t = asyncio.create_task(function()
    started:set()
    local item = q:get()
    finished = true
    return item
  end)
  started:wait()
  tap.ok(not finished)
  asyncio.get_running_loop():call_later(0.001, q.put_nowait, q, 1)
  tap.is(t:await(), 1)
  tap.ok(finished)
end)

tap.test("test_nonblocking_get: also where no loop runs", function()
  local q = asyncio.Queue()
  q:put_nowait(1)
  tap.is(q:get_nowait(), 1)
end)

tap.test("test_nonblocking_get_exception", function()
  local q = asyncio.Queue()
  tap.throws(function() q:get_nowait() end, asyncio.QueueEmpty)
end)

test("test_get_cancelled_race: a put passes over one that was cancelled",
  function()
    local q = asyncio.Queue()
    local t1, t2 = start_get(q), start_get(q)
    turn()
    t1:cancel()
    turn()
    tap.ok(t1:done())
    q:put "a"
    turn()
    tap.is(t2:await(), "a")
  end)

test("test_get_with_waiting_putters: the items come in order", function()
  local q = asyncio.Queue { maxsize = 1 }
  start_put(q, "a")
  start_put(q, "b")
  tap.is(q:get(), "a")
  tap.is(q:get(), "b")
end)

test("test_why_are_getters_waiting: put and get in turn", function()
  local q = asyncio.Queue(1)
  local group <close> = asyncio.TaskGroup()
  group:create_task(function()
    for i = 1, 5 do q:put(i) end
  end)
  group:create_task(function()
    for i = 1, 5 do tap.is(q:get(), i) end
  end)
end)

test("test_cancelled_getters_not_being_held_in_self_getters", function()
  local q = asyncio.Queue { maxsize = 5 }
  tap.throws(function() asyncio.wait_for({ q.get, q }, 0.01) end,
             asyncio.TimeoutError)
  tap.like(tostring(q), "%[maxsize=5%]>$")
end)

-- Putting ---------------------------------------------------------------------

test("test_blocking_put: put does not wait where there is room", function()
  local q = asyncio.Queue()
  q:put(1)
  tap.is(q:get(), 1)
end)

test("test_blocking_put_wait: put waits for room", function()
  local q, started, finished = asyncio.Queue { maxsize = 1 }, asyncio.Event()
  asyncio.get_running_loop():call_later(0.001, q.get_nowait, q)
  local t = asyncio.create_task(function()
    started:set()
    q:put(1)
    q:put(2)
    finished = true
  end)
  started:wait()
  tap.ok(not finished)
  t:await()
  tap.ok(finished)
end)

tap.test("test_nonblocking_put: also where no loop runs", function()
  local q = asyncio.Queue()
  q:put_nowait(1)
  tap.is(q:get_nowait(), 1)
end)

test("test_get_cancel_drop_one_pending_reader: a cancelled get takes no item",
  function()
    local q = asyncio.Queue()
    local reader = start_get(q)
    turn()
    q:put_nowait(1)
    q:put_nowait(2)
    reader:cancel()
    tap.throws(function() reader:await() end, asyncio.CancelledError)
    tap.is(start_get(q):await(), 1)
  end)

test("test_get_cancel_drop_many_pending_readers: its item goes to another",
  function()
    local q, got = asyncio.Queue(), {}
    local group <close> = asyncio.TaskGroup()
    local readers = {}
    for i = 1, 3 do readers[i] = group:create_task(q.get, q) end
    turn()
    q:put_nowait(1)
    q:put_nowait(2)
    readers[1]:cancel()
    tap.throws(function() readers[1]:await() end, asyncio.CancelledError)
    for i = 2, 3 do got[readers[i]:await()] = true end
    tap.is_deeply(got, { true, true })
  end)

test("test_put_cancel_drop: a cancelled put puts nothing", function()
  local q = asyncio.Queue(1)
  q:put_nowait(1)
  local writer = start_put(q, 2)
  turn()
  tap.is(q:get_nowait(), 1)
  writer:cancel()
  tap.throws(function() writer:await() end, asyncio.CancelledError)
  tap.is(q:qsize(), 0)
  start_put(q, 2):await()
  tap.is(q:get_nowait(), 2)
  tap.is(q:qsize(), 0)
end)

tap.test("test_nonblocking_put_exception", function()
  local q = asyncio.Queue { maxsize = 1 }
  q:put_nowait(1)
  tap.throws(function() q:put_nowait(2) end, asyncio.QueueFull)
end)

test("test_float_maxsize: the next integer is the limit", function()
  local q = asyncio.Queue { maxsize = 1.3 }
  q:put_nowait(1)
  q:put_nowait(2)
  tap.ok(q:full())
  tap.throws(function() q:put_nowait(3) end, asyncio.QueueFull)

  q = asyncio.Queue { maxsize = 1.3 }
  q:put(1)
  q:put(2)
  tap.ok(q:full())
end)

test("test_put_cancelled: a put in a task of its own", function()
  local q = asyncio.Queue()
  local t = asyncio.create_task(function()
    q:put(1)
    return true
  end)
  tap.is(q:get(), 1)
  tap.ok(t:done() and t:result())
end)

test("test_put_cancelled_race: a get passes over one that was cancelled",
  function()
    local q = asyncio.Queue { maxsize = 1 }
    local a, b, c = start_put(q, "a"), start_put(q, "b"), start_put(q, "X")
    turn()
    tap.ok(a:done())
    tap.ok(not b:done())
    c:cancel()
    turn()
    tap.ok(c:done())
    tap.is(q:get_nowait(), "a")
    turn()
    tap.is(q:get_nowait(), "b")
    b:await()
  end)

test("test_put_with_waiting_getters", function()
  local q = asyncio.Queue()
  local t = start_get(q)
  turn()
  q:put "a"
  tap.is(t:await(), "a")
end)

test("test_why_are_putters_waiting: a get for each of several", function()
  local q = asyncio.Queue(2)
  do
    local group <close> = asyncio.TaskGroup()
    group:create_task(function()
      turn()
      for _ = 1, q:qsize() do q:get_nowait() end
    end)
    for item = 0, 3 do group:create_task(q.put, q, item) end
  end
  tap.is(q:qsize(), 2)
end)

test("test_cancelled_puts_not_being_held_in_self_putters", function()
  local q = asyncio.Queue { maxsize = 1 }
  q:put_nowait(1)
  local t = start_put(q, 1)
  turn()
  tap.like(tostring(q), "putters=1")
  t:cancel()
  tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.like(tostring(q), "%[maxsize=1 items=1 tasks=1%]>$")
end)

test("test_cancelled_put_silence_value_error_exception: cancelled after its "
  .. "wake-up", function()
    local q = asyncio.Queue(1)
    q:put_nowait(1)
    local t = start_put(q, 1)
    turn()
    q:get_nowait()
    t:cancel()
    tap.throws(function() t:await() end, asyncio.CancelledError)
    tap.ok(q:empty())
  end)

tap.done()
