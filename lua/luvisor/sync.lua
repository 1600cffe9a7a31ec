--- What tasks use to wait for one another.
-- `event`, `semaphore`, `lock`, `condition`, `queue`, `priority_queue`,
-- `lifo_queue` and `barrier`. All of them serve first come, first served, and
-- hand over directly: who is woken has what it waited for, nobody can snatch
-- it before it runs. A cancelled waiter takes nothing. What is there already
-- is taken without waiting and without letting other tasks run. There are no
-- timeouts here: `task.timeout(5, q.get, q)` makes one of any wait.
-- @module luvisor.sync
-- @usage
--   local sync, task = require "luvisor.sync", require "luvisor.task"
--   local jobs = sync.queue(10)
--   task.spawn(function()
--     for i = 1, 3 do jobs:put(i) end
--     jobs:close()
--   end)
--   for job in jobs do print(job) end

local barrier = require "luvisor.sync.barrier"
local condition = require "luvisor.sync.condition"
local event = require "luvisor.sync.event"
local lock = require "luvisor.sync.lock"
local queue = require "luvisor.sync.queue"
local semaphore = require "luvisor.sync.semaphore"

return {
  barrier = barrier.new,
  condition = condition.new,
  event = event.new,
  lifo_queue = queue.lifo,
  lock = lock.new,
  priority_queue = queue.priority,
  queue = queue.fifo,
  semaphore = semaphore.new,
}
