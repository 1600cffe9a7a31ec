-- luvisor plan, apply and scale: the least change, and none at all if the
-- configuration has an error.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local tap = require "luvisor.tap"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local OLD <const> = [[
  service "same" { command = "sleep 1000" }
  service "policy" { command = "sleep 1000", restart = "never" }
  service "other" { command = "sleep 1000" }
  service "gone" { command = "sleep 1000" }
  service "hand" { command = "sleep 1000" }
  service "worker" { command = "sleep 1000", instances = 2 }
]]

local NEW <const> = [[
  service "same" { command = "sleep 1000" }
  service "policy" { command = "sleep 1000", restart = "always",
    backoff = { initial = 0.01 } }
  service "other" { command = "sleep 1001" }
  service "hand" { command = "sleep 1001" }
  service "worker" { command = "sleep 1000", instances = 4 }
  service "new" { command = "sleep 1000" }
  service "later" { command = "sleep 1000", autostart = false }
]]

local STEPS <const> = [[
stop gone
update policy (backoff, restart)
restart other (command)
update hand (command), which stays stopped
scale worker from 2 to 4
start new
add later (autostart = false)
]]

local up = ups.start(OLD)

local function pids()
  local map = {}
  for _, one in ipairs(up:json({ "status" }).services) do
    map[one.name] = one.pid or false
  end
  return map
end

tap.test("without a change there is nothing to do", function()
  up:until_so("worker@2", function(one) return one.ready end)
  is(up:luvisor("plan").stdout, "nothing would change\n")
  is(up:luvisor("apply").stdout, "nothing has changed\n")
  is(up:luvisor("plan --json").stdout, '{"steps":[]}\n')
  is(up:luvisor("apply --json").stdout, '{"steps":[]}\n')
end)

tap.test("plan says what apply would do, and does nothing", function()
  up:luvisor "stop hand"
  local before = pids()
  up:edit(NEW)
  is(up:luvisor("plan").stdout, STEPS)
  local steps = json.decode(up:luvisor("plan --json").stdout).steps
  is_deeply(steps[1], { action = "stop", service = "gone" })
  is_deeply(steps[2], { action = "update", service = "policy",
                        keys = { "backoff", "restart" } })
  is_deeply(pids(), before, "all are as they were")
end)

tap.test("an error: all are said, nothing changes, exit code 1", function()
  local before = pids()
  up:edit(NEW .. [[
    service "bad" { comand = "true" }
    service "worse" { command = "true", requires = { "nwe" } }
  ]])
  for _, line in ipairs { "plan", "apply" } do
    local r = up:luvisor(line, 1)
    is(r.stdout, "")
    like(r.stderr, '/luvisor%.lua:%d+: service "bad": comand: unknown key; '
      .. 'did you mean "command"%?\n')
    like(r.stderr, '/luvisor%.lua:%d+: service "worse": requires: no service '
      .. '"nwe"; did you mean "new"%?\n')
  end
  local told = json.decode(up:luvisor("apply --json", 1).stdout)
  is(told.error.kind, "ConfigError")
  is(told.error.errors[1].service, "bad")
  is(math.type(told.error.errors[1].line), "integer")
  is_deeply(pids(), before, "all are as they were")
end)

tap.test("a file that is not Lua at the moment changes nothing", function()
  local before = pids()
  up:edit(NEW .. 'service "unfinished" {\n')
  like(up:luvisor("apply", 1).stderr, "/luvisor%.lua:%d+: unexpected symbol")
  is_deeply(pids(), before, "all are as they were")
end)

tap.test("apply shows its steps, and takes the least", function()
  local before = pids()
  up:edit(NEW)
  is(up:luvisor("apply").stdout, STEPS)
  up:until_so("new", function(one) return one.ready end)
  up:until_so("other", function(one) return one.ready end)
  local after = pids()
  is(after.same, before.same, "what has not changed goes on")
  is(after.policy, before.policy, "so does what has another policy")
  is(after["worker@1"], before["worker@1"], "and the instances there were")
  ok(after["worker@4"], "there are more")
  ok(after.other and after.other ~= before.other, "another command: restarted")
  is(after.gone, nil, "what is not there any more was stopped")
  is(after.hand, false, "what was stopped by hand stays so")
  up:refuses("status gone", 4, 'no service "gone"')
  is(up:luvisor("plan").stdout, "nothing would change\n")
end)

tap.test("the new policy holds for what runs already", function()
  local before = up:status "policy".pid
  up:luvisor "signal KILL policy"
  up:until_so("policy", function(one)
    return one.ready and one.pid ~= before
  end)
end)

tap.test("what is stopped by hand starts with its new command", function()
  up:luvisor "start hand"
  local pid = up:status "hand".pid
  is(fs.read_file(("/proc/%d/cmdline"):format(pid)), "sleep\0001001\0")
end)

tap.test("scale adds and takes away, from the highest number on", function()
  local before = pids()
  local r = up:luvisor "scale worker=1"
  is(r.stdout, ("worker@1 is running (pid %d)\n"):format(before["worker@1"]))
  is(pids()["worker@2"], nil)
  up:luvisor "scale worker=3"
  up:until_so("worker@3", function(one) return one.ready end)
  is(#json.decode(up:luvisor("scale worker=2 --json").stdout).services, 2)
  is(up:luvisor("apply").stdout, "nothing has changed\n")
  ok(pids()["worker@2"], "it holds until the number in the file changes")
end)

tap.test("what cannot be scaled is said", function()
  up:refuses("scale same=2", 1, "same has no instances: give it `instances =")
  up:refuses("scale wroker=2", 4, 'no service "wroker", did you mean "worker"')
  up:refuses("scale worker", 2, "expected NAME=NUMBER as worker=3, got 'work")
  up:refuses("scale worker=-1", 2, "expected NAME=NUMBER")
end)

tap.test("HUP does the same", function()
  up:edit(NEW .. 'service "hup" { command = "sleep 1000" }')
  up.process:send_signal "HUP"
  up:until_so("hup", function(one) return one.ready end)
end)

up:stop()
up:close()
tap.done()
