-- Streams that never have to wait: others have their turn, a cancel is felt.
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok = tap.is, tap.ok

local LINES <const> = 1 << 17

-- A counter, which another task counts up at each of its turns, for fn.
local function with_counter(fn)
  local counter = { turns = 0 }
  task.nursery(function(nursery)
    nursery:spawn(function()
      while true do
        counter.turns = counter.turns + 1
        task.checkpoint()
      end
    end)
    fn(counter)
    nursery:cancel()
  end)
end

-- A Writer that takes everything at once.
local function open_null()
  local file <close> = assert(io.open("/dev/null", "w"))
  return stream.open(file, "w")
end

-- A Reader that has so many lines, all in its buffer.
local function full_reader()
  local r, w = stream.pipe()
  w:close()
  r:unread(("\n"):rep(LINES))
  return r
end

tap.test("a task that writes and never has to wait lets others run", function()
  local w <close> = open_null()
  with_counter(function(counter)
    while counter.turns < 3 do w:write("x") end
  end)
  is(w:pending(), 0)
end)

tap.test("a write that cannot be suspended just writes on", function()
  local w <close> = open_null()
  local list = {}
  for i = 1, 3000 do list[i] = i end
  with_counter(function(counter)
    table.sort(list, function(a, b)
      w:write("x")
      return a > b
    end)
    is(counter.turns, 0)
  end)
end)

tap.test("an endless loop of writes ends at its time limit", function()
  local w <close> = open_null()
  tap.throws(function()
    task.timeout(0.01, function() while true do w:write("x") end end)
  end, "Timeout")
end)

tap.test("a task that takes lines from the buffer lets others run", function()
  local r <close> = full_reader()
  local n = 0
  with_counter(function(counter)
    for line in r:lines() do
      n = n + #line + 1
    end
    ok(counter.turns > 0, "the other had a turn")
  end)
  is(n, LINES)
end)

tap.test("so does readline", function()
  local r <close> = full_reader()
  local n = 0
  with_counter(function(counter)
    while r:readline() do n = n + 1 end
    ok(counter.turns > 0, "the other had a turn")
  end)
  is(n, LINES)
end)

tap.test("a cancelled task has lost no line", function()
  local r <close> = full_reader()
  local n = 0
  task.move_on(0, function()
    for _ in r:lines() do n = n + 1 end
  end)
  ok(n < LINES, "it was cancelled")
  is(n + r:buffered(), LINES)
end)

tap.test("a generator around the lines lets others run, too", function()
  local r <close> = full_reader()
  local n = 0
  with_counter(function(counter)
    for _ in coroutine.wrap(function()
      for line in r:lines() do coroutine.yield(line) end
    end) do
      n = n + 1
    end
    ok(counter.turns > 0, "the other had a turn")
  end)
  is(n, LINES)
end)

tap.done()
