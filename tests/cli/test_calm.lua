-- Memory is given back when nothing has happened for a moment, and only then.
local calm = require "luvisor.cli.calm"
local events = require "luvisor.supervisor.events"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local ok = tap.ok

local GARBAGE <const> = 4096 -- KiB

local function make_garbage()
  for i = 1, GARBAGE do string.rep("x", 1024, tostring(i)) end
end

local function kept()
  return collectgarbage "count"
end

-- What waits in keep for something to happen.
local function is_asleep()
  return task.dump():find("something to happen", 1, true) ~= nil
end

tap.test("garbage goes when nothing has happened for a moment", function()
  local sup = { events = events.new() }
  collectgarbage()
  collectgarbage "stop" -- nobody else collects
  task.nursery(function(n)
    n:spawn(calm.keep, sup)
    tap.eventually(is_asleep, 30, "it sleeps when nothing happens")
    local before = kept()
    make_garbage()
    ok(kept() > before + GARBAGE, "there is garbage")
    sup.events:emit("state", {})
    ok(kept() > before + GARBAGE, "it stays while something happens")
    tap.eventually(function() return kept() < before + GARBAGE / 2 end, 30,
      "then it goes")
    tap.eventually(is_asleep, 30, "and it sleeps again")
    n:cancel()
  end)
  collectgarbage "restart"
  ok(not next(sup.events._followers), "nobody follows the events any more")
end)

tap.done()
