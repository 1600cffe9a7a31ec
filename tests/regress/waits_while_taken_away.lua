-- A service that was started by hand while an apply took it away was forgotten
-- while it waited: who followed the events heard of no end of that.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function config(services)
  return { services = services, log = { dir = "/nonexistent" },
           state_dir = "/nonexistent" }
end

local slow <const> = { command = "live", hooks = { pre_stop = {
  timeout = 1000, fn = function() task.sleep(0.05) end } } }

fakes.begin(true)

tap.test("what is taken away while it waits is stopped before", function()
  local sup <close> = supervisor.new(config {
    a = slow, b = { command = "live" }, c = { command = "live" },
  })
  sup.log.write = function() end
  sup:start_all()
  for _, name in ipairs { "a", "b", "c" } do sup:wait(name, "running", 20) end
  sup:stop "b"
  local events <close> = sup.events:subscribe()
  local apply = task.spawn(sup.apply, sup, config { c = { command = "live" } })
  sup:wait("a", "stopping", 20)
  sup:start("b", { wait = false })
  apply:join()
  events:close()
  local states = {}
  for event in events do
    if event.service == "b" then
      states[#states + 1] = event.from .. " " .. event.to
    end
  end
  tap.is_deeply(states, { "stopped waiting", "waiting stopped" })
end)

fakes.finish()
task.checkpoint()

tap.done()
