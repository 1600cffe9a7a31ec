-- How many system calls an operation costs us: counted, never timed. A bound
-- that is exceeded is a regression that no clock of a busy machine would show.

local tap = require "luvisor.tap"

local calls = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/calls.lua")

local cost, at_most = calls.cost, calls.at_most

tap.test("a process is started and waited for", function()
  at_most(cost "for _ = 1, n do process.spawn { '/bin/true' }:wait() end", {
    clone3 = 1, waitid = 1, close = 2, openat = 1, epoll_ctl = 2, fcntl = 5,
    all = 19,
  })
end)

tap.test("one whose output is captured", function()
  at_most(cost "for _ = 1, n do process.run { '/bin/true' } end", {
    clone3 = 1, pipe2 = 2, readv = 2, waitid = 2, close = 6, epoll_ctl = 12,
    all = 46,
  })
end)

tap.test("a line that is written, and the one that is read", function()
  local each = cost [[
    local p = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
    for _ = 1, n do
      p.stdin:write "x\n"
      p.stdout:readline()
    end
    p.stdin:close()
    p:wait() ]]
  at_most(each, { writev = 1, readv = 1.5, epoll_wait = 1.5, all = 3.5 })
end)

tap.test("a thousand lines that are there", function()
  at_most(cost [[
    local p <close> = process.spawn { "seq", n * 1000, stdout = "pipe" }
    for _ in p.stdout:lines() do end ]], { all = 2 })
end)

tap.test("a chunk that is read takes the memory of the one before", function()
  at_most(cost [[
    local p <close> = process.spawn {
      "cat", stdin = "pipe", stdout = "pipe", pipe_size = 1 << 20,
    }
    task.spawn(function()
      local chunk = ("x"):rep(1 << 18)
      for _ = 1, 10 * n do p.stdin:write(chunk) end
      p.stdin:close()
    end)
    for _ in p.stdout:chunks(1 << 18) do end ]],
    { mmap = 1, munmap = 1, brk = 1 })
end)

tap.test("a megabyte that is captured", function()
  at_most(cost [[
    process.capture { "head", "-c", n << 20, "/dev/zero" } ]], { all = 40 })
end)

-- How often the loop turns meanwhile depends on the time they take.
tap.test("a task, and a switch", function()
  at_most(cost [[
    for _ = 1, n do task.spawn(task.checkpoint):join() end ]], { all = 3.1 })
end)

tap.test("a cancelled sleep", function()
  at_most(cost [[
    for _ = 1, n do
      local t = task.spawn(task.sleep, 60)
      task.checkpoint()
      t:cancel()
      pcall(t.join, t)
    end ]], { all = 3.1 })
end)

tap.done()
