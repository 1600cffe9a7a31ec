-- Counterparts of test_asyncio/test_runners.py: what an interrupt does. Python
-- raises KeyboardInterrupt where the runner was called; here the program ends
-- in order, with exit code 130, when the run has cleaned up.

local process = require "luvisor.process"
local tap = require "luvisor.tap"

local PRELUDE <const> = [[
  local asyncio = require "luvisor.asyncio"
  local signal = require "luvisor.signal"
  local pid = require "luvisor.core.os".getpid()
  local function interrupt() signal.send(pid, "INT") end
  local function say(...)
    io.write(table.concat({ ... }, " "), "\n")
    io.flush()
  end
  -- What waits for an interrupt alone would be a deadlock.
  local function no_deadlock(loop) loop:call_later(60, say, "too late") end
  local function on_close(fn) return setmetatable({}, { __close = fn }) end
]]

-- Runs code in a program of its own. Asserts what it says, and how it ends.
local function check(code, said, exit_code)
  local result = process.run {
    os.getenv "LUVISOR", "-e", PRELUDE .. code, check = false, timeout = 60,
  }
  tap.is(result.stdout, said)
  tap.is(result.stderr, "")
  tap.is(result.code, exit_code)
end

tap.test("test_interrupt_call_soon: a task that never waits for long",
  function()
    check([[
      local runner <close> = asyncio.Runner()
      runner:get_loop():call_later(0.001, interrupt)
      runner:run(function()
        local ok, err = asyncio.pcall(function()
          while true do asyncio.sleep(0) end
        end)
        say(tostring(ok), err.kind)
        asyncio.sleep(0)
        say "cleaned up"
        error(err, 0)
      end)
      say "not reached"
    ]], "false Cancelled\ncleaned up\n", 130)
  end)

tap.test("test_interrupt_wait: what the task waits for is cancelled, too",
  function()
    check([[
      local runner <close> = asyncio.Runner()
      local fut = runner:get_loop():create_future()
      local _ <close> = on_close(function() say(tostring(fut:cancelled())) end)
      no_deadlock(runner:get_loop())
      runner:get_loop():call_later(0.001, interrupt)
      runner:run(function()
        local ok, err = asyncio.pcall(fut.await, fut)
        say(tostring(ok), err.kind)
        error(err, 0)
      end)
      say "not reached"
    ]], "false Cancelled\ntrue\n", 130)
  end)

tap.test("test_interrupt_cancelled_task: one that is cancelled already",
  function()
    check([[
      local runner <close> = asyncio.Runner()
      runner:run(function()
        local main = asyncio.current_task()
        asyncio.create_task(function()
          asyncio.sleep(0)
          main:cancel()
          interrupt()
        end)
        local _ <close> = on_close(function() say "cancelled" end)
        asyncio.sleep(60)
      end)
      say "not reached"
    ]], "cancelled\n", 130)
  end)

tap.test("test_asyncio_run_without_uncancel: one that goes on ends, too",
  function()
    check([[
      local result = asyncio.run(function()
        no_deadlock(asyncio.get_running_loop())
        interrupt()
        local event = asyncio.Event()
        asyncio.pcall(event.wait, event)
        say "goes on"
        return 42
      end)
      say(result)
      asyncio.sleep(60)
    ]], "goes on\n42\n", 130)
  end)

tap.test("test_signal_install_not_supported_ok: INT is ignored", function()
  check([[
    signal.ignore "INT"
    asyncio.run(function()
      interrupt()
      asyncio.sleep(0.01)
      say "not interrupted"
    end)
  ]], "not interrupted\n", 0)
end)

tap.done()
