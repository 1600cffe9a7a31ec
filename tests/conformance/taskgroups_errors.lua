-- Counterparts of test_asyncio/test_taskgroups.py: what fails, is cancelled, or
-- both. Python's sleeps of different length are orders of events here: what is
-- cancelled sleeps for a minute, what fails does so after a few turns.

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LONG <const> = 60 -- seconds: whoever sleeps so long is cancelled

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn(n)
  for _ = 1, n or 1 do asyncio.sleep(0) end
end

local function fail(kind)
  errors.raise { kind = kind, message = kind }
end

local function fail_soon(kind)
  turn(2)
  fail(kind or "ZeroDivision")
end

local function sleep_long()
  asyncio.sleep(LONG)
end

local Finally = { __close = function(self) self.fn() end }

-- For a <close> variable: fn is called when its block is left.
local function finally(fn)
  return setmetatable({ fn = fn }, Finally)
end

-- Sleeps until it is cancelled, and fails in its cleanup.
local function fail_at_end(kind)
  local _ <close> = finally(function() fail(kind or "ZeroDivision") end)
  asyncio.sleep(LONG)
end

-- Sleeps until it is cancelled; on_cancel is called then.
local function sleep_until_cancelled(on_cancel)
  local ok, err = asyncio.pcall(asyncio.sleep, LONG)
  tap.ok(not ok and err:is(asyncio.CancelledError))
  on_cancel()
  error(err, 0)
end

-- Asserts that fn raises a group of errors of these kinds, each once, in the
-- order of the alphabet. Returns the group.
local function raises_group(kinds, fn)
  local ok, err = pcall(fn)
  if not tap.ok(not ok and errors.is_error(err) and err:is "ErrorGroup") then
    error(err, 0)
  end
  local known, list = {}, {}
  for _, e in ipairs(err.errors) do
    if not known[e.kind] then list[#list + 1] = e.kind end
    known[e.kind] = true
  end
  table.sort(list)
  tap.is(table.concat(list, " "), kinds)
  return err
end

local function raises_cancelled(fn)
  tap.throws(fn, asyncio.CancelledError)
end

-- Runs fn in a task, which is cancelled after some turns, and awaited.
local function await_cancelled(fn, turns)
  local r = asyncio.create_task(fn)
  turn(turns or 3)
  tap.ok(not r:done())
  r:cancel()
  return r:await()
end

-- What is cancelled -----------------------------------------------------------

test("test_taskgroup_03: a task may be cancelled, the others go on", function()
  local t1, t2
  do
    local group <close> = asyncio.TaskGroup()
    t1 = group:create_task(sleep_long)
    turn()
    t1:cancel()
    t2 = group:create_task(asyncio.sleep, 0, 11)
  end
  tap.ok(t1:cancelled())
  tap.is(t2:result(), 11)
end)

test("test_taskgroup_04: an error cancels the others", function()
  local number, t2_cancelled, t2 = 0, false, nil
  local r = asyncio.create_task(function()
    do
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail_soon)
      t2 = group:create_task(sleep_until_cancelled, function()
        t2_cancelled = true
      end)
    end
    number = number + 10
  end)
  raises_group("ZeroDivision", function() r:await() end)
  tap.is(number, 0)
  tap.ok(t2_cancelled)
  tap.ok(t2:cancelled())
end)

test("test_cancel_children_on_child_error: and the body of the group",
  function()
    local number, child_cancelled, body_cancelled = 0, false, false
    local r = asyncio.create_task(function()
      do
        local group <close> = asyncio.TaskGroup()
        for _ = 1, 3 do group:create_task(fail_soon) end
        group:create_task(sleep_until_cancelled, function()
          child_cancelled = true
        end)
        sleep_until_cancelled(function() body_cancelled = true end)
      end
      number = number + 10
    end)
    raises_group("ZeroDivision", function() r:await() end)
    tap.is(number, 0)
    tap.ok(child_cancelled)
    tap.ok(body_cancelled)
  end)

