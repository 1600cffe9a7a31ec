-- How many system calls the life of a service costs the supervisor's thread.

local process = require "luvisor.process"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local calls = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/calls.lua")

local at_most = calls.at_most
local DIR <const> = os.getenv "TMPDIR" .. "/up"

local function cost(script)
  local _ <close> = setmetatable({}, { __close = function()
    process.run { "rm", "-rf", DIR }
  end })
  return calls.cost(script)
end

local PRELUDE <const> = ([[
  local DIR = %q
  local function with(spec, fn)
    local sup <close> = require "luvisor.supervisor".new {
      log = { dir = DIR, level = "error" }, services = { one = spec },
    }
    sup:start "one"
    fn(sup:find("one")[1])
  end
]]):format(DIR)

local function restarts(command)
  return PRELUDE .. ([[
    with({
      command = %s, restart = "always", backoff = { initial = 0, jitter = 0 },
      burst = { count = 1 << 20 },
    }, function(one)
      one:wait_until(function() return one.restarts >= n end)
    end) ]]):format(command)
end

-- Without cgroups /proc is read to see what a service has left, which costs as
-- much as there are processes.
local function has_cgroups()
  local sup <close> = supervisor.new { services = {} }
  return sup.descendants._root ~= nil
end

-- How the ends of several things meet in one turn of the loop varies, and a
-- stranger's end is looked for once in a while.
tap.test("a restart", function()
  local each = cost(restarts '{ "true" }')
  at_most(each, { clone3 = 1.1, pipe2 = 1.1, waitid = 2.1, epoll_ctl = 5,
                  mkdir = 1.1, rmdir = 1.1, futex = 0.5 })
  if has_cgroups() then at_most(each, { openat = 3.1, all = 46 }) end
end)

-- A thread is woken when we are about to wait, for all lines since, and when
-- we have not waited for a millisecond, which with strace are some lines; each
-- job is told by one read of libuv's eventfd.
tap.test("lines of luvisor's own log", function()
  local each = cost [[
    local file <close> = io.tmpfile()
    local writer = lv.stream.open(file, "w")
    writer:_gather()
    for i = 1, n do
      for j = 1, 20 do
        writer:_put(("%d %d\n"):format(i, j))
        task.checkpoint()
      end
      writer:drain()
    end ]]
  at_most(each, { read = 6, futex = 12 }) -- it was 17 and 31
end)

-- It is asked by its own handle, and that its cgroup can be removed says that
-- nobody is left.
tap.test("a stop, and a start", function()
  local each = cost(PRELUDE .. [[
    with({ command = "sleep 1000" }, function(one)
      for _ = 1, n do
        one.sup:stop "one"
        one.sup:start "one"
      end
    end) ]])
  at_most(each, { clone3 = 1.1, pidfd_send_signal = 2.1, pidfd_open = 0,
                  waitid = 2.1, epoll_ctl = 5, mkdir = 1.1,
                  rmdir = 1.1 })
  if has_cgroups() then at_most(each, { openat = 4.1, all = 58 }) end
end)

-- The bytes are moved by another thread, in as many jobs as the pipe was empty
-- between.
tap.test("a megabyte that is logged", function()
  at_most(cost(PRELUDE .. [[
    with({
      command = ("dd if=/dev/zero bs=64k count=%d status=none"):format(n * 16),
      type = "oneshot",
    }, function(one)
      one:wait_until(function() return one.state == "done" end)
    end) ]]), { splice = 0, all = 130 })
end)

tap.done()
