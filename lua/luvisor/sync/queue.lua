--- Queues of items between tasks: first in first out, least first, last in
-- first out. They differ in their store only.
--
-- An item goes straight to a task that waits for one, so getters wait only
-- while the queue is empty, and putters only while it is full: no item is ever
-- in the store while somebody waits for it. A putter that waits leaves its item
-- in its place in the line; it is put in by whoever makes room.
-- @module luvisor.sync
-- @type Queue

local errors = require "luvisor.error"
local heaps = require "luvisor.sync.heap"
local stores = require "luvisor.sync.store"
local waiters = require "luvisor.waiters"

local M = {}

local Queue = {}
Queue.__index = Queue
Queue.__name = "luvisor.queue"

local function new(name, max, store)
  if max ~= nil and (math.type(max) ~= "integer" or max < 1) then
    errors.usage("sync.%s: max must be a positive integer, got %s", name,
                 tostring(max))
  end
  return setmetatable({
    max = max or math.huge, _store = store, _closed = false,
    _getters = waiters.new "an item", _putters = waiters.new "room in a queue",
  }, Queue)
end

--- Make a queue: first in, first out.
-- @function sync.queue([max]) -> Queue
-- @tparam[opt] integer max how many items it holds before `put` waits;
-- without it any number
-- @treturn Queue `queue.max` is the limit, math.huge if there is none
-- @raise UsageError: max is no positive integer
-- @usage
--   local sync = require "luvisor.sync"
--   local q = sync.queue()
--   q:put("a")
--   q:put("b")
--   q:close()
--   for item in q do print(item) end
function M.fifo(max)
  return new("queue", max, stores.fifo())
end

--- Make a queue that gives the last item first.
-- @function sync.lifo_queue([max]) -> Queue
-- @tparam[opt] integer max as for `queue`
-- @treturn Queue
-- @raise UsageError: max is no positive integer
function M.lifo(max)
  return new("lifo_queue", max, stores.lifo())
end

--- Make a queue that gives the least item first, and of equal ones the first
-- that came.
-- @function sync.priority_queue([max], [less]) -> Queue
-- @tparam[opt] integer max as for `queue`
-- @tparam[opt] function less less(a, b): does a come before b? Without it `<`.
-- It must not wait. Either argument may be left out, and their order does not
-- matter.
-- @treturn Queue `put` raises what less raises for an item that it cannot
-- compare
-- @raise UsageError: a max that is no positive integer, a less that is no
-- function
-- @usage
--   local sync = require "luvisor.sync"
--   local q = sync.priority_queue(function(a, b) return a.due < b.due end)
--   q:put { due = 5, name = "later" }
--   q:put { due = 1, name = "soon" }
--   assert(q:get().name == "soon")
function M.priority(max, less)
  if type(max) == "function" or type(less) == "number" then
    max, less = less, max
  end
  if less ~= nil and type(less) ~= "function" then
    errors.usage("sync.priority_queue: less must be a function, got %s",
                 type(less))
  end
  return new("priority_queue", max, heaps.new(less))
end

local function raise_closed()
  errors.raise { kind = "Closed", message = "queue is closed" }
end

-- Puts the item in if that is possible now.
local function offer(self, item)
  if item == nil then
    errors.usage("queue: nil cannot be put (it means: no more)")
  end
  if self._closed then raise_closed() end
  local store = self._store
  store:check(item)
  if store:size() >= self.max then return false end
  if not self._getters:wake(item) then store:push(item) end
  return true
end

-- Takes an item if there is one, and lets the next putter's item in.
local function take(self)
  local item = self._store:pop()
  if item == nil then return nil end
  local admitted, waiting = self._putters:wake(true)
  if admitted then self._store:push(waiting) end
  return item
end

--- Put an item in. Waits, in turn, while the queue is full.
-- @param item anything but nil
-- @raise Closed: the queue is closed, or is while we wait (the item is not in
-- it; asyncio's rule, S31); UsageError: nil; the cancellation (the item is not
-- in it)
function Queue:put(item)
  if offer(self, item) then return end
  if not self._putters:wait(item) then raise_closed() end
end

--- Take the next item. Waits, in turn, while there is none.
-- @return the item; nil when the queue is closed and nothing is left in it
-- @raise the cancellation (no item is taken); UsageError outside a task, if it
-- has to wait
function Queue:get()
  local item = take(self)
  if item ~= nil or self._closed then return item end
  return self._getters:wait()
end

--- Put an item in if there is room now. Does not wait.
-- @param item anything but nil
-- @treturn boolean false: the queue is full
-- @raise Closed, UsageError: nil
function Queue:try_put(item)
  return offer(self, item)
end

--- Take the next item if there is one now. Does not wait.
-- @return the item, or nil
-- @treturn ?string where there is none, why: "empty" or "closed"
function Queue:try_get()
  local item = take(self)
  if item ~= nil then return item end
  return nil, self._closed and "closed" or "empty"
end

--- Close it: no more items come. What is in it can still be taken; then `get`
-- returns nil, as for all who wait in it now. Who waits in `put` raises Closed.
-- Closing twice is harmless, and `<close>` does it too. Does not wait.
function Queue:close()
  self._closed = true
  self._getters:wake_all(nil)
  self._putters:wake_all(false)
end

Queue.__close = Queue.close

--- Is it closed? There may still be items in it.
-- @treturn boolean
function Queue:is_closed()
  return self._closed
end

--- How many items are in it? Those of waiting putters do not count.
-- @treturn integer
function Queue:size()
  return self._store:size()
end

--- Take items until the queue is closed and empty. Waits as `get`. Several
-- tasks may do so at once; each item goes to one of them.
-- @function for item in queue do
Queue.__call = Queue.get

return M
