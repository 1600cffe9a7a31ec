-- communicate: feed, read both outputs and wait, at once.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local PIPES <const> = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }

local function start(argv, how)
  for name, value in pairs(how or PIPES) do
    if argv[name] == nil then argv[name] = value end
  end
  return process.spawn(argv)
end

local function cat() return start { "cat" } end

-- Input -----------------------------------------------------------------------

tap.test("a string goes in and comes out", function()
  local p <close> = cat()
  local r = p:communicate "hello\n"
  tap.is(r.stdout, "hello\n")
  tap.is(r.stderr, "")
  tap.is(r.ok, true)
  tap.is(r.code, 0)
  tap.is(r.returncode, 0)
  tap.is_deeply(r.argv, { "cat" })
  tap.is(r.pid, p.pid)
  tap.is(r.pipe_held, false)
  tap.is(r.truncated, false)
  tap.is(tostring(r), "exited 0")
  tap.ok(r.rusage and r.duration, "it has a Status' fields")
  tap.is(p.status.code, 0)
end)

tap.test("a list goes in piece by piece", function()
  local p <close> = cat()
  tap.is(p:communicate({ "a", "b\n", 3 }).stdout, "ab\n3")
end)

tap.test("an iterator goes in, and it may wait", function()
  local p <close> = cat()
  local n = 0
  local r = p:communicate(function()
    task.sleep(0.001)
    n = n + 1
    return n <= 3 and n .. "\n" or nil
  end)
  tap.is(r.stdout, "1\n2\n3\n")
end)

tap.test("a Reader goes in", function()
  local q <close> = process.spawn { "echo", "from another", stdout = "pipe" }
  local p <close> = cat()
  tap.is(p:communicate(q.stdout).stdout, "from another\n")
  q:wait()
end)

tap.test("empty input, or none, is the end of file", function()
  for _, input in ipairs { "", {}, function() end } do
    local p <close> = cat()
    tap.is(p:communicate(input).stdout, "")
  end
  local p <close> = cat()
  tap.is(p:communicate().stdout, "")
end)

tap.test("what was written before comes first", function()
  local p <close> = cat()
  p.stdin:write "one\n"
  tap.is(p:communicate("two\n").stdout, "one\ntwo\n")
end)

tap.test("input without a pipe to take it raises", function()
  local p <close> = process.spawn { "cat", stdout = "pipe" }
  tap.throws(function() p:communicate "x" end, "UsageError")
  tap.is(p:communicate().stdout, "", "the child goes on")
end)

tap.test("other things are no input", function()
  local p <close> = cat()
  for _, input in ipairs { 1, true, io.stdout } do
    tap.throws(function() p:communicate(input) end, "UsageError")
  end
  tap.throws(function() p:communicate({}, { timout = 1 }) end,
    "did you mean \"timeout\"")
  tap.throws(function() p:communicate { {} } end, "UsageError")
end)

tap.test("an error of the iterator is raised, and the child left", function()
  local p <close> = cat()
  tap.throws(function()
    p:communicate(function() error "no more" end)
  end, "no more")
  tap.is(p.status, nil)
end)

tap.test("a child that wants no input is no error", function()
  local big = ("x"):rep(1 << 20)
  for _, input in ipairs { big, { big, big }, function() return big end } do
    local p <close> = start { "sh", "-c", "exec <&-; echo done" }
    local r = p:communicate(input)
    tap.is(r.stdout, "done\n")
    tap.is(r.ok, true)
  end
  local p <close> = start { "true" }
  p:wait()
  tap.is(p:communicate(big).ok, true, "nor one that has ended")
end)

tap.test("endless input ends with the child", function()
  local p <close> = start { "head", "-c", "100000" }
  local r = p:communicate(function() return ("y"):rep(1000) end)
  tap.is(r.stdout, ("y"):rep(100000))
end)

-- Output ----------------------------------------------------------------------

