-- Many services that crash at once: everybody else has a turn between a few of
-- their starts, for we stand still for each.
local signal = require "luvisor.signal"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local MANY <const>, AT_ONCE <const> = 40, 4

local function services()
  local specs = {}
  for i = 1, MANY do
    specs["s" .. i] = { command = "sleep 600", log = { target = "null" },
                        restart = "always",
                        backoff = { initial = 0, jitter = 0 } }
  end
  return specs
end

local function runs(inst)
  return inst.state == "running"
end

-- The pids of all, once they run.
local function running(sup)
  local pids = {}
  for i, inst in ipairs(sup:all_instances()) do
    inst:wait_until(runs)
    pids[i] = inst.pid
  end
  return pids
end

tap.test("of many starts a few are made in one turn of the loop", function()
  local sup <close> = supervisor.new { log = { level = "error" },
                                       services = services() }
  sup:start_all()
  local pids = running(sup)
  local started, in_turn, most = 0, 0, 0
  local _ <close> = sup.events:subscribe(function(event)
    if event.to == "running" then
      started, in_turn = started + 1, in_turn + 1
      most = math.max(most, in_turn)
    end
    return false
  end)
  local ticker = task.spawn(function()
    while true do
      in_turn = 0
      task.checkpoint()
    end
  end)
  for _, pid in ipairs(pids) do signal.send(pid, "KILL") end
  tap.eventually(function() return started == MANY end, 30, "all run again")
  ticker:cancel()
  tap.ok(most <= AT_ONCE, most .. " in one turn")
end)

tap.done()
