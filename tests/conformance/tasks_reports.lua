-- Python's test_tasks.py: errors that nobody asks for, deadlocks, debug mode.
local asyncio = require "luvisor.asyncio"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function turn()
  asyncio.sleep(0)
end

-- The contexts that the loop's exception handler was given.
local function collect_errors()
  local contexts = {}
  asyncio.get_running_loop():set_exception_handler(function(_, context)
    contexts[#contexts + 1] = context
  end)
  return contexts
end

-- Runs a script: its Result.
local function run_script(code, options)
  local command = { LUVISOR, "-e", [[
    local asyncio = require "luvisor.asyncio"
  ]] .. code, check = false, stderr = "pipe", timeout = 60 }
  for key, value in pairs(options or {}) do command[key] = value end
  return process.run(command)
end

-- Errors that nobody asks for -------------------------------------------------

test("test_log_traceback: asking for an error silences it", function()
  local contexts = collect_errors()
  do
    local t = asyncio.create_task(error, "seen", 0)
    asyncio.wait { t }
    tap.is(t:exception(), "seen")
  end
  do
    local t = asyncio.create_task(error, "seen", 0)
    tap.throws(function() t:await() end, "seen")
  end
  collectgarbage()
  collectgarbage()
  tap.is(#contexts, 0)
end)

test("test_tb_logger_not_called_after_cancel: so does cancelling", function()
  local contexts = collect_errors()
  do
    local t = asyncio.create_task(error, "late", 0)
    asyncio.wait { t }
    tap.is(t:cancel(), false)
  end
  collectgarbage()
  collectgarbage()
  tap.is(#contexts, 0)
end)

test("a Future that failed is reported when it is collected", function()
  local contexts = collect_errors()
  do
    local fut = asyncio.Future()
    fut:set_exception "lost"
  end
  collectgarbage()
  collectgarbage()
  tap.is(#contexts, 1)
  tap.is(contexts[1].exception, "lost")
  tap.ok(asyncio.isfuture(contexts[1].future))
end)

test("test_exception_traceback: an error knows where it was raised", function()
  local t = asyncio.create_task(function()
    error(require "luvisor.error".new { kind = "Foo", message = "foo" }, 0)
  end)
  turn()
  tap.like(t:exception().traceback, "tasks_reports%.lua")
end)

tap.test("a task that failed, and that nobody awaits, is told of on stderr",
  function()
    local r = run_script [[
      asyncio.create_task(function() error("lost") end, { name = "loser" })
      asyncio.sleep(0)
      print "done"
    ]]
    tap.is(r.stdout, "done\n")
    tap.like(r.stderr, "nobody asked for the error of <asyncio.Task loser")
    tap.like(r.stderr, "lost\nstack traceback:")
    tap.is(select(2, r.stderr:gsub("nobody asked", "")), 1, "once")
    tap.is(tostring(r), "exited 0")
  end)

tap.test("an error in the exception handler is told of, too", function()
  local r = run_script [[
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function() error("worse", 0) end)
      loop:call_soon(error, "bad", 0)
      asyncio.sleep(0)
    end)
  ]]
  tap.like(r.stderr, "an error in the callback .*: bad")
  tap.like(r.stderr, "an error in the exception handler: worse")
end)

tap.test("test_log_destroyed_pending_task: a task that waits for what cannot "
  .. "come is a deadlock", function()
  local r = run_script [[
    asyncio.run(function()
      local t = asyncio.create_task(function()
        asyncio.get_running_loop():create_future():await()
      end)
      t:await()
    end)
  ]]
  tap.like(r.stderr, "deadlock: every task waits")
  tap.like(r.stderr, "waiting for a Future")
  tap.is(tostring(r), "exited 1")
end)

-- debug -----------------------------------------------------------------------

test("test_task_source_traceback: in debug mode a task knows its origin",
  function()
    local loop = asyncio.get_running_loop()
    loop:set_debug(true)
    tap.ok(loop:get_debug())
    local contexts = collect_errors()
    do
      local t = asyncio.create_task(error, "lost", 0)
      asyncio.wait { t }
    end
    collectgarbage()
    collectgarbage()
    tap.like(contexts[1].source_traceback, "tasks_reports%.lua")
  end)

tap.test("test_env_var_debug", function()
  local code <const> = "print(asyncio.get_running_loop():get_debug())"
  local function debug_with(value)
    local r = run_script(code, { env = { LUVISOR_ASYNCIO_DEBUG = value } })
    return r.stdout
  end
  tap.is(debug_with(false), "false\n")
  tap.is(debug_with "", "false\n")
  tap.is(debug_with "1", "true\n")
end)

tap.test("in debug mode slow callbacks are told of", function()
  local r = run_script [[
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      loop.slow_callback_duration = 0
      loop:call_soon(function() end)
      asyncio.sleep(0)
    end, { debug = true })
  ]]
  tap.like(r.stderr, "<asyncio%.Handle .*> took %d+%.%d+ s")
end)

tap.done()
