-- Counterparts of test_asyncio/test_timeouts.py: a timeout alone. To make it is
-- to enter it: `local cm <close> = asyncio.timeout(1)`.

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

local function fail(kind)
  errors.raise { kind = kind, message = kind }
end

local Finally = { __close = function(self) self.fn() end }

local function finally(fn)
  return setmetatable({ fn = fn }, Finally)
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

-- Deadlines -------------------------------------------------------------------

test("test_timeout_basic", function()
  local cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, sleep_long), "Timeout")
  tap.ok(cm:expired())
end)

test("test_timeout_basic: with a function", function()
  tap.throws(function() asyncio.timeout(SHORT, sleep_long) end,
             asyncio.TimeoutError)
  tap.is_deeply({ asyncio.timeout(LONG, math.max, 1, 2) }, { 2 })
end)

test("test_timeout_at_basic", function()
  local deadline = time() + SHORT
  local cm = asyncio.timeout_at(deadline)
  tap.is(inside(cm, sleep_long), "Timeout")
  tap.ok(cm:expired())
  tap.is(cm:when(), deadline)
end)

test("test_waiter_cancelled: the wait raises the cancellation", function()
  local kind
  tap.is(inside(asyncio.timeout(SHORT), function()
    local ok, err = asyncio.pcall(sleep_long)
    tap.ok(not ok)
    kind = err.kind
    error(err, 0)
  end), "Timeout")
  tap.is(kind, "Cancelled")
end)

test("test_timeout_not_called", function()
  local cm = asyncio.timeout(LONG)
  tap.is(inside(cm, function() asyncio.sleep(0) end), nil)
  tap.ok(not cm:expired())
  tap.ok(cm:when() > time())
end)

local function without_limit(cm)
  tap.is(inside(cm, function() asyncio.sleep(SHORT) end), nil)
  tap.ok(not cm:expired())
  tap.is(cm:when(), nil)
end

test("test_timeout_disabled", function()
  without_limit(asyncio.timeout(nil))
end)

test("test_timeout_at_disabled", function()
  without_limit(asyncio.timeout_at(nil))
end)

-- A limit that is over at the first wait.
local function over_at_once(limit, fn)
  local before = time()
  local cm = asyncio.timeout(limit)
  tap.is(inside(cm, fn), "Timeout")
  tap.ok(cm:expired())
  tap.ok(before + limit <= cm:when() and cm:when() <= time())
end

test("test_timeout_zero", function() over_at_once(0, sleep_long) end)

local function sleep_zero()
  asyncio.sleep(0)
end

test("test_timeout_zero_sleep_zero", function() over_at_once(0, sleep_zero) end)

test("test_timeout_in_the_past_sleep_zero", function()
  over_at_once(-11, sleep_zero)
end)

test("test_outer_task_is_not_cancelled", function()
  local t = asyncio.create_task(function()
    tap.is(inside(asyncio.timeout(SHORT), sleep_long), "Timeout")
  end)
  t:await()
  tap.ok(not t:cancelled())
  tap.ok(t:done())
end)

-- Errors ----------------------------------------------------------------------

test("test_foreign_exception_passed", function()
  local cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, function() fail "Key" end), "Key")
  tap.ok(not cm:expired())
end)

test("test_timeout_exception_context: an error that meets the limit is lost",
  function()
    local kind, err = inside(asyncio.timeout(SHORT), function()
      local _ <close> = finally(sleep_long)
      fail "ZeroDivision"
    end)
    tap.is(kind, "Timeout")
    tap.is(err.cancellation.kind, "Cancelled")
  end)

test("test_foreign_exception_on_timeout: an error of the cleanup", function()
  local cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, function()
    local _ <close> = finally(function() fail "ZeroDivision" end)
    sleep_long()
  end), "ZeroDivision")
  tap.ok(cm:expired())
  asyncio.sleep(SHORT) -- nothing of the cancellation is left
  tap.is(asyncio.current_task():cancelling(), 0)
end)

test("test_foreign_exception_on_timeout_2: the last one of several", function()
  tap.is(inside(asyncio.timeout(SHORT), function()
    local _ <close> = finally(function()
      local _ <close> = finally(function() fail "ZeroDivision" end)
      fail "Key"
    end)
    local _ <close> = finally(sleep_long)
    fail "Value"
  end), "ZeroDivision")
end)

