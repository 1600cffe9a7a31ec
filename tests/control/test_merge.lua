-- Several sources as one iterator, and how they end.
local merge = require "luvisor.control.merge"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is = tap.is

local function all(items)
  local list = {}
  for item in items do list[#list + 1] = item end
  return table.concat(list, " ")
end

tap.test("what they put comes in its order, and then the end", function()
  local items <close> = merge.new {
    function(put) for i = 1, 3 do put("a" .. i) end end,
    function(put) for i = 1, 2 do put("b" .. i) end end,
  }
  is(all(items), "a1 a2 a3 b1 b2")
end)

tap.test("a source that fails ends them all, and its error is told", function()
  local items <close> = merge.new {
    function(put)
      put "last"
      error("broken", 0)
    end,
    function() task.sleep(3600) end,
  }
  is(items(), "last")
  local told, err = pcall(items)
  is(told, false)
  is(err, "broken")
end)

tap.test("who closes it ends a source that waits for its reader", function()
  local ended = sync.event()
  local items = merge.new { function(put)
    local _ <close> = setmetatable({}, { __close = function()
      ended:set()
    end })
    for i = 1, 1000 do put(i) end
  end }
  is(items(), 1)
  getmetatable(items).__close(items)
  ended:wait()
end)

tap.test("what a source has when it is closed upon is no error", function()
  local news = sync.event()
  local items = merge.new { function(put)
    put "first"
    news:wait()
    put "too late"
  end }
  is(items(), "first")
  news:set()
  getmetatable(items).__close(items)
  task.sleep(0)
  is(items(), nil)
end)

tap.done()
