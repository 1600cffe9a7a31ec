-- Counterparts of test_asyncio/test_queues.py: _QueueJoinTestMixin and
-- _QueueShutdownTestMixin, for each of the three queues.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function turn()
  asyncio.sleep(0)
end

local function refuses_puts(q)
  tap.throws(function() q:put "data" end, asyncio.QueueShutDown)
  tap.throws(function() q:put_nowait "data" end, asyncio.QueueShutDown)
end

local function refuses_gets(q)
  tap.throws(function() q:get() end, asyncio.QueueShutDown)
  tap.throws(function() q:get_nowait() end, asyncio.QueueShutDown)
end

local function has_no_more_tasks(q)
  tap.throws(function() q:task_done() end, "task_done called more often")
end

local function start_join(q)
  return asyncio.create_task(q.join, q)
end

-- Each is given the class.
local tests = {}

tests["test_task_done_underflow"] = function(class)
  has_no_more_tasks(class())
end

tests["test_task_done: join waits until all items are done"] = function(class)
  local q, sum, running = class(), 0, true
  for i = 0, 99 do q:put_nowait(i) end
  local group <close> = asyncio.TaskGroup()
  for _ = 1, 2 do
    group:create_task(function()
      while running do
        sum = sum + q:get()
        q:task_done()
      end
    end)
  end
  q:join()
  tap.is(sum, 4950)
  running = false
  for _ = 1, 2 do q:put_nowait(0) end
end

tests["test_join_empty_queue: join does not wait"] = function(class)
  local q = class()
  q:join()
  q:join()
  tap.ok(q:empty())
end

tests["test_format: it shows what is not done"] = function(class)
  local q = class()
  tap.like(tostring(q), "%[maxsize=0%]>$")
  for _ = 1, 2 do q:put_nowait(1) end
  for _ = 1, 2 do q:get_nowait() end
  tap.like(tostring(q), "%[maxsize=0 tasks=2%]>$")
end

tests["test_format: it shows that it is shut down"] = function(class)
  local q = class()
  q:shutdown()
  tap.like(tostring(q), "%[maxsize=0 shutdown%]>$")
end

tests["test_shutdown_empty: who waits for an item raises"] = function(class)
  local q = class()
  local getter = asyncio.create_task(q.get, q)
  turn()
  q:shutdown { immediate = false }
  tap.is(q:qsize(), 0)
  q:join()
  turn()
  tap.ok(getter:done())
  tap.throws(function() getter:await() end, asyncio.QueueShutDown)
  refuses_puts(q)
  refuses_gets(q)
end

tests["test_shutdown_nonempty: what is in it can be taken"] = function(class)
  local q = class { maxsize = 1 }
  q:put_nowait "data"
  local join = start_join(q)
  local put = asyncio.create_task(q.put, q, "data2")
  turn()
  tap.ok(not put:done())

  q:shutdown(false)
  tap.is(q:qsize(), 1)
  turn()
  tap.ok(put:done())
  tap.throws(function() put:await() end, asyncio.QueueShutDown)
  tap.is(q:get(), "data")
  turn()
  tap.ok(not join:done())
  refuses_puts(q)
  refuses_gets(q)

  q:task_done()
  turn()
  tap.ok(join:done())
  join:await()
  has_no_more_tasks(q)
end

tests["test_shutdown_immediate: what is in it is thrown away"] = function(class)
  local q = class()
  q:put_nowait "data"
  local join = start_join(q)
  q:shutdown { immediate = true }
  tap.is(q:qsize(), 0)
  turn()
  tap.ok(join:done())
  join:await()
  refuses_puts(q)
  refuses_gets(q)
  has_no_more_tasks(q)
end

tests["test_shutdown_immediate_with_unfinished: what was taken is to be done"] =
  function(class)
    local q = class()
    q:put_nowait "data"
    q:put_nowait "data"
    local join = start_join(q)
    tap.is(q:get(), "data")
    q:shutdown(true)
    tap.is(q:qsize(), 0)
    turn()
    tap.ok(not join:done())
    refuses_puts(q)
    refuses_gets(q)

    q:task_done()
    has_no_more_tasks(q)
    turn()
    tap.ok(join:done())
    join:await()
  end

local names = {}
for name in pairs(tests) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  for _, class in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
    tap.test(("%s (%s)"):format(name, class), function()
      asyncio.run(tests[name], asyncio[class])
    end)
  end
end

tap.test("shutdown takes one option", function()
  local q = asyncio.Queue()
  tap.throws(function() q:shutdown { imediate = true } end,
             'did you mean "immediate"')
  q:put(1)
end)

tap.done()
