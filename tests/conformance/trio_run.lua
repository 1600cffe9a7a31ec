-- Counterparts of Trio's test_subprocess.py: run_process, its cancelling and
-- its errors.

local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local run <const> = process.run

local function random_bytes(n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes)
end

tap.test("test_run: input goes in, both outputs come out", function()
  local data = random_bytes(1 << 18)
  local r = run { "cat", input = data }
  tap.is_deeply(r.argv, { "cat" })
  tap.is(r.returncode, 0)
  tap.ok(r.stdout == data)
  tap.is(r.stderr, "")

  r = run { "cat", stderr = "inherit" }
  tap.is(r.stdout, "")
  tap.is(r.stderr, nil)

  r = run { "sh", "-c", "tee /dev/stderr", input = data }
  tap.ok(r.stdout == data)
  tap.ok(r.stderr == data)

  for _, wrong in ipairs { 1, true } do
    tap.throws(function() run { "cat", input = wrong } end, "UsageError")
  end
  tap.throws(function() run { "cat", input = "x", stdin = "inherit" } end,
    "UsageError")
  tap.throws(function() run { "cat", capture_stdout = true } end, "UsageError")
end)

tap.test("test_run_check: a failure is raised, unless it is allowed", function()
  local argv = { "sh", "-c", "echo test >&2; exit 1", stdout = "inherit" }
  local _, err = tap.throws(function() run(argv) end, "ExitError")
  tap.is_deeply(err.argv, { argv[1], argv[2], argv[3] })
  tap.is(err.status.returncode, 1)
  tap.is(err.stderr, "test\n")
  tap.is(err.stdout, nil)
  argv.check, argv.stdout = false, nil
  local r = run(argv)
  tap.is(r.stdout, "")
  tap.is(r.stderr, "test\n")
  tap.is(r.returncode, 1)
end)

tap.test("test_run_with_broken_pipe: input that nobody reads is no error",
function()
  local r = run { "sh", "-c", "exec <&-", input = ("x"):rep(131072),
                  stdout = "inherit", stderr = "inherit" }
  tap.is(r.returncode, 0)
  tap.is_deeply({ r.stdout, r.stderr }, {})
end)

tap.test("test_errors: what it does not do is refused, by name", function()
  local _, err = tap.throws(function()
    process.spawn { "ls", encoding = "utf-8" }
  end, "UsageError")
  tap.like(err.message, "encoding")
  tap.throws(function() process.spawn { { "ls" }, shell = true } end,
    "UsageError")
  tap.throws(function() process.spawn "ls" end, "UsageError")
end)

-- -- How it is cancelled ------------------------------------------------------

local SLEEP <const> = "echo ready >&2; exec sleep 9999"

-- Starts run with these options; when it has said that it is ready, to stderr,
-- cancels it. Returns what was raised, by the nursery and by run.
local function cancelled(opts)
  local reader, writer = stream.pipe()
  local _ <close> = reader
  local seen
  opts.stderr = writer
  local ok, err = pcall(task.nursery, function(n)
    n:spawn(function()
      local _ <close> = setmetatable({}, { __close = function(_, why)
        seen = why
      end })
      run(opts)
    end)
    tap.is(reader:readline(), "ready")
    writer:close()
    n:cancel()
  end)
  return ok, err, seen
end

tap.test("test_custom_deliver_cancel: stop may be a function, which is left "
  .. "when the process has ended", function()
  local called, p
  local ok, _, seen = cancelled { "sh", "-c", SLEEP, stop = function(q)
    called, p = true, q
    q:send_signal "HUP"
    q:wait()
    tap.is(q.returncode, -1)
  end }
  tap.ok(ok)
  tap.ok(called)
  tap.is(seen.status.signal, "HUP")
  tap.ok(p.status)
end)

tap.test("test_bad_deliver_cancel: an error of that function is raised, and "
  .. "the process ended all the same", function()
  local p
  local ok, err = cancelled { "sh", "-c", SLEEP, stop = function(q)
    p = q
    error { code = "foo" }
  end }
  tap.is(ok, false)
  tap.is_deeply(err, { code = "foo" })
  tap.is(p.status.signal, "KILL")
end)

tap.test("test_warn_on_failed_cancel_terminate: a signal that was sent "
  .. "although an error was raised counts", function()
  local p
  local ok, err = cancelled { "sh", "-c", SLEEP, stop = function(q)
    p = q
    q:terminate()
    q:wait()
    error "whoops"
  end }
  tap.is(ok, false)
  tap.like(tostring(err), "whoops", "raised, not only warned of")
  tap.is(p.status.signal, "TERM")
end)

tap.test("test_warn_on_cancel_SIGKILL_escalation: who ignores TERM is killed, "
  .. "and the status says so", function()
  local ok, _, seen = cancelled { "sh", "-c",
    "trap '' TERM; echo ready >&2; while :; do sleep 0.01; done",
    stop = { grace = 0 } }
  tap.ok(ok)
  tap.is(seen.status.signal, "KILL")
end)

tap.test("test_run_process_background_fail: a failure in the background ends "
  .. "the nursery", function()
  local p
  local _, err = tap.throws(function()
    task.nursery(function(n)
      p = n:start(function(started)
        local q <close> = process.spawn { "false" }
        started(q)
        if not q:wait().ok then
          run { "false" }
        end
      end)
      task.sleep(600)
    end)
  end, "ExitError")
  tap.is(p.returncode, 1)
  tap.is(err.status.code, 1)
end)

-- -- What is left -------------------------------------------------------------

tap.test("test_for_leaking_fds: none is left, whatever became of it", function()
  collectgarbage()
  local before = core_os.fds()
  run { "true" }
  tap.is_deeply(core_os.fds(), before)
  tap.throws(function() run { "false" } end, "ExitError")
  tap.is_deeply(core_os.fds(), before)
  local _, err = tap.throws(function() run { "/dev/fd/0" } end, "SpawnError")
  tap.is(err.code, "EACCES")
  tap.is_deeply(core_os.fds(), before)
end)

tap.done()
