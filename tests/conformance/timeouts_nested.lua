-- Counterparts of test_asyncio/test_timeouts.py: timeouts in timeouts, after
-- cancellations, and around task groups.

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"

local LONG <const> = 60 -- seconds: whoever sleeps so long is cancelled
local SHORT <const> = 0.001

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function time()
  return asyncio.get_running_loop():time()
end

local function sleep_long()
  asyncio.sleep(LONG)
end

-- Computes until a deadline is over.
local function be_busy(deadline)
  while time() <= deadline do end -- luacheck: ignore 542
end

-- Calls fn in the block of the timeout. Returns the kind of error that leaves
-- the block, nil if none does, and the error.
local function inside(cm, fn)
  local ok, err = asyncio.pcall(function()
    local _ <close> = cm
    fn(cm)
  end)
  if ok then return nil end
  return errors.is_error(err) and err.kind or err, err
end

test("test_nested_timeouts: only the outer one raises Timeout", function()
  local deadline = time() -- both expire at the first wait
  local outer, inner = asyncio.timeout_at(deadline), nil
  local kind = inside(outer, function()
    inner = asyncio.timeout_at(deadline)
    local inner_kind, err = inside(inner, sleep_long)
    tap.is(inner_kind, "Cancelled")
    error(err, 0)
  end)
  tap.is(kind, "Timeout")
  tap.ok(outer:expired())
  tap.ok(inner:expired())
end)

test("test_nested_timeouts_concurrent: the outer one is over first", function()
  local deadline = time() + SHORT
  tap.is(inside(asyncio.timeout_at(deadline), function()
    local inner = asyncio.timeout(LONG)
    local kind, err = inside(inner, function()
      be_busy(deadline)
      sleep_long()
    end)
    tap.is(kind, "Cancelled")
    tap.ok(not inner:expired())
    error(err, 0)
  end), "Timeout")
end)

test("test_nested_timeouts_loop_busy: first the inner one, then the outer",
  function()
    local outer = asyncio.timeout(LONG)
    tap.is(inside(outer, function()
      local deadline = time() + SHORT
      tap.is(inside(asyncio.timeout_at(deadline), function()
        be_busy(deadline)
        sleep_long()
      end), "Timeout")
      outer:reschedule(time() + SHORT)
      sleep_long()
    end), "Timeout")
  end)

test("test_nested_timeout_in_finally: a limit for the cleanup", function()
  local inner
  local kind, err = inside(asyncio.timeout(SHORT), function()
    local _ <close> = setmetatable({}, { __close = function()
      inner = inside(asyncio.timeout(SHORT), sleep_long)
    end })
    sleep_long()
  end)
  tap.is(kind, "Timeout")
  tap.is(err.cancellation.kind, "Cancelled")
  tap.is(inner, "Timeout")
end)

-- Runs fn in a task that was cancelled and has caught that.
local function after_cancellation(fn)
  asyncio.create_task(function()
    asyncio.current_task():cancel()
    tap.ok(not asyncio.pcall(sleep_long))
    fn()
  end):await()
end

test("test_timeout_after_cancellation", function()
  after_cancellation(function()
    tap.is(inside(asyncio.timeout(0), sleep_long), "Timeout")
  end)
end)

test("test_cancel_in_timeout_after_cancellation", function()
  after_cancellation(function()
    tap.is(inside(asyncio.timeout(LONG), function()
      asyncio.current_task():cancel()
      sleep_long()
    end), "Cancelled")
  end)
end)

test("test_timeout_taskgroup: an error of a task's cleanup", function()
  local kind, err = inside(asyncio.timeout(SHORT), function()
    local group <close> = asyncio.TaskGroup()
    group:create_task(function()
      local _ <close> = setmetatable({}, { __close = function()
        errors.raise { kind = "ZeroDivision", message = "crash" }
      end })
      sleep_long()
    end)
    local _ <close> = setmetatable({}, { __close = sleep_long })
    errors.raise { kind = "Value", message = "value" }
  end)
  tap.is(kind, "ErrorGroup")
  tap.is(#err.errors, 1)
  tap.is(err.errors[1].kind, "ZeroDivision")
end)

tap.done()
