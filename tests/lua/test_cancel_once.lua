-- The cancellation that asyncio's names are built on: raised once, by no scope.
local core = require "luvisor.core.task"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local ok, is = tap.ok, tap.is

-- Runs fn in a task that waits; cancels it once with this reason when it does.
local function cancel_one(fn, reason)
  local t = task.spawn(fn)
  task.checkpoint()
  ok(core.cancel_once(t, reason), "it runs")
  return t
end

tap.test("it is raised where the task waits, with its reason, once", function()
  local seen
  local t = cancel_one(function()
    local caught, err = core.catch(task.sleep, 100)
    seen = { caught, err:is "Cancelled", err.reason }
    task.sleep(0)
    task.checkpoint()
    return "later waits are as before"
  end, "enough")
  is(t:join(), "later waits are as before")
  tap.is_deeply(seen, { false, true, "enough" })
end)

tap.test("pcall, xpcall and try let it pass", function()
  local try = require "luvisor.core.try"
  for name, catch in pairs { pcall = pcall, try = try, xpcall = function(fn)
    return xpcall(fn, function(e) return e end)
  end } do
    local after = false
    local t = cancel_one(function()
      catch(function() task.sleep(100) end)
      after = true
    end)
    tap.throws(function() t:join() end, "Cancelled", name)
    ok(not after, name .. " does not catch it")
  end
end)

tap.test("cleanup may wait after it", function()
  local cleaned
  local t = cancel_one(function()
    local _ <close> = setmetatable({}, { __close = function()
      task.sleep(0.001)
      cleaned = true
    end })
    task.sleep(100)
  end)
  tap.throws(function() t:join() end, "Cancelled")
  ok(cleaned)
end)

tap.test("a task that does not wait meets it at its next wait", function()
  local first, second
  local t = task.spawn(function()
    core.cancel_once(core.current())
    first = core.is_cancelled()
    second = core.catch(task.checkpoint)
    return core.is_cancelled()
  end)
  is(t:join(), false)
  ok(first, "it is known before")
  is(second, false)
end)

tap.test("a shield holds it off", function()
  local inside
  local t = cancel_one(function()
    task.shield(function()
      task.sleep(0.001)
      inside = true
    end)
    task.checkpoint()
    error "not reached"
  end)
  tap.throws(function() t:join() end, "Cancelled")
  ok(inside)
end)

tap.test("it cancels the tasks of a nursery that is waited for", function()
  local children = 0
  local t = cancel_one(function()
    task.nursery(function(n)
      for _ = 1, 3 do
        n:spawn(function()
          local _ <close> = setmetatable({}, { __close = function()
            children = children + 1
          end })
          task.sleep(100)
        end)
      end
    end)
  end)
  tap.throws(function() t:join() end, "Cancelled")
  is(children, 3)
end)

tap.test("it ends a run and its child", function()
  local p
  local t = task.spawn(function()
    p = process.spawn { "sleep", "100" }
    local _ <close> = p
    p:wait()
  end)
  tap.eventually(function() return p ~= nil end)
  core.cancel_once(t)
  tap.throws(function() t:join() end, "Cancelled")
  is(p.returncode, -15)
end)

tap.test("the cancellation of a scope passes through catch", function()
  local after = false
  task.move_on(0, function()
    core.catch(task.sleep, 100)
    after = true
  end)
  ok(not after)
end)

tap.test("uncancel takes back what has not been raised", function()
  local t = task.spawn(function()
    core.cancel_once(core.current())
    local was = core.uncancel(core.current())
    task.checkpoint()
    return was, core.uncancel(core.current())
  end)
  tap.is_deeply({ t:join() }, { true, false })
end)

tap.test("an ended task is not cancelled", function()
  local t = task.spawn(function() end)
  t:join()
  is(core.cancel_once(t), false)
end)

tap.test("its end by it cancels no sibling", function()
  local sibling
  task.nursery(function(n)
    local t = n:spawn(task.sleep, 100)
    n:spawn(function()
      task.sleep(0.001)
      sibling = true
    end)
    task.checkpoint()
    core.cancel_once(t)
  end)
  ok(sibling)
end)

tap.done()
