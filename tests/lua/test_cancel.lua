local lv = require "luvisor"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

local function wait_for_ever()
  sync.event():wait()
end

local function on_close(fn)
  return setmetatable({}, { __close = fn })
end

-- Runs fn in a task, lets it get to its first waits, cancels it, and waits.
local function cancel_in(fn)
  local t = task.spawn(fn)
  let_run()
  t:cancel()
  pcall(t.join, t)
  return t
end

-- Limits ---------------------------------------------------------------------

tap.test("timeout returns the values, nils too, of what ends in time",
  function()
    tap.is_deeply(table.pack(task.timeout(60, function(...)
      task.checkpoint()
      return nil, ...
    end, 1, nil)), { nil, 1, nil, n = 3 })
  end)

tap.test("timeout raises Timeout with the limit, and ends what it cancels",
  function()
    local closed = false
    local _, err = tap.throws(function()
      task.timeout(0.001, function()
        local _ <close> = on_close(function() closed = true end)
        wait_for_ever()
      end)
    end, { kind = "Timeout", seconds = 0.001 })
    tap.is(closed, true)
    tap.is(tostring(err), "timed out after 0.001 s")
  end)

tap.test("a limit of 0 is over at the first wait", function()
  local steps = {}
  local function two_steps()
    steps[#steps + 1] = "began"
    task.checkpoint()
    steps[#steps + 1] = "not reached"
  end
  tap.throws(function() task.timeout(0, two_steps) end, "Timeout")
  tap.is(task.move_on(0, two_steps), false)
  tap.throws(function() task.shield_for(0, two_steps) end, "Timeout")
  tap.is_deeply(steps, { "began", "began", "began" })
  tap.is(task.timeout(0, math.abs, -1), 1, "what does not wait is in time")
end)

tap.test("a limit is a number of seconds, and nothing else", function()
  for _, limit in ipairs { task.timeout, task.move_on, task.shield_for } do
    for _, wrong in ipairs { -1, "1", 0 / 0, {}, false } do
      tap.throws(function() limit(wrong, print) end, "UsageError")
    end
    tap.throws(function() limit(nil, print) end, "got nil")
    tap.ok((pcall(limit, math.huge, task.checkpoint)), "huge is for ever")
  end
end)

tap.test("move_on is true and values, or false", function()
  tap.is_deeply(table.pack(task.move_on(60, function() return 1, nil end)),
    { true, 1, nil, n = 3 })
  tap.is_deeply(table.pack(task.move_on(0.001, wait_for_ever)),
    { false, n = 1 })
  tap.throws(function() task.move_on(60, error, "oops", 0) end, "^oops$")
end)

tap.test("a limit catches only its own cancellation", function()
  local inner, outer
  outer = pcall(task.timeout, 0.001, function()
    inner = pcall(task.timeout, 60, wait_for_ever)
  end)
  tap.is(inner, nil, "the inner one was left by the outer one's")
  tap.is(outer, false)
  local passed = false
  tap.throws(function()
    task.timeout(0.001, function()
      task.move_on(60, wait_for_ever)
      passed = true
    end)
  end, "Timeout")
  tap.is(passed, false)
end)

tap.test("the inner limit is over, the outer one is not", function()
  local ok, inner, err = task.move_on(60, function()
    return pcall(task.timeout, 0.001, wait_for_ever)
  end)
  tap.is(ok, true)
  tap.is(inner, false)
  tap.ok(err:is "Timeout")
  task.timeout(60, function()
    for _ = 1, 3 do
      tap.is(task.move_on(0.001, wait_for_ever), false)
      task.checkpoint()
    end
  end)
end)

tap.test("both limits are over at once: the outer one's error counts",
  function()
    local _, err = tap.throws(function()
      task.timeout(0, function() task.timeout(0, wait_for_ever) end)
    end, "Timeout")
    tap.is(err.seconds, 0)
    tap.is(task.move_on(0, function()
      task.move_on(0, wait_for_ever)
      tap.ok(false, "not reached")
    end), false)
  end)

tap.test("an error that a limit brings about is raised, not Timeout", function()
  tap.throws(function()
    task.timeout(0.001, function()
      local _ <close> = on_close(function() error("cleanup", 0) end)
      wait_for_ever()
    end)
  end, "^cleanup$")
end)

tap.test("a result that comes with the end of the limit is not lost",
  function()
    local value
    tap.is_deeply({ task.move_on(0, function()
      value = "computed"
      return value
    end) }, { true, "computed" })
  end)

tap.test("a cancellation from outside passes a limit, and its end", function()
  local steps = {}
  cancel_in(function()
    pcall(task.timeout, 60, wait_for_ever)
    steps[#steps + 1] = "not reached"
  end)
  cancel_in(function()
    task.move_on(60, wait_for_ever)
    steps[#steps + 1] = "not reached"
  end)
  tap.is_deeply(steps, {})
end)

-- Level-triggered ------------------------------------------------------------

tap.test("each later wait raises again until the scope is left", function()
  local raised = 0
  task.move_on(0, function()
    local function count() raised = raised + 1 end
    local _ <close> = on_close(function()
      local _ <close> = on_close(count)
      task.sleep(0)
    end)
    local _ <close> = on_close(function()
      local _ <close> = on_close(count)
      wait_for_ever()
    end)
    local _ <close> = on_close(count)
    task.checkpoint()
  end)
  tap.is(raised, 3)
  task.checkpoint()
end)

tap.test("a cancellation passes through whatever catches errors", function()
  local wrappers = {
    pcall = function(fn) return pcall(fn) end,
    xpcall = function(fn) return xpcall(fn, tostring) end,
    try = function(fn) return lv.try(fn) end,
    resume = function(fn) return coroutine.resume(coroutine.create(fn)) end,
    wrap = function(fn) return pcall(coroutine.wrap(fn)) end,
    settle = function(fn) return task.settle(fn) end,
    retry = function(fn) return task.retry({ times = 99, delay = 0 }, fn) end,
    shielded = function(fn)
      return pcall(function()
        task.shield(task.checkpoint)
        fn()
      end)
    end,
    metamethod = function(fn)
      local object = setmetatable({}, { __index = function() fn() end })
      return pcall(function() return object.field end)
    end,
  }
  for name, wrap in pairs(wrappers) do
    local passed = true
    local t = cancel_in(function()
      wrap(wait_for_ever)
      passed = false
    end)
    tap.ok(passed, name)
    tap.is(t.state, "cancelled", name)
    passed = true
    tap.is(task.move_on(0, function()
      wrap(wait_for_ever)
      passed = false
    end), false, name)
    tap.ok(passed, name)
  end
end)

tap.test("a message handler never sees a cancellation", function()
  local seen = false
  cancel_in(function()
    xpcall(wait_for_ever, function() seen = true end)
  end)
  tap.is(seen, false)
end)

tap.test("pcall catches the cancellation of a scope that is left", function()
  local kept
  task.move_on(0, function()
    local _ <close> = on_close(function(_, err) kept = err end)
    wait_for_ever()
  end)
  tap.ok(kept:is "Cancelled")
  tap.is(pcall(error, kept), false, "it is an error as any other now")
  tap.is(task.retry({ times = 2, delay = 0 }, function()
    if kept then
      local err = kept
      kept = nil
      error(err)
    end
    return "again"
  end), "again")
end)

tap.test("Cancelled from join is an error as any other", function()
  local t = task.spawn(wait_for_ever)
  let_run()
  t:cancel()
  local results = task.settle(t)
  tap.is(results[1].ok, false)
  tap.ok(results[1].error:is "Cancelled")
  local value, err = lv.try(t.join, t)
  tap.is(value, nil)
  tap.ok(err:is "Cancelled")
  task.checkpoint()
end)

tap.test("a spin of checkpoints can be cancelled", function()
  local t = cancel_in(function()
    while true do task.checkpoint() end
  end)
  tap.is(t.state, "cancelled")
end)

tap.test("an error is stronger than the cancellation it meets", function()
  local t = task.spawn(pcall, task.nursery, function(n)
    n:spawn(function()
      local _ <close> = on_close(function() error("oops", 0) end)
      wait_for_ever()
    end)
  end)
  let_run()
  t:cancel()
  tap.is_deeply({ t:join() }, { false, "oops" })
end)

-- Shields --------------------------------------------------------------------

tap.test("shield keeps a cancellation outside until it is left", function()
  local steps = {}
  local t = task.spawn(function()
    task.shield(function()
      let_run()
      let_run()
      steps[#steps + 1] = "finished"
    end)
    steps[#steps + 1] = "no wait yet"
    task.checkpoint()
    steps[#steps + 1] = "not reached"
  end)
  task.checkpoint()
  t:cancel()
  pcall(t.join, t)
  tap.is_deeply(steps, { "finished", "no wait yet" })
end)

tap.test("shield gives values and errors as they are", function()
  tap.is_deeply(table.pack(task.shield(function(...) return nil, ... end, 1)),
    { nil, 1, n = 2 })
  tap.throws(function() task.shield(error, "oops", 0) end, "^oops$")
end)

tap.test("a limit inside a shield is felt there", function()
  local inner
  cancel_in(function()
    task.shield(function()
      inner = task.move_on(0.001, wait_for_ever)
      task.checkpoint()
      inner = tostring(inner) .. ", and it went on"
    end)
  end)
  tap.is(inner, "false, and it went on")
end)

tap.test("a limit outside a shield is felt after it", function()
  local finished = false
  tap.is(task.move_on(0.001, function()
    task.shield(function()
      local start = time.now()
      tap.eventually(function() return time.now() > start + 0.01 end)
      finished = true
    end)
    task.checkpoint()
    finished = "not reached"
  end), false)
  tap.is(finished, true)
end)

tap.test("shield_for raises Timeout at its deadline, an ordinary error",
  function()
    local caught
    local t = cancel_in(function()
      local _ <close> = on_close(function()
        local ok, err = pcall(task.shield_for, 0.001, wait_for_ever)
        caught = not ok and err
      end)
      wait_for_ever()
    end)
    tap.ok(caught:is "Timeout")
    tap.is(t.state, "cancelled", "the cancellation goes on after it")
    tap.throws(function() task.shield_for(0.001, wait_for_ever) end, "Timeout")
  end)

tap.test("shields and limits nest in any way", function()
  local steps = {}
  local function step(name) steps[#steps + 1] = name end
  cancel_in(function()
    task.shield_for(60, function()
      task.timeout(60, function()
        task.shield(function()
          step(tostring(task.move_on(0.001, wait_for_ever)))
        end)
        task.checkpoint()
        step "inside the inner limit"
      end)
      local ok, err = pcall(task.timeout, 0, task.shield, task.checkpoint)
      step(ok and "a shield in an expired limit waits" or tostring(err))
      ok, err = pcall(task.timeout, 0, function()
        task.shield(task.checkpoint)
        task.checkpoint()
      end)
      step(ok and "not reached" or err.kind)
    end)
    step "left"
    task.checkpoint()
    step "not reached"
  end)
  tap.is_deeply(steps, {
    "false", "inside the inner limit", "a shield in an expired limit waits",
    "Timeout", "left",
  })
end)

tap.test("a nursery in a shield is shielded with its tasks", function()
  local ended = 0
  cancel_in(function()
    task.shield(task.nursery, function(n)
      for _ = 1, 3 do
        n:spawn(function()
          for _ = 1, 10 do task.checkpoint() end
          ended = ended + 1
        end)
      end
    end)
  end)
  tap.is(ended, 3)
end)

tap.test("t:cancel reaches a task in a nursery that is shielded", function()
  local t
  cancel_in(function()
    task.shield(task.nursery, function(n)
      t = n:spawn(wait_for_ever)
      let_run()
      t:cancel()
    end)
  end)
  tap.is(t.state, "cancelled")
end)

-- Cleanup --------------------------------------------------------------------

tap.test("the variables of a failed task are closed, and may wait", function()
  local steps = {}
  local t
  tap.throws(function()
    task.nursery(function(n)
      t = n:spawn(function()
        local _ <close> = on_close(function(_, err)
          let_run()
          steps[#steps + 1] = "outer " .. err
        end)
        local _ <close> = on_close(function(_, err)
          task.shield_for(60, let_run)
          steps[#steps + 1] = "inner " .. err
        end)
        error("oops", 0)
      end)
      task.shield(function() pcall(t.join, t) end)
    end)
  end, "^oops$")
  tap.is_deeply(steps, { "inner oops", "outer oops" })
end)

tap.test("the variables of a cancelled task may wait in shield_for", function()
  local steps = {}
  local t = cancel_in(function()
    local _ <close> = on_close(function()
      task.shield_for(60, let_run)
      steps[#steps + 1] = "shielded"
      task.checkpoint()
      steps[#steps + 1] = "not reached"
    end)
    wait_for_ever()
  end)
  tap.is_deeply(steps, { "shielded" })
  tap.is(t.state, "cancelled")
end)

tap.test("a task that is cancelled again while it cleans up goes on with it",
  function()
    local cleaned = false
    local t = task.spawn(function()
      local _ <close> = on_close(function()
        task.shield_for(60, let_run)
        cleaned = true
      end)
      wait_for_ever()
    end)
    let_run()
    for _ = 1, 4 do
      t:cancel()
      task.checkpoint()
    end
    pcall(t.join, t)
    tap.is(cleaned, true)
  end)

tap.test("a cleanup may run children's ends: spawn and join in a shield",
  function()
    local result
    cancel_in(function()
      local _ <close> = on_close(function()
        result = task.shield_for(60, task.gather, function()
          let_run()
          return "joined"
        end)
      end)
      wait_for_ever()
    end)
    tap.is(result, "joined")
  end)

tap.test("a wait that was served before the cancel keeps what it got",
  function()
    local q, got = sync.queue(), "nothing"
    local t = task.spawn(function()
      got = q:get()
      task.checkpoint()
      got = "not reached"
    end)
    let_run()
    q:put("item")
    t:cancel()
    pcall(t.join, t)
    tap.is(got, "item")
    tap.is(t.state, "cancelled")
  end)

tap.test("the error says who cancelled only by its reason", function()
  local seen
  local t = task.spawn(function()
    local _ <close> = on_close(function(_, err) seen = err end)
    wait_for_ever()
  end)
  let_run()
  t:cancel { code = 7 }
  pcall(t.join, t)
  tap.is(seen.kind, "Cancelled")
  tap.is(seen.message, "cancelled")
  tap.is(seen.reason.code, 7)
end)

-- Where nothing can wait -----------------------------------------------------

tap.test("inside C functions without continuation a wait is refused", function()
  local cannot = "cannot wait here"
  tap.throws(function()
    table.sort({ 3, 1, 2 }, function(a, b)
      task.checkpoint()
      return a < b
    end)
  end, cannot)
  tap.throws(function() string.gsub("x", "x", wait_for_ever) end, cannot)
  tap.throws(function()
    tostring(setmetatable({}, { __tostring = wait_for_ever }))
  end, cannot)
  package.preload["test_cancel.waits"] = wait_for_ever
  tap.throws(function() require "test_cancel.waits" end, cannot)
  tap.is(load(wait_for_ever), nil, "load returns errors")
  local _, err = tap.throws(function()
    string.gsub("x", "x", function() task.sleep(0) end)
  end, "UsageError")
  tap.like(err.message, "test_cancel.lua:%d+: cannot wait.*string.gsub")
end)

tap.test("scopes and joins are refused there too, and nothing is left over",
  function()
    local function refused(fn)
      tap.throws(function() string.gsub("x", "x", fn) end, "UsageError")
    end
    refused(function() task.nursery(print) end)
    refused(function() task.timeout(1, print) end)
    refused(function() task.shield(print) end)
    refused(function() task.gather(print) end)
    local t = task.spawn(let_run)
    refused(function() t:join() end)
    t:join()
    refused(function() coroutine.wrap(wait_for_ever)() end)
    string.gsub("x", "x", function() t = task.spawn(let_run) end)
    t:join()
    string.gsub("x", "x", function() tap.is(t:join(), nil, "has ended") end)
  end)

tap.done()
