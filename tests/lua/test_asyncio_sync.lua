-- asyncio's locks and queues under both kinds of cancellation, asyncio's own
-- and that of luvisor's scopes, at any turn: nothing is lost, doubled, or held
-- for ever. What they mean else is tested in tests/conformance.

local asyncio = require "luvisor.asyncio"
local core = require "luvisor.core.task"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 8 do task.checkpoint() end
end

local cancels = {
  { "of asyncio", function(t) core.cancel_once(t) end },
  { "of a scope", function(t) t:cancel() end },
}

-- Starts a task for each function, cancels the victim after some turns, and
-- the others when those have gone on. Returns what is wrong.
local function disturb(case, victim, turns, cancel)
  local tasks = {}
  for i, fn in ipairs(case.tasks) do tasks[i] = task.detached(fn) end
  for _ = 1, turns do task.checkpoint() end
  cancel(tasks[victim])
  task.checkpoint()
  local progress = case.progress()
  let_run()
  local stuck = tasks[victim].state ~= "cancelled" and "it has not ended"
    or case.progress() == progress and "the others stand still"
  for _, t in ipairs(tasks) do cancel(t) end
  let_run()
  return stuck or case.fault()
end

-- Tests a case that `make` makes anew for each turn, cancellation and victim:
-- `tasks`: functions to run; `progress()`: a number that grows while they do
-- what they should; `fault()`: what is wrong in the end, if anything.
local function test(name, make)
  for _, kind in ipairs(cancels) do
    tap.test(("%s: any may be cancelled at any turn, by a cancellation %s")
      :format(name, kind[1]), function()
        local wrong
        for turns = 0, 15 do
          for victim = 1, 4 do
            local what = disturb(make(), victim, turns, kind[2])
            wrong = wrong or what and ("turn %d, victim %d: %s")
              :format(turns, victim, what)
          end
        end
        tap.is(wrong, nil)
      end)
  end
end

-- Four tasks that take what is to be had `units` times, again and again.
local function visitors(lock, units)
  local inside, most, visits = 0, 0, 0
  local function visit()
    while true do
      local _ <close> = lock:acquire()
      inside, visits = inside + 1, visits + 1
      most = math.max(most, inside)
      local _ <close> = setmetatable({}, { __close = function()
        inside = inside - 1
      end })
      task.checkpoint()
    end
  end
  return {
    tasks = { visit, visit, visit, visit },
    progress = function() return visits end,
    fault = function()
      if most > units then return "too many inside" end
      return lock:locked() and "it is still locked" or nil
    end,
  }
end

test("a Lock", function() return visitors(asyncio.Lock(), 1) end)

test("a Semaphore", function()
  local semaphore = asyncio.Semaphore(2)
  local case = visitors(semaphore, 2)
  local fault = case.fault
  function case.fault()
    local shown = tostring(semaphore)
    return fault() or not shown:find "value:2" and shown or nil
  end
  return case
end)

test("a Condition", function()
  local condition, items, taken, held = asyncio.Condition(), 0, 0, true
  local function consume()
    while true do
      local _ <close> = condition:acquire()
      local _ <close> = setmetatable({}, { __close = function()
        held = held and condition:locked()
      end })
      condition:wait_for(function() return items > 0 end)
      items, taken = items - 1, taken + 1
    end
  end
  local function produce()
    while true do
      do
        local _ <close> = condition:acquire()
        items = items + 1
        condition:notify()
      end
      task.checkpoint()
    end
  end
  return {
    tasks = { consume, produce, consume, produce },
    progress = function() return taken + items end,
    fault = function()
      if not held then return "a wait was left without the lock" end
      return condition:locked() and "it is still locked" or nil
    end,
  }
end)

for _, name in ipairs { "Queue", "LifoQueue", "PriorityQueue" } do
  test("a " .. name, function()
    local q, put, got = asyncio[name](1), 0, 0
    local function produce()
      while true do
        q:put(put)
        put = put + 1
      end
    end
    local function consume()
      while true do
        q:get()
        got = got + 1
      end
    end
    return {
      tasks = { consume, produce, consume, produce },
      progress = function() return got end,
      fault = function()
        if put - got == q:qsize() then return nil end
        return ("put %d, got %d, left %d"):format(put, got, q:qsize())
      end,
    }
  end)
end

tap.test("a Barrier's other waiters go on when a scope around one is cancelled",
  function()
    local barrier = asyncio.Barrier(2)
    tap.is(task.move_on(0.001, barrier.wait, barrier), false)
    tap.is(barrier.n_waiting, 0)
    local t = task.spawn(barrier.wait, barrier)
    tap.is(barrier:wait(), 0)
    tap.is(t:join(), 1)
  end)

tap.test("a time limit of luvisor around a wait takes nothing", function()
  local lock, event, q = asyncio.Lock(), asyncio.Event(), asyncio.Queue()
  lock:acquire()
  for _, wait in ipairs { lock.acquire, event.wait, q.get } do
    local on = wait == lock.acquire and lock or wait == q.get and q or event
    tap.throws(function() task.timeout(0.001, wait, on) end, "Timeout")
  end
  lock:release()
  tap.ok(not lock:locked())
  q:put(1)
  tap.is(q:qsize(), 1)
end)

tap.test("where nothing can wait, nothing is taken", function()
  local lock, q = asyncio.Lock(), asyncio.Queue()
  lock:acquire()
  for _, wait in ipairs {
    function() lock:acquire() end, function() q:get() end,
  } do
    tap.throws(function()
      ("x"):gsub("x", wait)
    end, "cannot wait here")
  end
  lock:release()
  tap.like(tostring(lock), "%[unlocked%]>$")
  tap.like(tostring(q), "%[maxsize=0%]>$")
end)

tap.done()
