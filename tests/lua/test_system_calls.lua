-- How many system calls an operation costs us: counted, never timed. A bound
-- that is exceeded is a regression that no clock of a busy machine would show.

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local children = dofile(os.getenv "LUVISOR_SOURCE"
  .. "/tests/support/children.lua")

local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, task, n = lv.process, lv.task, tonumber(arg[1])
]]

-- The calls of our thread in a run of a script with this n, by name; those of
-- the children are not ours.
local function count(script, n)
  local log = os.getenv "TMPDIR" .. "/calls"
  process.run { "strace", "-c", "-qq", "-o", log, children.LUVISOR, "-e",
    PRELUDE .. script, tostring(n), stdout = "null" }
  local calls = { all = 0 }
  for line in fs.read_file(log):gmatch "[^\n]+" do
    local number, name = line:match "^ *%d+%.%d+ +%d+%.%d+ +%d+ +(%d+).- (%S+)$"
    if number and name ~= "total" then
      calls[name] = tonumber(number)
      calls.all = calls.all + number
    end
  end
  fs.remove(log)
  return calls
end

local FEW <const>, MANY <const> = 50, 150

-- What one of n costs: the start of the program is in both runs.
local function cost(script)
  children.need_trace()
  local few, many = count(script, FEW), count(script, MANY)
  return setmetatable({}, { __index = function(_, name)
    return ((many[name] or 0) - (few[name] or 0)) / (MANY - FEW)
  end })
end

local function at_most(each, bounds)
  for name, bound in pairs(bounds) do
    tap.ok(each[name] <= bound,
      ("%s: %.2f of at most %g"):format(name, each[name], bound))
  end
end

tap.test("a process is started and waited for", function()
  at_most(cost "for _ = 1, n do process.spawn { '/bin/true' }:wait() end", {
    clone3 = 1, waitid = 1, close = 2, openat = 1, epoll_ctl = 6, fcntl = 7,
    all = 25,
  })
end)

tap.test("one whose output is captured", function()
  at_most(cost "for _ = 1, n do process.run { '/bin/true' } end", {
    clone3 = 1, pipe2 = 2, readv = 2, waitid = 2, close = 6, epoll_ctl = 18,
    all = 54,
  })
end)

tap.test("a line that is written, and the one that is read", function()
  local each = cost [[
    local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
    for _ = 1, n do
      p.stdin:write "x\n"
      p.stdout:readline()
    end ]]
  at_most(each, { writev = 1, readv = 2, epoll_wait = 1.5, all = 4 })
end)

tap.test("a thousand lines that are there", function()
  at_most(cost [[
    local p <close> = process.spawn { "seq", n * 1000, stdout = "pipe" }
    for _ in p.stdout:lines() do end ]], { all = 2 })
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
