-- etc/luvisor.lua, which `make up` runs: it does what its comments say.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, ok, like = tap.is, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local LUVISOR <const> = os.getenv "LUVISOR"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local CONFIG <const> = SOURCE .. "/etc/luvisor.lua"

local up = ups.start(nil, { path = CONFIG, env = function(dir)
  return { LUVISOR_EXAMPLE = dir }
end })

local function is_ready(one)
  return one.ready
end

tap.test("it has no errors", function()
  local r = process.run { LUVISOR, "check", CONFIG }
  like(r.stdout, "luvisor%.lua: 8 services, no errors\n$")
end)

tap.test("all get ready, in their order", function()
  for _, name in ipairs { "data", "clock", "reader", "web", "flaky",
                          "worker@2", "foreman" } do
    up:until_so(name, is_ready)
  end
  up:luvisor "status"
  is(up:status("data").state, "done")
  local clock = up:status "clock"
  is(clock.facts.pid or clock.facts[1], tostring(clock.pid), "its fact")
  like(up:luvisor("logs data").stdout, "the data are in ")
  tap.eventually(function() return fs.exists(up.dir .. "/data/now") end)
end)

tap.test("what crashes comes back", function()
  local before = up:status "flaky".pid
  up:luvisor "signal KILL flaky"
  up:until_so("flaky", function(one)
    return one.ready and one.pid ~= before
  end)
  up:says("flaky backoff again_in=%S+ reason=\"killed by KILL\"")
end)

tap.test("a crew is started anew together", function()
  local before = up:status "foreman".pid
  up:luvisor "signal KILL worker@1"
  up:until_so("foreman", function(one)
    return one.ready and one.pid ~= before
  end)
end)

tap.test("the job runs when it is told to", function()
  ok(up:status("report").next, "it has a time")
  up:luvisor "run-job report"
  tap.eventually(function()
    return up:luvisor("logs report").stdout:find " now\n"
  end)
end)

tap.test("there may be more workers", function()
  like(up:luvisor("scale worker=3").stdout, "worker@3 is %a+")
  up:until_so("worker@3", is_ready)
end)

tap.test("INT ends it in order", function()
  is(up:stop("INT").code, 0)
  local told = up:err()
  ok(told:find "reader stopped" < told:find "clock stopped", "reader first")
  ok(told:find "clock stopped" < told:find "data stopped", "data last")
  like(told, "has ended\n$")
end)

up:close()
tap.done()
