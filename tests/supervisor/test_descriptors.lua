-- Without descriptors: services that cannot be started are said to, luvisor can
-- be asked and ends, and whoever cannot be looked for is stopped all the same.

local errors = require "luvisor.error"
local tap = require "luvisor.tap"
local tree = require "luvisor.core.proctree"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local MANY <const> = [[
for i = 1, 40 do
  service("s" .. i) { command = "sleep 1000",
    burst = { count = 10000, within = 1 } }
end
]]

local function count(statuses)
  local n = {}
  for _, one in ipairs(statuses.services) do
    n[one.state] = (n[one.state] or 0) + 1
  end
  return n
end

tap.test("with few descriptors some services run, and luvisor answers",
  function()
    local up <close> = ups.start(MANY, { limits = { nofile = 64 } })
    up:says "luvisor itself; its limit .ulimit %-n. is too low"
    local n
    tap.eventually(function()
      n = count(up:json { "status" })
      return n.running and not n.waiting
    end, 20, "some run")
    tap.ok(n.running < 40, "not all can")
    up:luvisor("stop s1 s2 s3", 0)
    tap.is(up:status "s2".state, "stopped")
    tap.is(up:stop().code, 0)
    tap.ok(not up:err():find "a task failed", "no fault of luvisor")
  end)

-- Each start needs more than what runs keeps: not all can be under way at once.
local FIT <const> = [[
for i = 1, 40 do
  service("s" .. i) { command = "sleep 1000", restart = "never",
    log = { target = "null" } }
end
]]

tap.test("starts wait for each other where descriptors are few", function()
  local up <close> = ups.start(FIT, { limits = { nofile = 160 } })
  tap.eventually(function()
    return count(up:json { "status" }).running == 40
  end, 20, "all run")
  tap.is(up:stop().code, 0)
  tap.ok(not up:err():find "too many open files", "none was refused")
end)

-- Each of these fails so many times before it works.
local function fail_first(name, times)
  local real = tree[name]
  tree[name] = function(...)
    times = times - 1
    if times < 0 then return real(...) end
    errors.raise { kind = "OSError", code = "EMFILE", message = name }
  end
  return setmetatable({}, { __close = function() tree[name] = real end })
end

local looks <const> = { "look", "cgroup_list" }

tap.test("who cannot be looked for is stopped all the same", function()
  services.both_ways(function(how)
    for _, name in ipairs(looks) do
      local config = {
        a = { command = { "sleep", "1000" } },
        b = { command = { "/bin/sh", "-c", "sleep 1000 & exec sleep 1000" } },
      }
      services.with(config, function(sup)
        sup:start "a"
        sup:start "b"
        local _ <close> = fail_first(name, 5)
        sup:stop "a"
        sup:stop "b"
        tap.is(sup:status "a".state, "stopped", how .. ", " .. name)
        tap.is(sup:status "b".state, "stopped")
      end)
    end
  end)
end)

tap.done()
