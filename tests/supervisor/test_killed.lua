-- slow
-- kill -9 of `luvisor up` at any moment of its life leaves nothing. How often:
-- LUVISOR_STORM_KILLS.
local tap = require "luvisor.tap"
local time = require "luvisor.time"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local services = dofile(SUPPORT .. "services.lua")
local ups = dofile(SUPPORT .. "up.lua")

local ROUNDS <const> = tonumber(os.getenv "LUVISOR_STORM_KILLS" or 30)
-- Each line of it shows the mark to those who look for what is left.
local SERVICES <const> = [=[
service "plain" { command = { shell = "sleep MARK & exec sleep MARK" } }
service "deaf" { command = { shell = [[trap '' TERM HUP; sh -c 'trap "" TERM
  while :; do sleep MARK; done' & while :; do sleep MARK; done]] } }
service "session" { command = { shell = "setsid sleep MARK; :" } }
service "double" { command = { shell =
  "(sh -c '(setsid sleep MARK &)' &); exec sleep MARK" } }
service "clean" { command = { shell =
  "sh -c 'env -i setsid sleep MARK & sleep MARK; :' & exec sleep MARK" } }
service "asleep" { command = { shell = "kill -STOP $$; sleep MARK" } }
service "crashing" { command = { shell = "setsid sleep MARK & exit 1" },
  restart = "always", backoff = { initial = 0.01 }, burst = { count = 1000 } }
service "hooked" { command = "sleep MARK",
  hooks = { pre_start = { command = { shell = "sleep 0.02; : MARK" } } },
  health = { command = { shell = "sleep 0.01; : MARK" }, interval = "10ms" } }
for i = 1, 10 do
  service("pool-" .. i) { command = { shell = "setsid sleep MARK & wait" },
    requires = i > 1 and { "pool-" .. i - 1 } or nil }
end
]=]

local seed = os.time()
math.randomseed(seed)

local function round(name, live)
  local mark = services.mark()
  local up <close> = ups.start((SERVICES:gsub("MARK", mark)))
  live(mark)
  up.process:kill()
  up.process:wait()
  tap.eventually(function()
    return #services.alive(mark) == 0 and #up:processes() == 0
  end, 30, name)
end

tap.test(("killed %d times, seed %d"):format(ROUNDS, seed), function()
  local began, takes = time.now(), nil
  round("with services", function(mark)
    tap.eventually(function() return #services.alive(mark) > 15 end, 30)
    takes = time.now() - began
  end)
  for n = 2, ROUNDS do
    round("round " .. n, function() time.sleep(2 * takes * math.random()) end)
  end
end)

tap.done()
