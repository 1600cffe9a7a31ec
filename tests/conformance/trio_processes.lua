-- Counterparts of Trio's test_subprocess.py: a process in the background, whose
-- pipes are talked through. Each way to have one is tried: in a block that ends
-- it, and in a task of a nursery.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LONG <const> = 30 -- seconds; nothing here takes that long

local ways = {}

function ways.block(opts, fn)
  local p <close> = process.spawn(opts)
  fn(p)
  if not p.status then p:kill() end
  p:wait()
  return p
end

function ways.nursery(opts, fn)
  local p
  task.nursery(function(n)
    p = n:start(function(started)
      local q <close> = process.spawn(opts)
      started(q)
      q:wait()
      task.sleep(600) -- its streams are there until the cancel
    end)
    fn(p)
    n:cancel()
  end)
  return p
end

-- A test that has a process both ways: fn(background, way).
local function test(name, fn)
  tap.test(name, function()
    for way, background in pairs(ways) do fn(background, way) end
  end)
end

local function with(opts, ...)
  local all = { ... }
  for name, value in pairs(opts) do all[name] = value end
  return all
end

local PIPES <const> = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }

-- Writes what it reads, and backwards to stderr.
local FORTH_AND_BACK <const> = "data=$(cat); printf %s \"$data\"; "
  .. "printf %s \"$data\" | rev | tr -d '\\n' >&2"

-- -- One process --------------------------------------------------------------

test("test_basic: how it ended, and what it looks like", function(background)
  local p = background({ "true" }, function(q) q:wait() end)
  tap.is(p.returncode, 0)
  tap.like(tostring(p), "^process %d+ %(true, exited 0%)$")
  p = background({ "false" }, function(q) q:wait() end)
  tap.is(p.returncode, 1)
  tap.like(tostring(p), "^process %d+ %(false, exited 1%)$")
end)

test("test_auto_update_returncode: it is seen without a wait",
function(background)
  background({ "sleep", "9999" }, function(p)
    tap.is(p.returncode, nil)
    tap.like(tostring(p), "running")
    p:kill()
    tap.eventually(function() return p.returncode end)
    tap.is(p.returncode, -9)
    tap.like(tostring(p), "killed by KILL")
  end)
end)

local function multi_wait(background)
  background({ "sleep", "600" }, function(p)
    task.nursery(function(n)
      for _ = 1, 3 do n:spawn(p.wait, p) end
      task.checkpoint()
      n:cancel()
    end)
    tap.is(p.status, nil, "cancelled waits leave it")
    task.timeout(LONG, task.nursery, function(n)
      for _ = 1, 3 do n:spawn(p.wait, p) end
      task.checkpoint()
      p:kill()
    end)
    tap.is(p.status.signal, "KILL")
  end)
end

test("test_multi_wait: many wait, some are cancelled", multi_wait)

tap.test("test_multi_wait_no_pidfd: the same without pidfds", function()
  local r = children.run([[
    local p = process.spawn { "sleep", "600" }
    task.nursery(function(n)
      for _ = 1, 3 do n:spawn(p.wait, p) end
      task.checkpoint()
      n:cancel()
    end)
    print(p.status)
    task.nursery(function(n)
      for _ = 1, 3 do n:spawn(function() print(p:wait()) end) end
      task.checkpoint()
      p:kill()
    end)
  ]], { env = { LUVISOR_NO_PIDFD = "1" }, timeout = LONG })
  tap.is(r.stdout, "nil\n" .. ("killed by KILL\n"):rep(3))
end)

tap.test("test_async_with_basics_deprecated: the block ends it, and closes its "
  .. "streams", function()
  local p
  do
    local q <close> = process.spawn(with(PIPES, "cat"))
    p = q
  end
  tap.ok(p.status)
  tap.throws(function() p.stdin:write "x" end, "Closed")
  tap.throws(function() p.stdout:read(1) end, "Closed")
  tap.throws(function() p.stderr:read(1) end, "Closed")
end)

tap.test("test_kill_when_context_cancelled: so does the cancel of the block",
function()
  local p
  local done = task.move_on(LONG, task.nursery, function(n)
    local q <close> = process.spawn { "sleep", "600" }
    p = q
    tap.is(q.status, nil)
    n:cancel()
    task.sleep(600)
  end)
  tap.is(done, true, "it was not the limit")
  tap.is(p.status.signal, "TERM")
  tap.like(tostring(p), "killed by TERM")
end)

test("test_signals: each way to send one", function(background)
  for name, send in pairs {
    KILL = function(p) p:kill() end, TERM = function(p) p:terminate() end,
    USR1 = function(p) p:send_signal "USR1" end,
  } do
    local p = background({ "sleep", "3600" }, function(q)
      send(q)
      q:wait(LONG)
    end)
    tap.is(p.status.signal, name)
  end
end)

-- -- Pipes --------------------------------------------------------------------

