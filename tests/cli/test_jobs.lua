-- luvisor run-job, wait, tree, version and shutdown.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local tap = require "luvisor.tap"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local up = ups.start [[
  service "report" { type = "job", schedule = "every 1h",
    command = { shell = "echo x >> reports" } }
  service "never" { type = "job", command = { shell = "echo y; exit 5" } }
  service "db" { command = "sleep 1000", ready = { command = "test -e go" } }
  service "web" { command = { shell = "sleep 1001 & wait" },
    requires = { "db" } }
  service "data" { type = "oneshot", command = "true" }
  service "worker" { command = "sleep 1000", instances = 2, group = "crew" }
  service "last" { command = { shell = "trap 'echo last >> ends; exit' TERM; "
    .. "while :; do sleep 0.02; done" }, after = { "worker" } }
]]

tap.test("a job runs when it is told to, and waits again", function()
  up:until_so("report", function(one) return one.state == "waiting" end)
  is(#up:lines "reports", 0)
  like(up:luvisor("run-job report").stdout, "^report is %a+")
  tap.eventually(function() return #up:lines "reports" == 1 end)
  up:luvisor "wait report waiting --timeout 30"
  ok(up:status("report").next, "its schedule goes on")
  local told = json.decode(up:luvisor("run-job report --json").stdout)
  is(told.services[1].name, "report")
  tap.eventually(function() return #up:lines "reports" == 2 end)
end)

tap.test("a job that fails says so, and waits again", function()
  up:luvisor "run-job never"
  up:until_so("never", function(one)
    return one.state == "waiting" and one.code == 5
  end)
  like(up:luvisor("status never").stdout, "never +waiting +%- .*exited 5")
end)

tap.test("what is no job is said", function()
  up:refuses("run-job db", 1, "db is no job but a daemon: use start\n$")
  up:refuses("run-job reprot", 4, 'no service "reprot", did you mean "report"')
  up:refuses("run-job", 2, "missing argument 'name'")
end)

tap.test("wait holds until it is so", function()
  local waiting <close> = up:follow "wait web running"
  up:refuses("wait db ready --timeout 0.1", 1, "db ready: not so after 0.1 s\n"
    .. "  db is starting %(pid %d+%): not ready yet")
  ok(not waiting.status, "it waits")
  fs.write_file(up.dir .. "/go", "")
  like(waiting.stdout:readline(), "^web is running %(pid %d+%)$")
  is(waiting:wait(30).code, 0)
  up:luvisor "wait data ready"
  like(up:luvisor("wait data done").stdout, "^data is done: exited 0\n$")
  local told = json.decode(up:luvisor("wait worker ready --json").stdout)
  is(#told.services, 2, "all instances")
end)

tap.test("what cannot be waited for is said", function()
  up:refuses("wait wbe ready", 4, 'no service "wbe", did you mean "web"')
  up:refuses("wait web runing", 2, "state: expected one of ready, .*; "
    .. "got 'runing', did you mean 'running'%?")
  up:refuses("wait web", 2, "missing argument 'state'")
  up:refuses("wait web ready --timeout x", 2, "expected seconds or a duration")
end)

tap.test("^C in a wait leaves the supervisor alone", function()
  local waiting <close> = up:follow "wait web failed"
  waiting:send_signal "INT"
  local status = waiting:wait(30)
  ok(status.code == 130 or status.signal == "INT", tostring(status))
  is(up:status("web").state, "running")
end)

tap.test("tree shows who requires whom, and all processes of each", function()
  local pid = up:status("web").pid
  local function shown(env)
    env.LUVISOR_CONFIG = up.path
    return up:luvisor("tree", 0, { env = env }).stdout
  end
  local text = shown { LC_ALL = "C.UTF-8" }
  like(text, "\nweb  running %(requires db%)\n└─ " .. pid .. " sh\n"
    .. "   └─ %d+ sleep\n")
  like(text, "\nworker@2  running %(group crew%)\n└─ %d+ sleep\n")
  like(shown { LC_ALL = "C" }, "\nweb [^\n]*\n`%- " .. pid .. " sh\n   `%- ")
  local services = json.decode(up:luvisor("tree --json").stdout).services
  for _, one in ipairs(services) do
    if one.service == "web" then
      is_deeply(one.requires, { "db" })
      is(#one.instances[1].processes, 2)
      is(one.instances[1].processes[1].pid, pid)
      is(one.instances[1].processes[1].main, true)
    end
  end
end)

tap.test("version needs no supervisor", function()
  like(up:luvisor("version").stdout, "^luvisor %d+%.%d+%.%d+ %(Lua 5%.4%)\n$")
  local told = json.decode(up:luvisor("version --json").stdout)
  like(told.version, "^%d+%.%d+%.%d+$")
  is(told.lua, "Lua 5.4")
  is(up:luvisor("--version").stdout, up:luvisor("-v").stdout)
end)

tap.test("check --show as JSON is what takes effect", function()
  local told = json.decode(up:luvisor("check --show --json").stdout)
  is(told.path, up.path)
  is(told.services.worker.instances, 2)
  is(told.services.db.restart, "on-failure")
end)

tap.test("shutdown returns when all has ended", function()
  local r = up:luvisor "shutdown"
  is(r.stdout .. r.stderr, "")
  is_deeply(up:lines "ends", { "last" })
  is(#up:processes(), 0, "nothing is left")
  is(up:ended().code, 0)
  up:refuses("shutdown", 5, "no supervisor is running")
end)

tap.test("shutdown --no-wait and --wait", function()
  local again <close> = ups.start [[
    service "stubborn" { command = { shell =
      "trap '' TERM; echo x > here; while :; do sleep 1000; done" },
      stop = { grace = 1000 } } ]]
  tap.eventually(function() return fs.exists(again.dir .. "/here") end)
  again:says "stubborn running"
  again:refuses("shutdown --wait 0.2", 1, "shutdown: not done after 0.2 s; it "
    .. "goes on\n$")
  is(json.decode(again:luvisor("shutdown --no-wait --json").stdout).ok, true)
  again:says "stubborn stopping"
  again.process:send_signal "TERM"
  again:says "stops all services"
  is(again:stop().code, 143, "the second TERM kills")
end)

up:close()
tap.done()
