-- Errors that are raised in a worker.

local pool = require "luvisor.pool"
local tap = require "luvisor.tap"

-- For workers.

local function echo(...)
  return ...
end

tap.test("an error object crosses as one, with both tracebacks", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function()
      local function deep()
        require("luvisor.error").raise { kind = "Closed", code = "EX",
          message = "gone", extra = { 1, 2 } }
      end
      deep()
    end)
  end, "Closed")
  tap.is(tostring(err), "gone")
  tap.ok(err:is "EX")
  tap.is_deeply(err.extra, { 1, 2 })
  tap.like(err.traceback, "^stack traceback %(worker %d+%):\n.*in .*'deep'"
    .. ".*\ncalled from:\n.*test_pool_errors.lua")
  tap.ok(not err.traceback:find "pool/worker.lua", "nothing of ours in it")
end)

tap.test("any other value is raised as a WorkerError", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function() error "boom" end)
  end, "WorkerError")
  tap.like(tostring(err), "test_pool_errors.lua:%d+: boom$")
  tap.is(err.value, err.message)
  tap.like(err.traceback, "worker.*'error'.*errors.lua:%d+: in function")
  _, err = tap.throws(function()
    p:call(function() error { code = 7 } end)
  end, "WorkerError")
  tap.is_deeply(err.value, { code = 7 })
  _, err = tap.throws(function() p:call(function() error() end) end,
    "WorkerError")
  tap.is(tostring(err), "nil")
  tap.is(p:call(echo, 1), 1, "the worker is as good as before")
end)

tap.test("what an error holds and cannot be sent is described", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function()
      local fields = { kind = "Odd", message = "odd", fn = print }
      fields.self, fields.thread = fields, coroutine.create(print)
      require("luvisor.error").raise(fields)
    end)
  end, "Odd")
  tap.like(err.fn, "^function: ")
  tap.like(err.thread, "^thread: ")
  tap.is(err.self, err)
end)

tap.test("a failed command's error tells all it told in the worker", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function()
      require("luvisor.process").run { "sh", "-c", "echo why >&2; exit 3" }
    end)
  end, "ExitError")
  tap.is(err.stderr, "why\n")
  tap.is(tostring(err.status), "exited 3", "a Status is one")
  tap.is(err.status.code, 3)
end)

tap.test("errors of several tasks of a call are an ErrorGroup", function()
  local p <close> = pool.new { workers = 1 }
  local _, err = tap.throws(function()
    p:call(function()
      local task = require "luvisor.task"
      task.spawn(error, "one")
      task.spawn(error, "two")
      task.sleep(60)
    end)
  end, "ErrorGroup")
  tap.is(#err.errors, 2)
end)

tap.test("a call that cancels its own task is told of", function()
  local p <close> = pool.new { workers = 1 }
  local function suicide()
    local task = require "luvisor.task"
    task.current():cancel()
    task.sleep(60)
  end
  local _, err = tap.throws(function() p:call(suicide) end, "Cancelled")
  tap.like(tostring(err), "cancelled its own task")
  tap.is(p:call(echo, 1), 1, "the worker is as good as before")
end)

tap.done()
