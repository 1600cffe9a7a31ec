-- serial: it takes all processors for a while.
--
-- Thousands of children, dozens at a time, with all that may befall them:
-- signals, cancellations, time limits, closed pipes, floods of output, children
-- of their own that hold their pipes. Each must come to what may come of it,
-- and in the end everything is as it was.
--
-- LUVISOR_STORM_SEED      repeats what was drawn (not its timing)
-- LUVISOR_STORM_CHILDREN  how many
-- LUVISOR_STORM_JOBS      how many at a time

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local HERE <const> = SOURCE .. "/tests/storm/"

local asyncio = require "luvisor.asyncio"
local census = dofile(HERE .. "census.lua")
local children = dofile(HERE .. "children.lua")
local core_os = require "luvisor.core.os"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function setting(name, default)
  local value = os.getenv("LUVISOR_STORM_" .. name)
  return math.tointeger(tonumber(value)) or default
end

-- Sanitizers, valgrind and a look at each child without pidfds take their time.
local function is_slow()
  local preloaded = os.getenv "LD_PRELOAD" or ""
  return os.getenv "ASAN_OPTIONS" or os.getenv "TSAN_OPTIONS"
    or preloaded:find "vgpreload" or os.getenv "LUVISOR_GC"
    or os.getenv "LUVISOR_NO_PIDFD"
end

local SEED <const> = setting("SEED", os.time())
local CHILDREN <const> = setting("CHILDREN", is_slow() and 1000 or 20000)
local JOBS <const> = setting("JOBS", 64)
local LONGEST <const> = 0.2 -- seconds until a cut
local MOST_FAULTS <const> = 10

-- -- Drawing ------------------------------------------------------------------

-- The entries of these files, each as often as it weighs.
local function load(...)
  local list = {}
  for _, name in ipairs { ... } do
    for _, entry in ipairs(dofile(HERE .. name .. ".lua")) do
      entry.from = name
      for _ = 1, entry.weight do list[#list + 1] = entry end
    end
  end
  return list
end

local acts, cuts = load("native", "families", "ported"), load("cuts")

local function draw_cut(dice, act)
  while true do
    local cut = dice:pick(cuts)
    if not cut.native or act.from ~= "ported" then return cut end
  end
end

-- -- One of them --------------------------------------------------------------

-- One that does not come back took its worker along.
local Stray = { __close = function(stray, err)
  if err == nil then return end
  stray.faults[#stray.faults + 1] = stray.title .. ": it ended its caller: "
    .. tostring(err)
end }

-- Adds to faults if something was wrong; returns how many children it was for.
local function play(world, number, faults)
  local dice = children.dice(SEED, number)
  local act = dice:pick(acts)
  local cut = draw_cut(dice, act)
  local seconds = dice:moment(LONGEST)
  local title = ("%d: %s, %s after %.3f s"):format(number, act[1], cut[1],
    seconds)
  local _ <close> = setmetatable({ title = title, faults = faults }, Stray)
  local ok, wrong = pcall(cut[2], act[2], seconds, {
    world = world, dice = dice, child = children.draw(world, number, dice),
  })
  if not ok or wrong then
    faults[#faults + 1] = title .. ": " .. tostring(wrong)
  end
  return act.children or 1
end

-- Where they are played: in tasks of luvisor, or of a loop of asyncio.
local stages = {
  nursery = function(work)
    task.nursery(function(n)
      for _ = 1, JOBS do n:spawn(work) end
    end)
  end,
  loop = function(work)
    asyncio.run(function()
      local all = {}
      for i = 1, JOBS do all[i] = asyncio.create_task(work) end
      asyncio.gather(table.unpack(all))
    end)
  end,
}

-- Returns the faults, and the number of the last child.
local function play_all(world, stage, first, count)
  local started, number, faults = 0, first, {}
  stages[stage](function()
    while started < count and #faults < MOST_FAULTS do
      number = number + 1
      local n = play(world, number, faults)
      started = started + n
    end
  end)
  return faults, number
end

local function report(faults)
  for _, fault in ipairs(faults) do tap.ok(false, fault) end
  tap.is(#faults, 0, ("seed %d"):format(SEED))
end

-- -- The test -----------------------------------------------------------------

local MARK <const> = ("storm-%d-%d"):format(core_os.getpid(), SEED)

print(("# LUVISOR_STORM_SEED=%d LUVISOR_STORM_CHILDREN=%d "
  .. "LUVISOR_STORM_JOBS=%d"):format(SEED, CHILDREN, JOBS))

do
  local world <close> = children.world(MARK)
  local warm_up = math.min(500, CHILDREN)
  local first_faults, last = play_all(world, "nursery", 0, warm_up)
  census.settle(MARK)
  local before = census.take()
  local began = time.now()

  tap.test("what comes of each child is what may come of it", function()
    report(first_faults)
    for _, stage in ipairs { "nursery", "loop" } do
      local faults
      faults, last = play_all(world, stage, last, CHILDREN // 2)
      report(faults)
    end
  end)

  print(("# %d children in %.1f s"):format(CHILDREN, time.now() - began))

  tap.test("no zombie and no orphan is left", function()
    census.settle(MARK)
    tap.is(table.concat(census.marked(MARK), " "), "", "marked processes")
    tap.is(table.concat(census.zombies(), " "), "", "zombies")
  end)

  tap.test("tasks, files and memory are as before", function()
    local after = census.take()
    tap.is(after.children, before.children, "children")
    tap.is(after.tasks, before.tasks + 1, "tasks: only this one more")
    tap.is(after.fds, before.fds, "open files")
    local lua = ("Lua: %.0f KiB, then %.0f"):format(before.lua, after.lua)
    tap.ok(after.lua < 1.5 * before.lua + 1024, lua)
    local all = ("all: %d KiB, then %d"):format(before.resident, after.resident)
    tap.ok(after.resident < 2 * before.resident, all)
  end)
end

tap.done()