test("test_cancellation: of who waits for the group cancels its tasks",
  function()
    local cancelled = 0
    raises_cancelled(function()
      await_cancelled(function()
        local group <close> = asyncio.TaskGroup()
        for _ = 1, 5 do
          group:create_task(sleep_until_cancelled, function()
            cancelled = cancelled + 1
          end)
        end
      end)
    end)
    tap.is(cancelled, 5)
  end)

test("test_taskgroup_07: also while the body runs", function()
  local cancelled = 0
  raises_cancelled(function()
    await_cancelled(function()
      local group <close> = asyncio.TaskGroup()
      for _ = 1, 5 do
        group:create_task(sleep_until_cancelled, function()
          cancelled = cancelled + 1
        end)
      end
      sleep_until_cancelled(function() cancelled = cancelled + 10 end)
    end)
  end)
  tap.is(cancelled, 15)
end)

test("test_taskgroup_08: an error is raised rather than the cancellation",
  function()
    local err = raises_group("ZeroDivision", function()
      await_cancelled(function()
        local group <close> = asyncio.TaskGroup()
        for _ = 1, 5 do group:create_task(fail_at_end) end
        asyncio.sleep(LONG)
      end)
    end)
    tap.is(#err.errors, 5)
  end)

-- The body fails, at once or after a turn.
local function body_fails(turns)
  local t1, t2
  raises_group("ZeroDivision", function()
    local group <close> = asyncio.TaskGroup()
    t1 = group:create_task(sleep_long)
    t2 = group:create_task(sleep_long)
    turn(turns)
    fail "ZeroDivision"
  end)
  tap.ok(t1:cancelled())
  tap.ok(t2:cancelled())
end

test("test_taskgroup_09: an error of the body cancels the tasks", function()
  body_fails(1)
end)

test("test_taskgroup_10: also of those that have not begun", function()
  body_fails(0)
end)

-- Nested groups ---------------------------------------------------------------

-- The inner group's tasks fail when all is cancelled.
local function nested(start_outer)
  local err = raises_group("ErrorGroup", function()
    await_cancelled(function()
      local outer <close> = asyncio.TaskGroup()
      if start_outer then outer:create_task(sleep_long) end
      local inner <close> = asyncio.TaskGroup()
      for _ = 1, 5 do inner:create_task(fail_at_end) end
      asyncio.sleep(LONG)
    end)
  end)
  tap.is(#err.errors, 1)
  tap.is(#err.errors[1].errors, 5)
  tap.is(err.errors[1].errors[1].kind, "ZeroDivision")
end

test("test_taskgroup_11: the group of an inner group is in that of the outer",
  function() nested(false) end)

test("test_taskgroup_12: also where the outer one has tasks", function()
  nested(true)
end)

test("test_taskgroup_13: an error in the outer group cancels the inner one",
  function()
    raises_group("Value", function()
      local outer <close> = asyncio.TaskGroup()
      outer:create_task(fail_soon, "Value")
      local inner <close> = asyncio.TaskGroup()
      inner:create_task(sleep_long)
    end)
  end)

test("test_taskgroup_14: an error in the inner group ends both", function()
  local err = raises_group("ErrorGroup", function()
    local outer <close> = asyncio.TaskGroup()
    outer:create_task(sleep_long)
    local inner <close> = asyncio.TaskGroup()
    inner:create_task(fail_soon, "Value")
  end)
  tap.is(err.errors[1].errors[1].kind, "Value")
end)

-- A cancelled body that takes its time, during which a task fails.
local function slow_to_leave()
  local failing = asyncio.Event()
  local group <close> = asyncio.TaskGroup()
  group:create_task(function()
    asyncio.pcall(asyncio.sleep, LONG)
    failing:wait()
    fail "ZeroDivision"
  end)
  local ok, err = asyncio.pcall(asyncio.sleep, LONG)
  tap.ok(not ok)
  asyncio.get_running_loop():call_later(0.001, failing.set, failing)
  turn(5)
  error(err, 0)
end

test("test_taskgroup_15: the body may take its time to leave", function()
  raises_group("ZeroDivision", function() await_cancelled(slow_to_leave) end)
end)

test("test_taskgroup_16: also in a task of its own", function()
  raises_group("ZeroDivision", function()
    await_cancelled(function() asyncio.create_task(slow_to_leave):await() end)
  end)
end)

test("test_taskgroup_17: a cancelled body without tasks", function()
  local number = 0
  raises_cancelled(function()
    await_cancelled(function()
      local _ <close> = asyncio.TaskGroup()
      sleep_until_cancelled(function() number = number + 10 end)
    end)
  end)
  tap.is(number, 10)
end)

test("test_taskgroup_18: a body that makes an error of its cancellation",
  function()
    raises_group("MyExc", function()
      await_cancelled(function()
        local _ <close> = asyncio.TaskGroup()
        asyncio.pcall(asyncio.sleep, LONG)
        fail "MyExc"
      end)
    end)
  end)

-- A task fails, and so does the cleanup of the body, which is cancelled then.
local function both_fail(task_kind, body_kind)
  local r = asyncio.create_task(function()
    local group <close> = asyncio.TaskGroup()
    group:create_task(fail_soon, task_kind)
    fail_at_end(body_kind)
  end)
  r:await()
end

test("test_taskgroup_19: errors of a task and of the body", function()
  raises_group("MyExc ZeroDivision", function()
    both_fail("ZeroDivision", "MyExc")
  end)
end)

test("test_taskgroup_20: a cancelled scope of luvisor ends the group as it is",
  function()
    local t
    local finished = task.move_on(0.001, function()
      local group <close> = asyncio.TaskGroup()
      t = group:create_task(sleep_long)
      sleep_long()
    end)
    tap.is(finished, false)
    tap.ok(t:cancelled())
  end)

test("test_taskgroup_20a: errors of any kind are in the group", function()
  raises_group("MyBaseExc ZeroDivision", function()
    both_fail("ZeroDivision", "MyBaseExc")
  end)
end)

test("test_taskgroup_21a: also where it is the task's", function()
  raises_group("MyBaseExc Type", function() both_fail("MyBaseExc", "Type") end)
end)

test("test_taskgroup_22: a cancelled group raises the cancellation", function()
  raises_cancelled(function()
    await_cancelled(function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(sleep_long)
      group:create_task(sleep_long)
    end, 1)
  end)
end)

-- Counting cancellations ------------------------------------------------------

local function cancelling()
  return asyncio.current_task():cancelling()
end

test("test_taskgroup_context_manager_exit_raises: as the body is cancelled",
  function()
    local r = asyncio.create_task(function()
      local err = raises_group("Custom", function()
        local group <close> = asyncio.TaskGroup()
        local _ <close> = finally(function() fail "Custom" end)
        group:create_task(fail, "Custom")
        asyncio.sleep(LONG)
      end)
      tap.is(cancelling(), 0)
      tap.is(#err.errors, 2)
    end)
    r:await()
  end)

test("test_cancelling_level_preserved: a group takes its request back",
  function()
    raises_group("Runtime", function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(fail, "Runtime")
    end)
    tap.is(cancelling(), 0)
  end)

test("test_nested_groups_both_cancelled: each takes its own request back",
  function()
    raises_group("Value", function()
      local outer <close> = asyncio.TaskGroup()
      raises_group("Runtime", function()
        local inner <close> = asyncio.TaskGroup()
        inner:create_task(fail, "Runtime")
        outer:create_task(fail, "Value")
      end)
      tap.is(cancelling(), 1)
    end)
    tap.is(cancelling(), 0)
  end)

test("test_error_and_cancel: a request from outside stays", function()
  local event = asyncio.Event()
  local function inner()
    raises_group("Runtime", function()
      local group <close> = asyncio.TaskGroup()
      group:create_task(function()
        event:set()
        turn()
        fail "Runtime"
      end)
      asyncio.sleep(LONG)
      tap.ok(false, "the sleep in the group is cancelled")
    end)
    tap.is(cancelling(), 1)
    asyncio.sleep(LONG)
    tap.ok(false, "and so is the one after it")
  end
  local t = asyncio.create_task(inner)
  event:wait()
  tap.is(t:cancelling(), 0)
  t:cancel()
  tap.is(t:cancelling(), 1)
  raises_cancelled(function() t:await() end)
  tap.ok(t:cancelled())
end)

tap.done()