tap.test("streams that are not pipes are nil in the result", function()
  local p <close> = process.spawn { "echo", "x", stdout = "null" }
  local r = p:communicate()
  tap.is(r.stdout, nil)
  tap.is(r.stderr, nil)
  local q <close> = process.spawn { "sh", "-c", "echo e >&2", stderr = "pipe" }
  r = q:communicate()
  tap.is(r.stdout, nil)
  tap.is(r.stderr, "e\n")
end)

tap.test("both outputs are read, however they come", function()
  local p <close> = start {
    "sh", "-c", "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; "
      .. "echo end >&2; echo end",
  }
  local r = p:communicate()
  tap.is(#r.stdout, 300004)
  tap.is(#r.stderr, 300004)
end)

tap.test("much goes in and comes out at the same time", function()
  local size <const> = 64 << 20
  local input = ("0123456789abcdef"):rep(size // 16)
  local p <close> = cat()
  local r = p:communicate(input)
  tap.is(#r.stdout, size)
  tap.ok(r.stdout == input, "and is the same")
end)

tap.test("ten at once do not mix", function()
  local tasks = {}
  for i = 1, 10 do
    tasks[i] = task.spawn(function()
      local p <close> = start { "sh", "-c", "cat; echo " .. i .. " >&2" }
      local r = p:communicate((i .. "\n"):rep(50000))
      tap.ok(r.stdout == (i .. "\n"):rep(50000))
      tap.is(r.stderr, i .. "\n")
    end)
  end
  for _, t in ipairs(tasks) do t:join() end
end)

tap.test("what a terminal shows is stdout", function()
  local p <close> = process.spawn { "echo", "x", pty = true }
  tap.is(p:communicate().stdout, "x\r\n")
end)

tap.test("it can be called again and again", function()
  local p <close> = cat()
  tap.is(p:communicate("x").stdout, "x")
  for _ = 1, 3 do
    local r = p:communicate()
    tap.is(r.stdout, "")
    tap.is(r.code, 0)
  end
  tap.throws(function() p:communicate "more" end, "UsageError")
end)

tap.test("a stream that another task reads is Busy", function()
  local p <close> = cat()
  local reading = task.spawn(p.stderr.read, p.stderr)
  task.checkpoint()
  tap.throws(function() p:communicate() end, "Busy")
  reading:cancel()
  pcall(reading.join, reading)
  local first = task.spawn(p.communicate, p)
  task.checkpoint()
  tap.throws(function() p.stdout:read(1) end, "Busy")
  tap.is(first:join().ok, true)
end)

tap.test("a stream that is closed meanwhile ends it with Closed", function()
  local p <close> = start({ "sleep", "600" }, { stdout = "pipe" })
  local talking = task.spawn(pcall, p.communicate, p)
  task.checkpoint()
  p.stdout:close()
  local ok, err = talking:join()
  tap.ok(not ok and err:is "Closed", tostring(err))
  tap.throws(function() p:communicate() end, "Closed")
end)

-- Ended early -----------------------------------------------------------------

local SLOW <const> = "echo 1; echo e >&2; read x; echo 2; cat"

tap.test("a timeout leaves the child and all output to the next call",
function()
  local p <close> = start { "sh", "-c", SLOW }
  local _, err = tap.throws(function()
    p:communicate(function() task.sleep(600) end, { timeout = 0.05 })
  end, "Timeout")
  tap.like(tostring(err), "^sh timed out after")
  tap.is(p.status, nil)
  tap.throws(function() p:communicate(nil, { timeout = 0.01 }) end, "Timeout")
  p.stdin:write "\n"
  tap.is(task.move_on(0.01, p.communicate, p), false)
  p.stdin:close()
  tap.is(p.stdout:readline(), "1")
  local r = p:communicate()
  tap.is(r.stdout, "2\n", "less what was read otherwise")
  tap.is(r.stderr, "e\n")
end)

tap.test("a cancel leaves the child and all output to the next call",
function()
  local p <close> = start({ "sh", "-c", "echo 1; kill -STOP $$; echo 2" },
    { stdout = "pipe" })
  for _ = 1, 3 do
    local talking = task.spawn(p.communicate, p)
    task.sleep(0.02)
    talking:cancel()
    tap.throws(function() talking:join() end, "Cancelled")
  end
  tap.is(p.status, nil)
  tap.eventually(function()
    pcall(p.send_signal, p, "CONT")
    return p.status
  end)
  tap.is(p:communicate().stdout, "1\n2\n")
end)

tap.test("input that was cut short by a timeout goes on in the next call",
function()
  local n = 0
  local input = function()
    n = n + 1
    if n == 3 then task.sleep(0.05) end
    return n <= 5 and n .. "\n" or nil
  end
  local p <close> = cat()
  tap.throws(function() p:communicate(input, { timeout = 0.02 }) end, "Timeout")
  tap.throws(function() p:communicate "other" end, "UsageError")
  local r = p:communicate()
  tap.like(r.stdout, "^1\n2\n", "what was written stays written")
  tap.like(r.stdout, "5\n$", "and the rest follows")
end)

tap.test("more than max_output is LimitOverrun, and nothing is lost",
function()
  for _, name in ipairs { "stdout", "stderr" } do
    local to = name == "stderr" and ">&2" or ""
    local p <close> = start {
      "sh", "-c", "head -c 1000000 /dev/zero " .. to .. "; echo end " .. to,
    }
    for _ = 1, 2 do
      local _, err = tap.throws(function()
        p:communicate(nil, { max_output = 1000 })
      end, "LimitOverrun")
      tap.like(tostring(err), "more than 1000 bytes to " .. name)
    end
    tap.is(#p:communicate()[name], 1000004)
  end
end)

tap.test("max_output itself is not too much", function()
  local p <close> = start { "head", "-c", "1000", "/dev/zero" }
  tap.is(#p:communicate(nil, { max_output = 1000 }).stdout, 1000)
end)

tap.test("a call that has ended reads on no further than any reader",
function()
  local p <close> = start({ "yes" }, { stdout = "pipe", limit = 4096 })
  tap.throws(function() p:communicate(nil, { timeout = 0.05 }) end, "Timeout")
  local n = p.stdout:buffered()
  task.sleep(0.02)
  tap.is(p.stdout:buffered(), n)
end)

-- Pipes that others hold ------------------------------------------------------

local HELD <const> = "sleep 600 & echo $!; exit 3"

tap.test("a pipe that a grandchild holds is read for `linger` more",
function()
  for _, linger in ipairs { 0, 0.05 } do
    local p <close> = start { "sh", "-c", HELD }
    local r = p:communicate(nil, { linger = linger })
    tap.is(r.code, 3)
    tap.is(r.pipe_held, true)
    tap.is(r.truncated, true, "its end was not seen")
    local pid = tonumber(r.stdout)
    signal.send(pid, "KILL")
    tap.is(p.stdout:read(), "", "what comes later can still be read")
  end
end)

tap.test("what was written before the end is read even without a linger",
function()
  for _ = 1, 20 do
    local p <close> = start {
      "sh", "-c", "sleep 600 & echo $! >&2; head -c 50000 /dev/zero",
    }
    local r = p:communicate(nil, { linger = 0 })
    tap.is(#r.stdout, 50000)
    signal.send(tonumber(r.stderr), "KILL")
  end
end)

tap.test("who lets go in time holds nothing", function()
  local p <close> = start { "sh", "-c", "(sleep 0.05; echo late) & echo soon" }
  local r = p:communicate(nil, { linger = 30 })
  tap.is(r.stdout, "soon\nlate\n")
  tap.is(r.pipe_held, false)
  tap.is(r.truncated, false)
end)

tap.test("a pipe of ours can be both ends of a talk", function()
  local reader, writer = stream.pipe()
  local p <close> = process.spawn { "cat", stdin = reader, stdout = "pipe" }
  reader:close()
  writer:write "through a pipe of ours"
  writer:close()
  tap.is(p:communicate().stdout, "through a pipe of ours")
end)

tap.done()
