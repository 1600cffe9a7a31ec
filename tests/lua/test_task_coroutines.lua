-- The coroutine of a task that has ended serves another: nothing of the one may
-- be felt in the other.

local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function nothing() end

-- Whatever coroutines there are, these tasks have them all.
local function run_others()
  task.nursery(function(n)
    for i = 1, 100 do n:spawn(task.checkpoint, i) end
  end)
end

tap.test("a task costs little garbage", function()
  for _ = 1, 10 do task.spawn(nothing):join() end
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  for _ = 1, 100 do task.spawn(nothing):join() end
  local bytes = (collectgarbage "count" - before) * 1024 / 100
  collectgarbage "restart"
  tap.ok(bytes < 900, ("%.0f bytes: no coroutine"):format(bytes))
end)

tap.test("each keeps its own results", function()
  local cases = {
    table.pack(), table.pack(nil), table.pack(false), table.pack(1),
    table.pack "text", table.pack(nil, nil), table.pack(1, nil, 3),
  }
  local tasks = {}
  for i, values in ipairs(cases) do
    tasks[i] = task.spawn(table.unpack, values, 1, values.n)
    tasks[i]:join()
    run_others()
  end
  collectgarbage()
  for i, values in ipairs(cases) do
    for _ = 1, 2 do
      tap.is_deeply(table.pack(tasks[i]:join()), values)
    end
    tap.is(tasks[i].state, "done")
    tap.is(tasks[i]:traceback(), "stack traceback:")
  end
end)

tap.test("a result is not what it was woken with", function()
  local queue = sync.queue()
  local t = task.spawn(function() queue:get() end)
  task.checkpoint()
  queue:put "an item"
  tap.is(select("#", t:join()), 0)
end)

tap.test("an error stays that of its task", function()
  local t
  local function culprit() error { code = 7 } end
  local ok, err = pcall(task.nursery, function(n) t = n:spawn(culprit) end)
  run_others()
  tap.is(ok, false)
  tap.is(err.code, 7)
  tap.is(t.state, "failed")
  local _, again = pcall(t.join, t)
  tap.is(again, err)
end)

tap.test("a coroutine that the script has seen is nobody else's", function()
  local seen, n = {}, 0
  for _ = 1, 100 do
    task.spawn(function()
      local co = coroutine.running()
      if not seen[co] then n = n + 1 end
      seen[co] = true
    end):join()
  end
  tap.is(n, 100)
  tap.is(coroutine.status((next(seen))), "dead")
end)

tap.test("a task's hook is not the next one's", function()
  local lines = 0
  local function count() lines = lines + 1 end
  task.spawn(function() debug.sethook(count, "l") end):join()
  local before = lines
  for _ = 1, 3 do
    task.spawn(function() local _ = 1 end):join()
  end
  tap.is(lines, before)
end)

tap.test("variables are closed before", function()
  local closed = {}
  for i = 1, 3 do
    task.spawn(function()
      local _ <close> = setmetatable({}, {
        __close = function()
          task.checkpoint()
          closed[#closed + 1] = i
        end,
      })
    end):join()
  end
  tap.is_deeply(closed, { 1, 2, 3 })
end)

tap.test("a big stack does not stay", function()
  local function deep(n)
    if n == 0 then return 0 end
    return 1 + deep(n - 1)
  end
  collectgarbage()
  local before = collectgarbage "count"
  for _ = 1, 3 do tap.is(task.spawn(deep, 50000):join(), 50000) end
  for _ = 1, 20 do collectgarbage() end
  tap.ok(collectgarbage "count" - before < 100, "nor do its call records, "
    .. "of which each collection takes half")
end)

tap.test("of many tasks few coroutines stay", function()
  collectgarbage()
  local before = collectgarbage "count"
  task.nursery(function(n)
    for _ = 1, 2000 do n:spawn(task.checkpoint) end
  end)
  collectgarbage()
  collectgarbage()
  tap.ok(collectgarbage "count" - before < 200)
end)

tap.done()
