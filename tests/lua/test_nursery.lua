local errors = require "luvisor.error"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function wait_for_ever()
  sync.event():wait()
end

local function raise(err)
  return function() error(err, 0) end
end

tap.test("a nursery returns the values of its function", function()
  tap.is_deeply(table.pack(task.nursery(function() return 1, nil, 3, nil end)),
    { 1, nil, 3, nil, n = 4 })
  tap.is(select("#", task.nursery(function() end)), 0)
end)

tap.test("a nursery ends when all its tasks have", function()
  local ended = 0
  task.nursery(function(n)
    for i = 1, 3 do
      n:spawn(function()
        for _ = 1, i do task.checkpoint() end
        ended = ended + 1
      end)
    end
  end)
  tap.is(ended, 3)
end)

tap.test("task.spawn inside a nursery belongs to it, in its tasks too",
  function()
    local ended = {}
    task.nursery(function()
      task.spawn(function()
        task.spawn(function()
          let_run()
          ended[#ended + 1] = "inner"
        end)
        ended[#ended + 1] = "outer"
      end)
    end)
    tap.is_deeply(ended, { "outer", "inner" })
  end)

tap.test("a time limit or a shield is no nursery", function()
  local t
  task.nursery(function()
    task.timeout(60, task.shield, function() t = task.spawn(let_run) end)
    tap.is(t.state, "ready", "the scopes have ended before it")
  end)
  tap.is(t.state, "done")
end)

tap.test("a child that fails cancels its siblings and the body", function()
  local seen = {}
  local function note(name)
    return function()
      local _ <close> = setmetatable({}, {
        __close = function() seen[#seen + 1] = name end,
      })
      wait_for_ever()
    end
  end
  tap.throws(function()
    task.nursery(function(n)
      n:spawn(note "sibling")
      n:spawn(function()
        task.checkpoint()
        error("oops", 0)
      end)
      note "body"()
    end)
  end, function(err) return err == "oops" end, "the error is raised bare")
  table.sort(seen)
  tap.is_deeply(seen, { "body", "sibling" })
end)

tap.test("all are awaited, also those whose cleanup takes its time", function()
  local cleaned = false
  tap.throws(function()
    task.nursery(function(n)
      n:spawn(function()
        local _ <close> = setmetatable({}, { __close = function()
          task.shield_for(10, let_run)
          cleaned = true
        end })
        wait_for_ever()
      end)
      n:spawn(raise "oops")
    end)
  end, "oops")
  tap.is(cleaned, true)
end)

tap.test("an error of the body cancels the children", function()
  local t
  tap.throws(function()
    task.nursery(function(n)
      t = n:spawn(wait_for_ever)
      let_run()
      error("body", 0)
    end)
  end, function(err) return err == "body" end)
  tap.is(t.state, "cancelled")
end)

tap.test("two errors or more become an ErrorGroup, in their order", function()
  local _, err = tap.throws(function()
    task.nursery(function(n)
      n:spawn(raise "one")
      n:spawn(raise "two")
      error("three", 0)
    end)
  end, "ErrorGroup")
  tap.is_deeply(err.errors, { "three", "one", "two" })
  tap.like(tostring(err), "3 errors, the first: three")
end)

tap.test("an error raised during the cleanup of another joins it", function()
  local _, err = tap.throws(function()
    task.nursery(function(n)
      n:spawn(function()
        local _ <close> = setmetatable({}, { __close = raise "cleanup" })
        wait_for_ever()
      end)
      n:spawn(raise "cause")
    end)
  end, "ErrorGroup")
  tap.is_deeply(err.errors, { "cause", "cleanup" })
end)

tap.test("one error that comes by two ways is one", function()
  local err = errors.new { kind = "Mine", message = "mine" }
  local _, caught = tap.throws(function()
    task.nursery(function(n)
      local t = n:spawn(raise(err))
      task.shield(t.join, t)
    end)
  end, "Mine")
  tap.is(rawequal(caught, err), true)
end)

tap.test("a nil error is an error", function()
  local ok, err = pcall(task.nursery, function(n) n:spawn(raise(nil)) end)
  tap.is(ok, false)
  tap.is(err, "nil")
  ok, err = pcall(task.nursery, function() error() end)
  tap.is(ok, false)
  tap.is(err, "nil")
end)

tap.test("errors pass through nested nurseries bare, groups as they are",
  function()
    tap.throws(function()
      task.nursery(function(n)
        n:spawn(task.nursery, function(inner) inner:spawn(raise "deep") end)
      end)
    end, function(err) return err == "deep" end)
    local _, err = tap.throws(function()
      task.nursery(function()
        task.nursery(function(inner)
          inner:spawn(raise "one")
          inner:spawn(raise "two")
        end)
      end)
    end, "ErrorGroup")
    tap.is_deeply(err.errors, { "one", "two" })
  end)

tap.test("what a child raised has the traceback of the child", function()
  local err = errors.new { kind = "Mine", message = "mine" }
  local function culprit() error(err) end
  pcall(task.nursery, function(n)
    n:spawn(function()
      task.checkpoint()
      culprit()
    end)
  end)
  tap.like(err.traceback, "in upvalue 'culprit'")
end)

tap.test("cancel ends a nursery quietly", function()
  local t, after
  local result = table.pack(task.nursery(function(n)
    t = n:spawn(wait_for_ever)
    let_run()
    n:cancel()
    after = "cancel does not wait"
    task.checkpoint()
    after = "not reached"
  end))
  tap.is(result.n, 0)
  tap.is(t.state, "cancelled")
  tap.is(after, "cancel does not wait")
end)

tap.test("cancel by a child or by somebody else ends it, too", function()
  task.nursery(function(n)
    n:spawn(function() n:cancel() end)
    wait_for_ever()
  end)
  local nursery
  local t = task.spawn(function()
    task.nursery(function(n)
      nursery = n
      wait_for_ever()
    end)
    return "went on"
  end)
  let_run()
  nursery:cancel()
  nursery:cancel()
  tap.is(t:join(), "went on")
  nursery:cancel()
end)

tap.test("a nursery whose body no more waits returns its values", function()
  tap.is(task.nursery(function(n)
    n:spawn(wait_for_ever)
    n:cancel()
    return "value"
  end), "value")
end)

tap.test("cancel with a reason: it is in the errors", function()
  local reason
  task.nursery(function(n)
    n:spawn(function()
      local _ <close> = setmetatable({}, {
        __close = function(_, err) reason = err.reason end,
      })
      wait_for_ever()
    end)
    let_run()
    n:cancel("enough")
  end)
  tap.is(reason, "enough")
end)

tap.test("an error beats a quiet cancel", function()
  tap.throws(function()
    task.nursery(function(n)
      n:spawn(function()
        local _ <close> = setmetatable({}, { __close = raise "cleanup" })
        wait_for_ever()
      end)
      let_run()
      n:cancel()
    end)
  end, "^cleanup$")
end)

tap.test("spawn into a nursery that has ended raises Closed", function()
  local nursery
  task.nursery(function(n) nursery = n end)
  tap.throws(function() nursery:spawn(print) end, "Closed")
  tap.throws(function() nursery:start(print) end, "Closed")
end)

tap.test("tasks may be spawned while the nursery waits for its last",
  function()
    local ended = false
    task.nursery(function(n)
      n:spawn(function()
        let_run()
        n:spawn(function()
          let_run()
          ended = true
        end)
      end)
    end)
    tap.is(ended, true)
  end)

tap.test("what is spawned into a cancelled nursery is cancelled", function()
  local steps = {}
  task.nursery(function(n)
    n:cancel()
    n:spawn(function()
      steps[#steps + 1] = "began"
      task.checkpoint()
      steps[#steps + 1] = "not reached"
    end)
  end)
  tap.is_deeply(steps, { "began" })
end)

tap.test("a cancellation from outside is raised again from the nursery",
  function()
    local after = "nothing"
    local t = task.spawn(function()
      task.nursery(function(n)
        n:spawn(wait_for_ever)
      end)
      after = "reached"
    end)
    let_run()
    t:cancel()
    tap.throws(function() t:join() end, "Cancelled")
    tap.is(after, "nothing", "its results would be missing")
  end)

tap.test("gather that is cancelled does not return half its values", function()
  local got = "nothing"
  local t = task.spawn(function()
    got = table.pack(task.gather(wait_for_ever, function() return 1 end))
  end)
  let_run()
  t:cancel()
  let_run()
  tap.is(t.state, "cancelled")
  tap.is(got, "nothing")
end)

tap.test("a nursery all of whose tasks ended in time returns, cancelled or not",
  function()
    local t
    local got
    t = task.spawn(function()
      got = task.gather(function()
        t:cancel()
        return "value"
      end)
      task.checkpoint()
      got = "not reached"
    end)
    let_run()
    tap.is(got, "value")
    tap.is(t.state, "cancelled")
  end)

tap.test("errors beat a cancellation from outside", function()
  local caught
  local t = task.spawn(function()
    local ok, err = pcall(task.nursery, function(n)
      n:spawn(function()
        local _ <close> = setmetatable({}, { __close = raise "cleanup" })
        wait_for_ever()
      end)
      wait_for_ever()
    end)
    caught = not ok and err
    task.checkpoint()
    caught = "not reached"
  end)
  let_run()
  t:cancel()
  let_run()
  tap.is(caught, "cleanup")
  tap.is(t.state, "cancelled")
end)

-- start ----------------------------------------------------------------------

tap.test("start returns what the task gives to started, and it goes on",
  function()
    local go, ended = sync.event(), false
    task.nursery(function(n)
      local got = table.pack(n:start(function(started, a, b)
        let_run()
        started(a + b, nil, "x", nil)
        go:wait()
        ended = true
      end, 1, 2))
      tap.is_deeply(got, { 3, nil, "x", nil, n = 4 })
      tap.is(ended, false)
      go:set()
    end)
    tap.is(ended, true)
  end)

tap.test("start raises what the task raised before it had started", function()
  local err = errors.new { kind = "Mine", message = "mine" }
  local function culprit() error(err) end
  task.nursery(function(n)
    local sibling = n:spawn(let_run)
    local ok, caught = pcall(n.start, n, function()
      let_run()
      culprit()
    end)
    tap.is(ok, false)
    tap.is(rawequal(caught, err), true)
    tap.like(err.traceback, "in upvalue 'culprit'")
    tap.is_deeply({ pcall(n.start, n, raise(nil)) }, { false }, "nil as well")
    sibling:join()
    tap.is(sibling.state, "done", "the nursery goes on")
  end)
end)

tap.test("what the task raises after it has started is the nursery's",
  function()
    tap.throws(function()
      task.nursery(function(n)
        tap.is(n:start(function(started)
          started("value")
          let_run()
          error("later", 0)
        end), "value")
        wait_for_ever()
      end)
    end, "^later$")
  end)

tap.test("start raises UsageError when started is never called", function()
  task.nursery(function(n)
    tap.throws(function() n:start(let_run) end, "without having called started")
  end)
end)

tap.test("started a second time does nothing, and wakes nobody", function()
  local q = sync.queue()
  task.nursery(function(n)
    local again
    tap.is(n:start(function(started)
      started("first")
      task.checkpoint()
      again = started
      started("second")
    end), "first")
    n:spawn(function()
      let_run()
      again("third")
      let_run()
      q:put("item")
    end)
    tap.is(q:get(), "item", "who waits for something else")
  end)
end)

tap.test("a task that was cancelled before it had started raises Cancelled",
  function()
    task.nursery(function(n)
      tap.throws(function()
        n:start(function()
          task.current():cancel()
          task.checkpoint()
        end)
      end, "Cancelled")
      task.checkpoint()
    end)
  end)

tap.test("when start is cancelled, so is the task", function()
  local closed = false
  task.nursery(function(n)
    tap.is(task.move_on(0, n.start, n, function()
      local _ <close> = setmetatable({}, {
        __close = function() closed = true end,
      })
      wait_for_ever()
    end), false)
  end)
  tap.is(closed, true)
end)

tap.test("start where nothing can wait leaves no task behind", function()
  task.nursery(function(n)
    tap.throws(function()
      table.sort({ 2, 1 }, function() n:start(wait_for_ever) end)
    end, "UsageError")
  end)
end)

tap.test("start by another task than the nursery's", function()
  task.nursery(function(n)
    local t = task.spawn(function()
      return n:start(function(started) started "value" end)
    end)
    tap.is(t:join(), "value")
    t = task.spawn(pcall, n.start, n, raise "oops")
    tap.is_deeply({ t:join() }, { false, "oops" })
  end)
end)

tap.done()
