local heaps = require "luvisor.sync.heap"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function put_all(q, items)
  for _, item in ipairs(items) do q:put(item) end
end

-- Everything in the queue, which is closed by this.
local function drain(q)
  local items = {}
  q:close()
  for item in q do items[#items + 1] = item end
  return items
end

tap.test("a queue gives items in the order in which they came", function()
  local q = sync.queue()
  put_all(q, { 1, 3, 2 })
  tap.is(q:size(), 3)
  tap.is(q:get(), 1)
  tap.is_deeply(drain(q), { 3, 2 })
end)

tap.test("a lifo_queue gives the last one first", function()
  local q = sync.lifo_queue()
  put_all(q, { 1, 3, 2 })
  tap.is(q:size(), 3)
  tap.is_deeply(drain(q), { 2, 3, 1 })
end)

tap.test("a priority_queue gives the least one first", function()
  local q = sync.priority_queue()
  put_all(q, { 1, 3, 2 })
  tap.is(q:size(), 3)
  tap.is_deeply(drain(q), { 1, 2, 3 })
end)

tap.test("a priority_queue takes a less-than function", function()
  local function more(a, b) return a > b end
  local q = sync.priority_queue(more)
  put_all(q, { 1, 3, 2 })
  tap.is_deeply(drain(q), { 3, 2, 1 })
  for _, bounded in ipairs { sync.priority_queue(2, more),
                             sync.priority_queue(more, 2) } do
    tap.is(bounded.max, 2, "and a max, in any order")
    put_all(bounded, { 1, 2 })
    tap.is_deeply(drain(bounded), { 2, 1 })
  end
end)

tap.test("equal items of a priority_queue come in their order", function()
  local q = sync.priority_queue(function(a, b) return a[1] < b[1] end)
  put_all(q, { { 2, "a" }, { 1, "b" }, { 2, "c" }, { 1, "d" }, { 2, "e" } })
  local names = {}
  for i, item in ipairs(drain(q)) do names[i] = item[2] end
  tap.is(table.concat(names), "bdace")
end)

tap.test("an item that cannot be compared is refused, and nothing lost",
  function()
    local q = sync.priority_queue(2)
    put_all(q, { 5, 7 })
    tap.throws(function() q:put("x") end, "attempt to compare")
    tap.throws(function() q:try_put({}) end, "attempt to compare")
    tap.is_deeply(drain(q), { 5, 7 })
  end)

tap.test("wrong arguments are refused", function()
  for _, make in ipairs { sync.queue, sync.lifo_queue, sync.priority_queue } do
    for _, max in ipairs { 0, -1, 1.5, "1" } do
      tap.throws(function() make(max) end, "UsageError")
    end
  end
  tap.throws(function() sync.priority_queue(1, true) end, "less must be")
  local q = sync.queue()
  tap.throws(function() q:put(nil) end, "nil cannot be put")
  tap.throws(function() q:try_put(nil) end, "nil cannot be put")
end)

tap.test("false is an item", function()
  local q = sync.queue()
  q:put(false)
  tap.is(q:get(), false)
  local t = task.spawn(q.get, q)
  let_run()
  q:put(false)
  tap.is(t:join(), false, "also for one who waits")
  q:put(false)
  tap.is_deeply(drain(q), { false })
end)

tap.test("put waits while the queue is full", function()
  local q, put = sync.queue(2), {}
  tap.is(q.max, 2)
  local t = task.spawn(function()
    for i = 1, 3 do
      q:put(i)
      put[#put + 1] = i
    end
  end)
  let_run()
  tap.is_deeply(put, { 1, 2 })
  tap.is(q:get(), 1)
  tap.is(q:size(), 2, "the third is in at that moment")
  t:join()
  tap.is_deeply(put, { 1, 2, 3 })
  tap.is_deeply(drain(q), { 2, 3 })
end)

tap.test("get waits for an item", function()
  local q, got = sync.queue(), nil
  local t = task.spawn(function() got = q:get() end)
  let_run()
  tap.is(got, nil)
  q:put("a")
  tap.is(q:size(), 0, "the item is its already")
  t:join()
  tap.is(got, "a")
end)

tap.test("getters are served in turn", function()
  local q, got = sync.queue(), {}
  for i = 1, 3 do
    task.spawn(function() got[i] = q:get() end)
  end
  let_run()
  put_all(q, { "a", "b", "c" })
  let_run()
  tap.is_deeply(got, { "a", "b", "c" })
end)

tap.test("putters are served in turn", function()
  local q = sync.queue(1)
  q:put("a")
  for _, item in ipairs { "b", "c", "d" } do task.spawn(q.put, q, item) end
  let_run()
  tap.is(q:size(), 1)
  local got = {}
  for i = 1, 4 do got[i] = q:get() end
  tap.is(table.concat(got), "abcd")
end)

tap.test("try_get takes what is there and never waits", function()
  local q = sync.queue()
  local item, why = q:try_get()
  tap.is(item, nil)
  tap.is(why, "empty")
  q:put(1)
  tap.is(q:try_get(), 1)
  q:close()
  item, why = q:try_get()
  tap.is(item, nil)
  tap.is(why, "closed")
end)

tap.test("try_put puts where there is room and never waits", function()
  local q = sync.queue(1)
  tap.is(q:try_put("a"), true)
  tap.is(q:try_put("b"), false)
  tap.is(q:get(), "a")
  local t = task.spawn(q.get, q)
  let_run()
  tap.is(q:try_put("c"), true, "or where somebody waits")
  tap.is(t:join(), "c")
  q:close()
  tap.throws(function() q:try_put("d") end, "Closed")
end)

tap.test("try_get lets a waiting putter in", function()
  local q = sync.queue(1)
  q:put("a")
  local t = task.spawn(q.put, q, "b")
  let_run()
  tap.is(q:try_get(), "a")
  tap.is(q:try_get(), "b", "at that moment")
  t:join()
end)

tap.test("a cancelled getter takes no item", function()
  local q = sync.queue()
  local first, second = task.spawn(q.get, q), task.spawn(q.get, q)
  let_run()
  first:cancel()
  q:put("a")
  tap.throws(function() first:join() end, "Cancelled")
  tap.is(second:join(), "a")
end)

tap.test("a getter that has its item keeps it, cancelled or not", function()
  local q, got = sync.queue(), nil
  local t = task.spawn(function()
    got = q:get()
    task.checkpoint()
  end)
  let_run()
  q:put("a")
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  tap.is(got, "a")
end)

tap.test("a timeout of a getter loses no item", function()
  local q = sync.queue()
  tap.is(task.move_on(0.01, q.get, q), false)
  q:put("a")
  tap.is(q:size(), 1)
  local in_time, item = task.move_on(0.01, q.get, q)
  tap.ok(in_time)
  tap.is(item, "a")
end)

tap.test("the item of a cancelled putter is not put", function()
  local q = sync.queue(1)
  q:put("a")
  local b, x = task.spawn(q.put, q, "b"), task.spawn(q.put, q, "x")
  local c = task.spawn(q.put, q, "c")
  let_run()
  x:cancel()
  local got = { q:get(), q:get(), q:get() }
  tap.is(table.concat(got), "abc")
  b:join()
  c:join()
  tap.throws(function() x:join() end, "Cancelled")
  tap.is(q:size(), 0)
end)

-- Closing ---------------------------------------------------------------------

tap.test("a closed queue gives what is left, and then nil", function()
  local q = sync.queue()
  put_all(q, { 1, 2 })
  q:close()
  tap.ok(q:is_closed())
  tap.is(q:size(), 2)
  tap.is(q:get(), 1)
  tap.is(q:get(), 2)
  tap.is(q:get(), nil)
  tap.is(q:get(), nil, "for ever")
  q:close()
  tap.is(q:get(), nil, "closed twice or once")
end)

tap.test("a closed queue takes no item", function()
  local q = sync.queue()
  q:close()
  tap.throws(function() q:put(1) end, { kind = "Closed",
                                        message = "queue is closed" })
end)

tap.test("closing wakes all who wait for an item", function()
  local q, ended = sync.queue(), 0
  for _ = 1, 3 do
    task.spawn(function()
      tap.is(select("#", q:get()), 1)
      tap.is(q:get(), nil)
      ended = ended + 1
    end)
  end
  let_run()
  q:close()
  let_run()
  tap.is(ended, 3)
end)

tap.test("closing raises in those who wait to put; their items stay out",
  function()
    local q = sync.queue(1)
    q:put("in")
    local t = task.spawn(function()
      tap.throws(function() q:put("out") end, "Closed")
    end)
    let_run()
    q:close()
    t:join()
    tap.is_deeply(drain(q), { "in" })
  end)

tap.test("a queue closes at the end of its scope", function()
  local kept
  do
    local q <close> = sync.queue()
    kept = q
  end
  tap.ok(kept:is_closed())
end)

tap.test("a loop over a queue ends when it is closed and empty", function()
  local q, sum = sync.queue(2), 0
  local producer = task.spawn(function()
    for i = 1, 100 do q:put(i) end
    q:close()
  end)
  for item in q do sum = sum + item end
  producer:join()
  tap.is(sum, 5050)
end)

tap.test("several loops share the items of a queue", function()
  local q, counts, sum = sync.queue(3), {}, 0
  task.nursery(function(nursery)
    for i = 1, 4 do
      counts[i] = 0
      nursery:spawn(function()
        for item in q do
          counts[i], sum = counts[i] + 1, sum + item
          task.checkpoint()
        end
      end)
    end
    for _ = 1, 2 do
      nursery:spawn(function()
        for i = 1, 50 do q:put(i) end
        counts.done = (counts.done or 0) + 1
        if counts.done == 2 then q:close() end
      end)
    end
  end)
  tap.is(sum, 2 * 1275)
  for i = 1, 4 do tap.ok(counts[i] > 0, "loop " .. i .. " had some") end
end)

tap.test("a getter and a putter may be cancelled at any turn", function()
  for turn = 1, 30 do
    local q, got, put = sync.queue(1), 0, 0
    local getter = task.spawn(function()
      while true do
        q:get()
        got = got + 1
      end
    end)
    local putter = task.spawn(function()
      while true do
        q:put(put)
        put = put + 1
      end
    end)
    for _ = 1, turn do task.checkpoint() end
    local victims = { getter, putter }
    victims[turn % 2 + 1]:cancel()
    let_run()
    victims[2 - turn % 2]:cancel()
    let_run()
    if put - got ~= q:size() then
      tap.is(put - got, q:size(), "turn " .. turn .. ": none lost or doubled")
    end
  end
end)

-- The heap --------------------------------------------------------------------

-- A small generator: the same numbers in every run.
local function numbers(count, limit)
  local seed, list = 42, {}
  for i = 1, count do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    list[i] = (seed >> 16) % limit
  end
  return list
end

tap.test("a heap sorts, and keeps equals in their order", function()
  local heap, list = heaps.new(function(a, b) return a[1] < b[1] end), {}
  for i, n in ipairs(numbers(1000, 50)) do
    list[i] = { n, i }
    heap:push(list[i])
  end
  tap.is(heap:size(), 1000)
  table.sort(list, function(a, b)
    return a[1] < b[1] or a[1] == b[1] and a[2] < b[2]
  end)
  local same = 0
  for i = 1, 1000 do
    if heap:pop() == list[i] then same = same + 1 end
  end
  tap.is(same, 1000)
  tap.is(heap:pop(), nil)
end)

tap.test("a comparison that raises leaves the heap as it was", function()
  local fuse = math.huge
  local heap = heaps.new(function(a, b)
    fuse = fuse - 1
    if fuse < 0 then error "no more" end
    return a < b
  end)
  local list = numbers(100, 1000)
  for i, n in ipairs(list) do
    fuse = i % 4
    while not pcall(heap.push, heap, n) do fuse = fuse + 100 end
  end
  table.sort(list)
  local got = {}
  for i = 1, #list do
    for try = 0, 20 do
      fuse = try
      local popped, item = pcall(heap.pop, heap)
      if popped then
        got[i] = item
        break
      end
    end
  end
  tap.is_deeply(got, list)
end)

tap.done()
