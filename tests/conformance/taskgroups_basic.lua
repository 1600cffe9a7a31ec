-- Counterparts of test_asyncio/test_taskgroups.py: starting tasks. To make a
-- group is to enter it: `local group <close> = asyncio.TaskGroup()`, or
-- `asyncio.TaskGroup(function(group) … end)`.

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local LONG <const> = 60 -- seconds: whoever sleeps so long is cancelled
local SHORT <const> = 0.001

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn(n)
  for _ = 1, n or 1 do asyncio.sleep(0) end
end

local function fail(kind)
  errors.raise { kind = kind, message = kind }
end

-- Asserts that fn raises a group of one error of this kind.
local function raises_group(kind, fn)
  local _, err = tap.throws(fn, "ErrorGroup")
  tap.is(#err.errors, 1)
  tap.is(err.errors[1].kind, kind)
end

test("test_taskgroup_01: the group ends when its tasks have", function()
  local t1, t2
  do
    local group <close> = asyncio.TaskGroup()
    t1 = group:create_task(asyncio.sleep, SHORT, 42)
    t2 = group:create_task { asyncio.sleep, 2 * SHORT, 11 }
  end
  tap.is(t1:result(), 42)
  tap.is(t2:result(), 11)
end)

test("test_taskgroup_01: with a function, whose values it returns", function()
  local t
  local a, b = asyncio.TaskGroup(function(group)
    t = group:create_task(asyncio.sleep, 0, 42)
    return 1, 2
  end)
  tap.is(t:result(), 42)
  tap.is(a, 1)
  tap.is(b, 2)
  raises_group("Value", function()
    asyncio.TaskGroup(function(group) group:create_task(fail, "Value") end)
  end)
end)

test("test_taskgroup_02: tasks may be started late", function()
  local t1, t2
  do
    local group <close> = asyncio.TaskGroup()
    t1 = group:create_task(asyncio.sleep, 2 * SHORT, 42)
    asyncio.sleep(SHORT)
    t2 = group:create_task(asyncio.sleep, SHORT, 11)
  end
  tap.is(t1:result(), 42)
  tap.is(t2:result(), 11)
end)

test("test_taskgroup_23: tasks that have ended are forgotten", function()
  local group <close> = asyncio.TaskGroup()
  for _ = 1, 5 do
    group:create_task(turn, 1)
    turn(5)
    tap.like(tostring(group), "^<asyncio%.TaskGroup entered>$")
  end
  group:create_task(turn, 1)
  tap.like(tostring(group), "^<asyncio%.TaskGroup tasks=1 entered>$")
end)

test("test_taskgroup_24: a task may start others in its group", function()
  local ended = 0
  do
    local group <close> = asyncio.TaskGroup()
    group:create_task(function()
      turn()
      for i = 1, 2 do
        group:create_task(function()
          turn(i)
          ended = ended + 1
        end)
      end
    end)
  end
  tap.is(ended, 2)
end)

test("test_taskgroup_25: an error ends more and more tasks", function()
  local hydras = 0
  raises_group("ZeroDivision", function()
    local group <close> = asyncio.TaskGroup()
    local function hydra()
      hydras = hydras + 1
      turn()
      group:create_task(hydra)
      group:create_task(hydra)
    end
    group:create_task(hydra)
    group:create_task(function()
      while hydras < 10 do turn() end
      fail "ZeroDivision"
    end)
  end)
  tap.ok(hydras >= 10)
end)

test("test_taskgroup_task_name", function()
  local group <close> = asyncio.TaskGroup()
  local t = group:create_task(turn, 1, { name = "yolo" })
  tap.is(t:get_name(), "yolo")
end)

test("test_taskgroup_task_context: a task gets its context as arguments",
  function()
    local group <close> = asyncio.TaskGroup()
    local context = {}
    local function set(ctx, value)
      turn()
      ctx.value = value
    end
    group:create_task(set, context, 1):await()
    tap.is(context.value, 1)
    group:create_task(set, context, 2):await()
    tap.is(context.value, 2)
  end)

test("test_taskgroup_no_create_task_after_failure", function()
  raises_group("ZeroDivision", function()
    local group <close> = asyncio.TaskGroup()
    group:create_task(function()
      turn()
      fail "ZeroDivision"
    end)
    group:create_task(function()
      tap.ok(not asyncio.pcall(asyncio.sleep, LONG))
      tap.throws(function() group:create_task(turn) end, "UsageError")
    end)
  end)
end)

local function refuses_tasks(group)
  tap.throws(function() group:create_task(asyncio.sleep, 0) end, "finished")
end

test("test_taskgroup_finished: it starts nothing any more", function()
  local kept
  do
    local group <close> = asyncio.TaskGroup()
    kept = group
  end
  refuses_tasks(kept)
end)

tap.test("test_coro_closed_when_tg_closed: also in a loop run by hand",
  function()
    local loop = asyncio.new_event_loop()
    loop:run_until_complete(function()
      local kept
      asyncio.TaskGroup(function(group) kept = group end)
      refuses_tasks(kept)
    end)
    loop:close()
  end)

-- Two variables close the same group.
test("test_taskgroup_already_entered: a group is for one block", function()
  local group, t = asyncio.TaskGroup(), nil
  tap.throws(function()
    local _ <close> = group
    do
      local inner <close> = group
      t = inner:create_task(asyncio.sleep, 0, 42)
    end
    tap.is(t:result(), 42)
  end, "a group is for one block")
end)

test("test_taskgroup_double_enter: a group is for one block", function()
  local group = asyncio.TaskGroup()
  do
    local _ <close> = group
  end
  tap.throws(function() local _ <close> = group end, "for one block")
  raises_group("Value", function()
    local failed = asyncio.TaskGroup()
    local _ <close> = failed
    local _ <close> = failed
    fail "Value"
  end)
end)

test("test_taskgroup_not_entered: it takes tasks from the start", function()
  local group = asyncio.TaskGroup()
  local t = group:create_task(asyncio.sleep, 0, 42)
  do
    local _ <close> = group
  end
  tap.is(t:result(), 42)
end)

test("test_taskgroup_without_parent_task: in a callback of the loop",
  function()
    local event = asyncio.Event()
    asyncio.get_running_loop():call_soon(function()
      tap.throws(asyncio.TaskGroup, "TaskGroup: a callback of the loop has no")
      event:set()
    end)
    event:wait()
  end)

tap.test("test_taskgroup_without_parent_task: the script is a task, too",
  function()
    local t
    do
      local group <close> = asyncio.TaskGroup()
      t = group:create_task(asyncio.sleep, 0, 42)
    end
    tap.is(t:result(), 42)
    raises_group("Value", function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail, "Value")
      asyncio.sleep(LONG)
    end)
  end)

tap.done()
