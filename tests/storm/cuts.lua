-- Ways to call something, and to end it before its time. Each is given a
-- function, seconds, and the function's argument, and returns what it returned,
-- or nil if it was cut short; anything that it raised is raised.
-- local cuts = dofile(SOURCE .. "/tests/storm/cuts.lua")

local asyncio = require "luvisor.asyncio"
local task = require "luvisor.task"

-- Nothing is wrong with an error of the cut itself.
local function forgive(kind, ok, value)
  if ok then return value end
  if type(value) ~= "table" or value.kind ~= kind then error(value, 0) end
end

local function leave(fn, _, storm)
  return fn(storm)
end

-- -- luvisor.task -------------------------------------------------------------

local function cancel(fn, seconds, storm)
  local t = task.spawn(fn, storm)
  task.sleep(seconds)
  t:cancel "storm"
  return forgive("Cancelled", pcall(t.join, t))
end

local function cancel_nursery(fn, seconds, storm)
  local result
  task.nursery(function(n)
    n:spawn(function() result = fn(storm) end)
    task.sleep(seconds)
    n:cancel()
  end)
  return result
end

local function move_on(fn, seconds, storm)
  local ok, result = task.move_on(seconds, fn, storm)
  return ok and result or nil
end

local function timeout(fn, seconds, storm)
  return forgive("Timeout", pcall(task.timeout, seconds, fn, storm))
end

local function fail_beside(fn, seconds, storm)
  local result
  local _, err = pcall(task.gather, function() result = fn(storm) end,
    function()
      task.sleep(seconds)
      error("a sibling", 0)
    end)
  if err ~= "a sibling" then error(err, 0) end
  return result
end

-- The cancellation is felt when it has ended.
local function shield(fn, seconds, storm)
  local has_ended, result = false, nil
  task.move_on(seconds, task.shield, function()
    result = fn(storm)
    has_ended = true
  end)
  if not has_ended then return "the shield broke" end
  return result
end

-- -- asyncio ------------------------------------------------------------------

local function asyncio_cancel(fn, seconds, storm)
  local t = asyncio.create_task(fn, storm)
  asyncio.sleep(seconds)
  t:cancel()
  return forgive("Cancelled", pcall(t.await, t))
end

local function asyncio_twice(fn, seconds, storm)
  local t = asyncio.create_task(fn, storm)
  for _ = 1, 2 do
    asyncio.sleep(seconds / 2)
    t:cancel()
  end
  return forgive("Cancelled", pcall(t.await, t))
end

local function asyncio_wait_for(fn, seconds, storm)
  return forgive("Timeout", pcall(asyncio.wait_for, { fn, storm }, seconds))
end

local function asyncio_timeout(fn, seconds, storm)
  return forgive("Timeout", pcall(asyncio.timeout, seconds, fn, storm))
end

local function asyncio_group(fn, seconds, storm)
  local result
  local _, err = pcall(asyncio.TaskGroup, function(tg)
    tg:create_task(function() result = fn(storm) end)
    tg:create_task(function()
      asyncio.sleep(seconds)
      error("a sibling", 0)
    end)
  end)
  if #err.errors > 1 or err.errors[1] ~= "a sibling" then error(err, 0) end
  return result
end

local function asyncio_gather(fn, seconds, storm)
  local all = asyncio.create_task(asyncio.gather, { fn, storm },
    { asyncio.sleep, seconds, false })
  asyncio.sleep(seconds)
  all:cancel()
  local results = forgive("Cancelled", pcall(all.await, all))
  return results and results[1]
end

-- The wait for it is cut short, and not itself.
local function asyncio_shield(fn, seconds, storm)
  local t = asyncio.create_task(fn, storm)
  forgive("Timeout", pcall(asyncio.wait_for, { asyncio.shield, t }, seconds))
  return t:await()
end

-- native: not for what uses limits of asyncio, which a shield of luvisor.task
-- keeps off.
return {
  { "left alone", leave, weight = 12 },
  { "cancelled", cancel, weight = 2 },
  { "nursery cancelled", cancel_nursery, weight = 1 },
  { "moved on", move_on, weight = 1 },
  { "timed out", timeout, weight = 1 },
  { "sibling failed", fail_beside, weight = 1 },
  { "shielded", shield, weight = 1, native = true },
  { "asyncio: cancelled", asyncio_cancel, weight = 2 },
  { "asyncio: cancelled twice", asyncio_twice, weight = 1 },
  { "asyncio: wait_for", asyncio_wait_for, weight = 1 },
  { "asyncio: timeout", asyncio_timeout, weight = 1 },
  { "asyncio: sibling failed", asyncio_group, weight = 1 },
  { "asyncio: gather cancelled", asyncio_gather, weight = 1 },
  { "asyncio: shielded", asyncio_shield, weight = 1 },
}
