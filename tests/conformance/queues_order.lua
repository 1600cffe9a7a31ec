-- Counterparts of test_asyncio/test_queues.py: the order of the three queues,
-- and what can be put into them.

local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- What comes out when 1, 3 and 2 are put in.
local function order_of(q)
  for _, item in ipairs { 1, 3, 2 } do q:put(item) end
  return { q:get(), q:get(), q:get() }
end

test("test_order: first in, first out", function()
  tap.is_deeply(order_of(asyncio.Queue()), { 1, 3, 2 })
end)

test("test_order: last in, first out", function()
  tap.is_deeply(order_of(asyncio.LifoQueue()), { 2, 3, 1 })
end)

test("test_order: least first", function()
  tap.is_deeply(order_of(asyncio.PriorityQueue()), { 1, 2, 3 })
end)

test("test_order: lists are compared as tuples are", function()
  local q, got = asyncio.PriorityQueue(), {}
  for _, item in ipairs {
    { 2, "b" }, { 1, "z" }, { 2, "a" }, { 1 }, { 2, "a", { "data" } },
    { 2, "a", { "data", 1 } },
  } do q:put(item) end
  while not q:empty() do
    local item = q:get()
    got[#got + 1] = item[1] .. (item[2] or "") .. (item[3] and #item[3] or "")
  end
  tap.is_deeply(got, { "1", "1z", "2a", "2a1", "2a2", "2b" })
end)

test("test_order: what has no order is refused, or first come, first served",
  function()
    local q = asyncio.PriorityQueue()
    q:put(1)
    tap.throws(function() q:put "one" end,
               "^PriorityQueue: string and number have no order")
    tap.throws(function() q:put(nil) end, "nil and number have no order")
    tap.is(q:qsize(), 1)
    tap.is(q:get(), 1)
    local f, g = function() return 1 end, function() return 2 end
    q:put { 1, f }
    q:put { 1, g }
    tap.is(q:get()[2], f)
    tap.is(q:get()[2], g)
    local Due = { __lt = function(a, b) return a.due < b.due end }
    for due = 3, 1, -1 do q:put(setmetatable({ due = due }, Due)) end
    tap.is(q:get().due, 1)
  end)

test("nil and false can be put and are got again", function()
  for _, name in ipairs { "Queue", "LifoQueue" } do
    local q = asyncio[name]()
    q:put(nil)
    tap.is(q:qsize(), 1)
    tap.is(q:get(), nil)
    q:put(false)
    tap.is(q:get(), false)
  end
end)

tap.done()
