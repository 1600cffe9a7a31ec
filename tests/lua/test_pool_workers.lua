-- Several workers, several calls: who serves whom, and in which order.
-- luacheck: globals busy

local pool = require "luvisor.pool"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local pools = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/pools.lua")

local TMP <const> = pools.TMP

-- For workers.

local function echo(...)
  return ...
end

local function pid()
  local file <close> = io.open "/proc/self/stat"
  return math.tointeger(file:read "n")
end

tap.test("map keeps the order of its list", function()
  local p <close> = pool.new { workers = 3 }
  local list, expected = {}, {}
  for i = 1, 60 do list[i], expected[i] = i, i * i end
  tap.is_deeply(p:map(function(x) return x * x, "more" end, list), expected)
  tap.is_deeply(p:map(echo, {}), {})
  tap.is_deeply(p:map(echo, { false, 1 }), { false, 1 })
end)

tap.test("map raises the first error and stops the rest", function()
  local p <close> = pool.new { workers = 2 }
  local function picky(x)
    if x == 3 then error "three" end
    if x > 3 then require("luvisor.task").sleep(600) end
  end
  tap.throws(function() p:map(picky, { 1, 2, 3, 4, 5, 6 }) end, "three")
  tap.throws(function() p:map(echo, { 1, { 2, { x = print } } }) end,
    'pool:map: element 2, element 2, field "x" is a function')
end)

tap.test("a thousand calls over four workers get their own answers", function()
  local p <close> = pool.new { workers = 4 }
  local right, pids = 0, {}
  task.nursery(function(n)
    for i = 1, 1000 do
      n:spawn(function()
        local j, there = p:call(function(x)
          local f <close> = io.open "/proc/self/stat"
          return x, f:read "n"
        end, i)
        if i == j then right = right + 1 end
        pids[there] = true
      end)
    end
  end)
  tap.is(right, 1000)
  local count = 0
  for _ in pairs(pids) do count = count + 1 end
  tap.is(count, 4)
end)

tap.test("calls are served in the order of their coming", function()
  local p <close> = pool.new { workers = 1 }
  local order = {}
  task.nursery(function(n)
    for i = 1, 50 do
      n:spawn(function()
        p:call(echo)
        order[#order + 1] = i
      end)
    end
  end)
  for i = 1, 50 do
    if order[i] ~= i then tap.is(order[i], i) end
  end
  tap.is(#order, 50)
end)

tap.test("a worker serves one call at a time", function()
  local p <close> = pool.new { workers = 2 }
  local function enter()
    busy = (busy or 0) + 1
    local most = busy
    require("luvisor.task").sleep(0.001)
    busy = busy - 1
    return most
  end
  local list = {}
  for i = 1, 30 do list[i] = i end
  for _, most in ipairs(p:map(enter, list)) do
    if most ~= 1 then tap.is(most, 1) end
  end
  tap.like(tostring(p), "^pool %(2 of 2 workers, 0 busy, 0 calls waiting%)")
end)

tap.test("workers are started as they are needed", function()
  local p <close> = pool.new { workers = 8 }
  tap.like(tostring(p), "^pool %(0 of 8")
  for _ = 1, 5 do p:call(echo) end
  tap.like(tostring(p), "^pool %(1 of 8")
  local gate = sync.barrier(4)
  task.nursery(function(n)
    for _ = 1, 3 do
      n:spawn(function()
        gate:wait()
        p:call(function() require("luvisor.task").sleep(0.05) end)
      end)
    end
    gate:wait()
  end)
  tap.like(tostring(p), "^pool %(3 of 8")
end)

tap.test("by default there are as many as processors", function()
  local p <close> = pool.new()
  tap.is(p.workers, require("luvisor.core.os").processors())
end)

tap.test("recycle replaces a worker after so many calls", function()
  local p <close> = pool.new { workers = 1, recycle = 3 }
  local pids = {}
  for i = 1, 9 do pids[i] = p:call(pid) end
  for i = 1, 9 do
    tap.is(pids[i] == pids[i - 1], (i - 1) % 3 ~= 0, "call " .. i)
  end
end)

tap.test("a worker that is replaced cleans up first", function()
  local p <close> = pool.new { workers = 1, recycle = 1 }
  local path = TMP .. "/cleaned"
  p:call(function(name)
    require("luvisor.task").at_exit(function() io.open(name, "w"):close() end)
  end, path)
  tap.eventually(function() return os.remove(path) end, "it has")
end)

tap.done()
