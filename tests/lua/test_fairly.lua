-- Functions that compute for long: others have their turn, a cancel is felt.
local core = require "luvisor.core.task"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok = tap.is, tap.ok

tap.test("it returns the function's values and raises its error", function()
  tap.is_deeply({ core.fairly(function(...) return ... end, 1, nil, 3) },
    { 1, nil, 3 })
  tap.throws(function() core.fairly(error, "mine", 0) end, "mine")
end)

tap.test("other tasks run while it computes", function()
  local turns = 0
  task.spawn(function()
    for _ = 1, 5 do
      turns = turns + 1
      task.checkpoint()
    end
  end)
  core.fairly(function()
    while turns < 5 do end
  end)
  is(turns, 5)
end)

tap.test("an endless loop ends at its time limit", function()
  tap.throws(function()
    task.timeout(0.01, core.fairly, function() while true do end end)
  end, "Timeout")
end)

tap.test("pcall in the loop does not help it", function()
  tap.throws(function()
    task.timeout(0.01, core.fairly, function()
      while true do pcall(function() for _ = 1, 100000 do end end) end
    end)
  end, "Timeout")
end)

tap.test("a generator inside yields to its caller only", function()
  local sum = core.fairly(function()
    local total = 0
    for n in coroutine.wrap(function()
      for i = 1, 100 do
        for _ = 1, 5000 do end
        coroutine.yield(i)
      end
    end) do total = total + n end
    return total
  end)
  is(sum, 5050)
end)

tap.test("an endless loop in a generator is interrupted as well", function()
  local turns = 0
  task.spawn(function()
    for _ = 1, 5 do
      turns = turns + 1
      task.checkpoint()
    end
  end)
  tap.throws(function()
    task.timeout(0.01, core.fairly, function()
      for _ in coroutine.wrap(function() while true do end end) do end
    end)
  end, "Timeout")
  is(turns, 5)
end)

tap.test("where it cannot be interrupted it fails", function()
  tap.throws(function()
    core.fairly(table.sort, { 3, 2, 1 }, function() while true do end end)
  end, "nothing can interrupt")
  is(core.fairly(function()
    return (("a b"):gsub("%a", function(c) return c:upper() end))
  end), "A B")
end)

tap.test("afterwards the task is as before", function()
  core.fairly(function() end)
  is(debug.gethook(), nil)
  pcall(core.fairly, error)
  is(debug.gethook(), nil)
  ok(true)
end)

tap.done()
