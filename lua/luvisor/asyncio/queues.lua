--- asyncio's Queue, PriorityQueue and LifoQueue.
-- As in Python an item is not handed over: a put wakes the first getter, which
-- takes an item when it runs, or waits again if others were quicker; the same
-- for puts. One that is cancelled between its wake-up and its run takes nothing
-- and wakes the next.
-- @module luvisor.asyncio
-- @type Queue

local class = require "luvisor.asyncio.class"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local heaps = require "luvisor.sync.heap"
local locks = require "luvisor.asyncio.locks"
local order = require "luvisor.asyncio.order"
local stores = require "luvisor.sync.store"
local waiters = require "luvisor.waiters"

local Queue = class.new("Queue", { "maxsize", types = { maxsize = "number" } })

-- What stands for nil in the store: Python programs put None to say "no more".
local NIL <const> = order.NIL

local function raise(kind, message)
  errors.raise { kind = kind, message = message }
end

local function raise_shut_down()
  raise("Closed", "queue is shut down")
end

--- Make a queue: first in, first out. `queue.maxsize` is its limit.
-- @function asyncio.Queue([maxsize])
-- @tparam[opt=0] number maxsize how many items it holds before `put` waits; 0
-- and less is any number
-- @treturn Queue
-- @raise UsageError: maxsize is no number
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local q = asyncio.Queue { maxsize = 10 }
--   asyncio.create_task(function()
--     for i = 1, 3 do q:put(i) end
--     q:shutdown()
--   end)
--   print(q:get(), q:get(), q:get())
function Queue:_init(args)
  self.maxsize = args.maxsize or 0
  self._store = self:_new_store()
  self._getters = waiters.new "an item"
  self._putters = waiters.new "room in a queue"
  self._unfinished = 0
  self._finished = locks.Event()
  self._finished:set()
  self._shut_down = false
end

function Queue._new_store()
  return stores.fifo()
end

--- How many items are in it?
-- @treturn integer
function Queue:qsize()
  return self._store:size()
end

--- Is there no item in it?
-- @treturn boolean
function Queue:empty()
  return self._store:size() == 0
end

--- Are there `maxsize` items in it?
-- @treturn boolean never true without a maxsize
function Queue:full()
  return self.maxsize > 0 and self._store:size() >= self.maxsize
end

-- Waits in the line. `is_useful` says whether a wake-up that comes together
-- with a cancellation is of use to the next.
local function wait_in(self, line, is_useful)
  local woken = line:park()
  if woken and not core.is_cancelled() then return end
  if woken and is_useful(self) then line:wake(true) end
  core.raise_cancelled()
end

local function has_room(self) return not self:full() end
local function has_item(self) return not self:empty() end

--- Put an item in. Waits while the queue is full.
-- @param item anything, also nil
-- @raise Closed (`asyncio.QueueShutDown`): the queue is shut down, or is while
-- we wait; the cancellation; the item is not in it then. What `put_nowait` of a
-- PriorityQueue raises
function Queue:put(item)
  while self:full() do
    if self._shut_down then raise_shut_down() end
    wait_in(self, self._putters, has_room)
  end
  self:put_nowait(item)
end

--- Put an item in, if there is room. Does not wait.
-- @param item anything, also nil
-- @raise QueueFull; Closed: the queue is shut down; UsageError: an item that a
-- PriorityQueue cannot compare
function Queue:put_nowait(item)
  if self._shut_down then raise_shut_down() end
  if self:full() then raise("QueueFull", "queue is full") end
  if item == nil then item = NIL end
  self._store:push(item)
  self._unfinished = self._unfinished + 1
  self._finished:clear()
  self._getters:wake(true)
end

--- Take the next item. Waits while there is none.
-- @return the item
-- @raise Closed (`asyncio.QueueShutDown`): the queue is shut down and empty, or
-- is while we wait; the cancellation: no item is taken
function Queue:get()
  while self:empty() do
    if self._shut_down then raise_shut_down() end
    wait_in(self, self._getters, has_item)
  end
  return self:get_nowait()
end

--- Take the next item, if there is one. Does not wait.
-- @return the item
-- @raise QueueEmpty; Closed: it is shut down, too
function Queue:get_nowait()
  if self:empty() then
    if self._shut_down then raise_shut_down() end
    raise("QueueEmpty", "queue is empty")
  end
  local item = self._store:pop()
  self._putters:wake(true)
  if rawequal(item, NIL) then return nil end
  return item
end

local function finish(self, n)
  self._unfinished = math.max(0, self._unfinished - n)
  if self._unfinished == 0 then self._finished:set() end
end

--- Say that the work on an item that was taken is done: once for each.
-- @raise UsageError: more often than items were put in
function Queue:task_done()
  if self._unfinished == 0 then
    errors.usage("Queue: task_done called more often than items were put in")
  end
  finish(self, 1)
end

--- Wait until `task_done` was called for every item that was put in.
-- @raise the cancellation
function Queue:join()
  self._finished:wait()
end

--- Shut it down: nothing more comes in, and when it is empty nothing more
-- comes out; who waits in `put`, or in `get`, raises Closed. Does not wait.
-- @tparam[opt=false] boolean immediate throw away what is in it, as if it were
-- done; also as `{immediate = true}`
function Queue:shutdown(immediate)
  if type(immediate) == "table" then
    immediate = errors.check_options("Queue:shutdown", immediate,
                                     { immediate = "boolean" }).immediate
  end
  self._shut_down = true
  if immediate then
    finish(self, self:qsize())
    self._store = self:_new_store()
  end
  self._getters:wake_all(true)
  self._putters:wake_all(true)
end

function Queue:__tostring()
  local parts = { ("maxsize=%s"):format(self.maxsize) }
  local function note(name, n)
    if n > 0 then parts[#parts + 1] = ("%s=%d"):format(name, n) end
  end
  note("items", self:qsize())
  note("getters", self._getters:count())
  note("putters", self._putters:count())
  note("tasks", self._unfinished)
  if self._shut_down then parts[#parts + 1] = "shutdown" end
  return class.describe(self, table.concat(parts, " "))
end

--- A queue that gives the last item first.
-- @function asyncio.LifoQueue([maxsize])
-- @treturn Queue
local LifoQueue = class.new("LifoQueue", Queue._params, Queue)

function LifoQueue._new_store()
  return stores.lifo()
end

--- A queue that gives the least item first, and of equal ones the first that
-- came. Lists are compared element by element, as Python's tuples: put
-- `{priority, data}`. Numbers, strings, and objects with `__lt` have an order;
-- booleans, functions and other objects are all equal among their kind.
-- @function asyncio.PriorityQueue([maxsize])
-- @treturn Queue
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local q = asyncio.PriorityQueue()
--   q:put { 2, "later" }
--   q:put { 1, "soon" }
--   print(q:get()[2]) --> soon
local PriorityQueue = class.new("PriorityQueue", Queue._params, Queue)

function PriorityQueue._new_store()
  return heaps.new(order.less)
end

return {
  Queue = Queue, LifoQueue = LifoQueue, PriorityQueue = PriorityQueue,
}
