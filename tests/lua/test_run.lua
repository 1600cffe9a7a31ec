-- run and capture: a command from its start to its end.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local run <const>, capture <const> = process.run, process.capture

local function is_gone(pid)
  local f <close> = io.open("/proc/" .. pid .. "/stat")
  local state = f and f:read("a"):match("%) (%a)")
  return not state or state == "Z" or state == "X"
end

-- The result ------------------------------------------------------------------

tap.test("run returns what the command wrote, and how it ended", function()
  local r = run { "sh", "-c", "echo out; echo err >&2" }
  tap.is(r.stdout, "out\n")
  tap.is(r.stderr, "err\n")
  tap.is(r.ok, true)
  tap.is(r.code, 0)
  tap.is_deeply(r.argv, { "sh", "-c", "echo out; echo err >&2" })
  tap.ok(math.type(r.pid) == "integer")
  tap.is(r.truncated, false)
  tap.is(r.pipe_held, false)
  tap.ok(r.duration > 0 and r.rusage.maxrss > 0)
end)

tap.test("streams can go elsewhere", function()
  local r = run { "sh", "-c", "echo a; echo b >&2", stderr = "stdout" }
  tap.is(r.stdout, "a\nb\n")
  tap.is(r.stderr, nil)
  r = run { "echo", "x", stdout = "null", stderr = "null" }
  tap.is(r.stdout, nil)
  tap.is(r.stderr, nil)
end)

tap.test("its stdin is empty, unless it is told otherwise", function()
  tap.is(run({ "cat" }).stdout, "")
  tap.is(run({ "cat", stdin = "pipe" }).stdout, "")
  tap.is(run({ "cat", input = "x" }).stdout, "x")
  tap.is(run({ "cat", input = "x", stdin = "pipe" }).stdout, "x")
  tap.is(run({ "cat", input = { "a", "b" } }).stdout, "ab")
  local n = 3
  local function count()
    n = n - 1
    return n >= 0 and n or nil
  end
  tap.is(run({ "cat", input = count }).stdout, "210")
  local reader, writer = stream.pipe()
  writer:write "piped"
  writer:close()
  tap.is(run({ "cat", input = reader }).stdout, "piped")
  reader:close()
  tap.throws(function() run { "cat", input = "x", stdin = "null" } end,
    "UsageError")
end)

tap.test("a shell line is run by a shell", function()
  tap.is(run({ shell = "echo a | tr a b; exit 0" }).stdout, "b\n")
  tap.is(run({ shell = "exit 3", check = { 3 } }).code, 3)
end)

tap.test("what a terminal shows is captured as stdout", function()
  tap.is(run({ "sh", "-c", "test -t 1 && echo tty", pty = true }).stdout,
    "tty\r\n")
  tap.is(capture { "echo", "x", pty = { echo = false } }, "x\r")
end)

tap.test("capture returns one value less one newline", function()
  local cases = { a = "a", ["a\n"] = "a", ["a\n\n"] = "a\n", [""] = "",
                  ["\n"] = "", ["a\nb\n"] = "a\nb" }
  for written, expected in pairs(cases) do
    local values = table.pack(capture { "printf", "%s", written })
    tap.is(values.n, 1)
    tap.is(values[1], expected)
  end
  tap.throws(function() capture { "true", stdout = "null" } end, "UsageError")
end)

-- check -----------------------------------------------------------------------

tap.test("a failure is an ExitError with all that is known", function()
  local _, err = tap.throws(function()
    run { "sh", "-c", "echo out; echo why >&2; exit 7" }
  end, "ExitError")
  tap.is(err.stdout, "out\n")
  tap.is(err.stderr, "why\n")
  tap.is(err.status.code, 7)
  tap.is(tostring(err.status), "exited 7")
  tap.is(err.argv[1], "sh")
  tap.is(tostring(err), "\"sh\" exited 7\n  | why")
  _, err = tap.throws(function() capture { "sh", "-c", "kill $$" } end,
    "ExitError")
  tap.is(err.status.signal, "TERM")
end)