test("test_foreign_cancel_doesnt_timeout_if_not_expired", function()
  local cm = asyncio.timeout(LONG)
  local t = asyncio.create_task(function()
    tap.is(inside(cm, function()
      asyncio.current_task():cancel()
      sleep_long()
    end), "Cancelled")
  end)
  t:await()
  tap.ok(not cm:expired())
end)

-- State -----------------------------------------------------------------------

test("test_reschedule", function()
  local fut = asyncio.get_running_loop():create_future()
  local first = time() + LONG
  local t = asyncio.create_task(function()
    local cm <close> = asyncio.timeout_at(first)
    fut:set_result(cm)
    sleep_long()
  end)
  local cm = fut:await()
  tap.is(cm:when(), first)
  cm:reschedule(first + LONG)
  tap.is(cm:when(), first + LONG)
  cm:reschedule(nil)
  tap.is(cm:when(), nil)

  t:cancel()
  tap.throws(function() t:await() end, asyncio.CancelledError)
  tap.ok(not cm:expired())
end)

test("test_reschedule: to a sooner time", function()
  local cm = asyncio.timeout(nil)
  tap.is(inside(cm, function()
    cm:reschedule(time() + SHORT)
    sleep_long()
  end), "Timeout")
end)

test("test_repr_active", function()
  local cm <close> = asyncio.timeout(LONG)
  tap.like(tostring(cm), "^<asyncio%.Timeout %[active%] when=%d+%.?%d*>$")
end)

test("test_repr_expired", function()
  local cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, sleep_long), "Timeout")
  tap.is(tostring(cm), "<asyncio.Timeout [expired]>")
end)

test("test_repr_finished", function()
  local cm = asyncio.timeout(LONG)
  tap.is(inside(cm, sleep_zero), nil)
  tap.is(tostring(cm), "<asyncio.Timeout [finished]>")
end)

test("test_repr_disabled", function()
  local cm <close> = asyncio.timeout(nil)
  tap.is(tostring(cm), "<asyncio.Timeout [active] when=nil>")
end)

local function refuses_reschedule(cm, why)
  tap.throws(function() cm:reschedule(time() + SHORT) end, why)
end

test("test_timeout_finished", function()
  local cm = asyncio.timeout(LONG)
  tap.is(inside(cm, sleep_zero), nil)
  refuses_reschedule(cm, "finished")
end)

test("test_timeout_expired", function()
  local cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, sleep_long), "Timeout")
  refuses_reschedule(cm, "expired")
end)

test("test_timeout_expiring: a cancellation that is caught is forgotten",
  function()
    local cm = asyncio.timeout(SHORT)
    tap.is(inside(cm, function()
      tap.ok(not asyncio.pcall(sleep_long))
      tap.ok(cm:expired())
      refuses_reschedule(cm, "expiring")
    end), nil)
    tap.is(asyncio.current_task():cancelling(), 0)
  end)

test("test_timeout_already_entered: a timeout is for one block", function()
  local cm = asyncio.timeout(LONG)
  tap.throws(function()
    local _ <close> = cm
    tap.is(inside(cm, sleep_zero), nil)
  end, "a timeout is for one block")
end)

test("test_timeout_double_enter: a timeout is for one block", function()
  local cm = asyncio.timeout(LONG)
  tap.is(inside(cm, sleep_zero), nil)
  tap.is(inside(cm, sleep_zero), "UsageError")
  local kind = inside(cm, function() fail "Key" end)
  tap.is(kind, "Key", "which replaces no error")
  cm = asyncio.timeout(SHORT)
  tap.is(inside(cm, sleep_long), "Timeout")
  tap.is(inside(cm, sleep_zero), "UsageError")
  tap.ok(cm:expired())
end)

test("test_timeout_not_entered: it can be rescheduled from the start",
  function()
    local cm = asyncio.timeout(LONG)
    cm:reschedule(time() + SHORT)
    tap.is(inside(cm, sleep_long), "Timeout")
  end)

test("test_timeout_without_task: in a callback of the loop", function()
  local event = asyncio.Event()
  asyncio.get_running_loop():call_soon(function()
    tap.throws(function() asyncio.timeout(SHORT) end,
               "timeout: a callback of the loop has no Task")
    event:set()
  end)
  event:wait()
end)

tap.test("test_timeout_without_task: the script is a task, too", function()
  tap.is(inside(asyncio.timeout(SHORT), sleep_long), "Timeout")
end)

tap.done()