test("test_pipes: feeding and reading at the same time", function(background)
  local text = "the quick brown fox jumps over the lazy dog"
  local p = background(with(PIPES, "sh", "-c", FORTH_AND_BACK), function(q)
    local function check(reader, expected)
      local seen = {}
      for piece in reader:chunks() do seen[#seen + 1] = piece end
      tap.is(table.concat(seen), expected)
    end
    task.timeout(LONG, task.gather, function()
      q.stdin:write(text)
      q.stdin:close()
    end, function()
      check(q.stdout, text)
    end, function()
      check(q.stderr, text:reverse())
    end)
    q:wait()
  end)
  tap.is(p.returncode, 0)
end)

-- For each number n that it reads: n digits to stdout, twice as many others to
-- stderr.
local ANSWERS <const> = [[
  local lv = require "luvisor"
  local digit = 0
  for line in lv.stream.stdin:lines() do
    local n = tonumber(line)
    lv.stream.stdout:write(tostring(2 * digit):rep(n), "\n")
    lv.stream.stderr:write(tostring(2 * digit + 1):rep(2 * n), "\n")
    digit = digit + 1
  end
]]

test("test_interactive: a talk through three pipes", function(background)
  local function expect(p, digit, n)
    local function drain(reader, count, expected)
      while count > 0 do
        local piece = reader:read(count)
        if piece ~= tostring(expected):rep(#piece) then
          tap.ok(false, piece)
        end
        count = count - #piece
      end
      tap.is(reader:read(1), "\n")
    end
    task.gather(function() drain(p.stdout, n, 2 * digit) end,
      function() drain(p.stderr, 2 * n, 2 * digit + 1) end)
  end
  local argv = with(PIPES, children.LUVISOR, "-e", ANSWERS)
  local p = background(argv, function(q)
    q.stdin:write "12"
    task.sleep(0.01)
    q.stdin:write "345\n"
    expect(q, 0, 12345)
    q.stdin:write "100\n200\n"
    expect(q, 1, 100)
    expect(q, 2, 200)
    q.stdin:write "0\n"
    expect(q, 3, 0)
    q.stdin:write "999999"
    tap.is(task.move_on(0.02, expect, q, 4, 0), false, "no line yet")
    q.stdin:write "\n"
    expect(q, 4, 999999)
    q.stdin:close()
    tap.is(q.stdout:read(1), nil)
    tap.is(q.stderr:read(1), nil)
    q:wait()
  end)
  tap.is(p.returncode, 0)
end)

test("test_stderr_stdout: stderr goes where stdout goes", function(background)
  local opts = with({ stdin = "pipe", stdout = "pipe", stderr = "stdout" },
    "sh", "-c", FORTH_AND_BACK)
  local p = background(opts, function(q)
    tap.is(q.stderr, nil)
    local both = stream.duplex(q.stdout, q.stdin) -- as Trio's stdio
    both:write "1234"
    q.stdin:close()
    tap.is(both:read(), "12344321")
    q:wait()
  end)
  tap.is(p.returncode, 0)

  local r = process.run { "sh", "-c", FORTH_AND_BACK, input = "1234",
                          stderr = "stdout" }
  tap.is(r.stdout, "12344321")
  tap.is(r.stderr, nil)

  p = background({ "cat", stdin = "pipe", stderr = "stdout" }, function(q)
    tap.is_deeply({ q.stdout, q.stderr }, {}, "stdout is not redirected")
    q.stdin:close()
    q:wait()
  end)
  tap.is(p.returncode, 0)

  local reader, writer = stream.pipe()
  opts.stdout = writer
  p = background(opts, function(q)
    writer:close()
    tap.is_deeply({ q.stdout, q.stderr }, {}, "it goes to a pipe of ours")
    q.stdin:write "1234"
    q.stdin:close()
    tap.is(q:wait().code, 0)
    tap.is(reader:read(), "12344321")
  end)
  tap.is(p.returncode, 0)
  reader:close()
end)

-- -- Notices ------------------------------------------------------------------

tap.test("test_waitid_eintr: signals that come meanwhile disturb no wait",
function()
  for _, without in ipairs { "", "1" } do
    local r = children.run([[
      local heard = 0
      local _ <close> = lv.signal.on("ALRM", function() heard = heard + 1 end)
      local p = process.spawn { "sh", "-c",
        "i=0; while [ $i -lt 200 ]; do kill -ALRM $PPID; i=$((i+1)); done; "
          .. "kill -9 $$" }
      print(p:wait(20))
      while heard == 0 do task.sleep(0.001) end
    ]], { env = { LUVISOR_NO_PIDFD = without }, timeout = LONG })
    tap.is(r.stdout, "killed by KILL\n")
  end
end)

tap.test("test_subprocess_pidfd_unnotified: who waits is woken although "
  .. "another task has seen the end first", function()
  local p <close> = process.spawn { "sleep", "9999" }
  local noticed = task.spawn(function() return p:wait().signal end)
  task.checkpoint()
  p:terminate()
  while not children.is_gone(p.pid) do os.execute "true" end -- no checkpoint
  tap.is(p.returncode, p.status and p.status.returncode)
  pcall(p.send_signal, p, 0)
  tap.is(task.timeout(LONG, noticed.join, noticed), "TERM")
end)

tap.done()