tap.test("only the tail of stderr is shown, all of it is kept", function()
  local _, err = tap.throws(function()
    run { shell = "seq 1 10000 >&2; exit 1" }
  end, "ExitError")
  tap.is(#err.stderr, 48894)
  tap.like(tostring(err), "exited 1\n  | 9996\n.*| 10000$")
  tap.ok(#tostring(err) < 200)
end)

tap.test("arguments, which may be secret, are not in the message", function()
  local _, err = tap.throws(function()
    run { "sh", "-c", "exit 1", "hunter2" }
  end, "ExitError")
  tap.ok(not tostring(err):find "hunter2")
  tap.is(err.argv[4], "hunter2")
end)

tap.test("check says which codes are fine", function()
  local function exit(code, check)
    return run { "sh", "-c", "exit " .. code, check = check }
  end
  tap.is(exit(7, false).code, 7)
  tap.is(exit(7, { 1, 7 }).code, 7)
  tap.is(exit(0, { 7 }).code, 0, "0 always is")
  tap.is(exit(0, true).code, 0)
  for _, check in ipairs { true, {}, { 1, 8 } } do
    tap.throws(function() exit(7, check) end, "ExitError")
  end
  tap.is(run({ "sh", "-c", "kill -9 $$", check = { -9 } }).signal, "KILL")
end)

tap.test("what cannot be started is a SpawnError", function()
  local _, err = tap.throws(function() run { "no-such-program" } end,
    "SpawnError")
  tap.is(err.code, "ENOENT")
  tap.throws(function() run { "true", protocol = {} } end, "UsageError")
  tap.throws(function() run { "true", leftover = "eat" } end, "UsageError")
  tap.throws(function() run { "true", stop = { signal = "X" } } end,
    "UsageError")
end)

-- Ended early -----------------------------------------------------------------

-- A command that ignores TERM, with a grandchild; what it writes is their pids.
local STUBBORN <const> = "trap '' TERM; echo $$; (trap '' TERM; echo start; "
  .. "exec sleep 600) & echo $! >&2; wait; wait"

tap.test("a timeout kills the whole group and keeps what was written",
function()
  local start = time.now()
  local _, err = tap.throws(function()
    run { "sh", "-c", STUBBORN, timeout = 0.1, stop = { grace = 0.05 } }
  end, "Timeout")
  tap.ok(time.now() - start < 5, "after the grace, not the default one")
  tap.like(tostring(err), "^sh timed out after 0.1 s")
  tap.is(err.seconds, 0.1)
  tap.is(err.argv[1], "sh")
  tap.is(err.status.signal, "KILL")
  local leader = tonumber(err.stdout:match "%d+")
  local grandchild = tonumber(err.stderr:match "%d+")
  tap.like(err.stdout, "start\n")
  tap.ok(is_gone(leader), "the child")
  tap.eventually(function() return is_gone(grandchild) end, "its child")
end)

tap.test("what is written at the last moment is kept, too", function()
  local _, err = tap.throws(function()
    run { "sh", "-c", "trap 'head -c 40000 /dev/zero; echo bye; exit 5' TERM; "
      .. "while :; do sleep 0.01; done", timeout = 0.05 }
  end, "Timeout")
  tap.is(#err.stdout, 40004)
  tap.is(err.status.code, 5, "its status says how it took the stop")
end)

tap.test("a cancel kills the whole group and keeps what was written",
function()
  local seen, grandchild
  local ok = task.move_on(0.1, function()
    local _ <close> = setmetatable({}, { __close = function(_, err)
      seen = err
    end })
    run { "sh", "-c", STUBBORN, stop = { grace = 0.05 } }
  end)
  tap.is(ok, false)
  tap.ok(seen:is "Cancelled")
  tap.like(seen.stdout, "^%d+\nstart\n$")
  tap.is(seen.status.signal, "KILL")
  tap.ok(is_gone(tonumber(seen.stdout:match "%d+")))
  grandchild = tonumber(seen.stderr:match "%d+")
  tap.eventually(function() return is_gone(grandchild) end)
end)

tap.test("the stop option says how it is ended", function()
  local _, err = tap.throws(function()
    run { "sleep", "600", timeout = 0.01, stop = { signal = "INT" } }
  end, "Timeout")
  tap.is(err.status.signal, "INT")
  local given
  _, err = tap.throws(function()
    run { "sleep", "600", timeout = 0.01, stop = function(p)
      given = p.argv[1]
      p:send_signal "HUP"
    end }
  end, "Timeout")
  tap.is(err.status.signal, "HUP")
  tap.is(given, "sleep")
end)

tap.test("an error of the input stops the command and is raised", function()
  local pid
  local _, err = tap.throws(function()
    run { "sh", "-c", "trap '' TERM; echo $$; cat; sleep 600",
      stop = { grace = 0.05 },
      input = function()
        task.sleep(0.05)
        error { mine = true }
      end }
  end)
  tap.is_deeply(err, { mine = true }, "as it was")
  _, err = tap.throws(function()
    run { "sh", "-c", "echo $$; exec cat", input = function()
      task.sleep(0.05)
      run { "sh", "-c", "exit 9" }
    end }
  end, "ExitError")
  tap.is(err.status.code, 9, "the inner command's")
  tap.is(err.stdout, "")
  pid = err.pid
  tap.is(pid, nil)
end)

tap.test("too much output stops it, and what was read is there", function()
  for _, name in ipairs { "stdout", "stderr" } do
    local to = name == "stderr" and " >&2" or ""
    local _, err = tap.throws(function()
      run { shell = "yes" .. to, max_output = 1001 }
    end, "LimitOverrun")
    tap.is(err[name], ("y\n"):rep(501):sub(1, 1001))
    tap.is(err.truncated, true)
    tap.ok(err.status.signal, "it was stopped: " .. tostring(err.status))
    tap.like(tostring(err), "more than 1001 bytes to " .. name)
  end
end)

tap.test("a stream that is too long is noticed while the other is open",
function()
  local _, err = tap.throws(function()
    run { "sh", "-c", "head -c 200000 /dev/zero >&2; sleep 600",
      max_output = 10 }
  end, "LimitOverrun")
  tap.is(err.stderr, ("\0"):rep(10))
  tap.is(err.stdout, "")
end)

tap.test("exactly max_output is fine", function()
  tap.is(run({ "printf", "1234", max_output = 4 }).stdout, "1234")
  tap.throws(function() run { "printf", "12345", max_output = 4 } end,
    "LimitOverrun", "also of a child that has ended at once")
  tap.is(run({ "true", max_output = 0 }).stdout, "")
end)

-- Pipes that grandchildren hold -----------------------------------------------

local HELD <const> = "sleep 600 & echo $!; exit 3"

local function run_held(opts)
  opts[1], opts[2], opts[3] = "sh", "-c", opts[1] or HELD
  opts.check = false
  opts.linger = opts.linger or 0.02
  return run(opts)
end

tap.test("who holds a pipe for too long is killed", function()
  for _, leftover in ipairs { "kill", false } do
    local r = run_held { leftover = leftover or nil }
    tap.is(r.code, 3)
    tap.is(r.pipe_held, true)
    tap.is(r.truncated, false, "then the end was seen")
    local pid = tonumber(r.stdout)
    tap.eventually(function() return is_gone(pid) end)
  end
end)

tap.test("or left alone", function()
  local r = run_held { leftover = "leave" }
  tap.is(r.pipe_held, true)
  tap.is(r.truncated, true)
  local pid = tonumber(r.stdout)
  tap.ok(not is_gone(pid))
  signal.send(pid, "KILL")
end)

tap.test("or waited for", function()
  local r = run_held { "(sleep 0.1; echo late) & echo soon",
                       leftover = "wait", linger = 0 }
  tap.is(r.stdout, "soon\nlate\n")
  tap.is(r.pipe_held, true)
  tap.is(r.truncated, false)
end)

tap.test("limits hold for those who are waited for, too", function()
  local _, err = tap.throws(function()
    run_held { "(sleep 0.05; exec yes) &", leftover = "wait", linger = 0,
               max_output = 100 }
  end, "LimitOverrun")
  tap.is(#err.stdout, 100)
  _, err = tap.throws(function()
    run_held { "sleep 600 & echo $!", leftover = "wait", linger = 0,
               timeout = 0.1 }
  end, "Timeout")
  tap.is(err.status.code, 0)
  local pid = tonumber(err.stdout)
  tap.eventually(function() return is_gone(pid) end, "they are killed with it")
end)

tap.test("who has left the group is not caught, but not waited for", function()
  local r = run_held { "setsid sleep 600 & echo $!; "
    .. "until kill -0 -$!; do :; done", stderr = "null" }
  tap.is(r.pipe_held, true)
  tap.is(r.truncated, true)
  tap.is(r.code, 0)
  signal.send(tonumber(r.stdout), "KILL")
end)

tap.done()
