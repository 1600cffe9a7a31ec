-- luvisor start, stop and restart: they wait until it is so, and say why it is
-- not.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local tap = require "luvisor.tap"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

-- Whether what ends at once is seen to end depends on how busy all are.
local function fails(up, line, pattern)
  local r
  tap.eventually(function()
    r = up:command(line)
    return r.code == 1 and r.stderr:find(pattern)
  end, 30, "luvisor " .. line .. " fails")
  return r
end

local up = ups.start [[
  service "db" { command = { shell = "echo db >> order; exec sleep 1000" },
    ready = { command = "test -e go" } }
  service "web" { command = { shell = "echo web >> order; exec sleep 1000" },
    requires = { "db" } }
  service "crash" { command = { shell = "echo bad luck >&2; exit 3" },
    autostart = false, burst = { count = 3, within = 30, retry_after = 300 } }
  service "later" { command = { shell = "echo well; exit 7" },
    autostart = false, restart = "never" }
  service "slow" { command = "sleep 1000", ready = { command = "false" },
    ready_timeout = 1000, autostart = false }
  service "onslow" { command = "sleep 1000", requires = { "slow" },
    autostart = false }
  service "late" { command = "sleep 1000", ready = { command = "false" },
    ready_timeout = 0.2, autostart = false, restart = "never" }
  service "worker" { command = "sleep 1000", instances = 2 }
  service "task" { type = "oneshot", command = { shell = "echo x >> tasks" },
    autostart = false }
]]

tap.test("start waits until it is ready, and says so", function()
  up:says "is controlled"
  local starting = up:follow "start web"
  local _ <close> = starting
  up:until_so("web", function(one)
    return one.reason == "waits for db, which is starting"
  end)
  ok(not starting.status, "it waits")
  fs.write_file(up.dir .. "/go", "")
  like(starting.stdout:readline(), "^web is running %(pid %d+%)$")
  is(starting:wait(30).code, 0)
  is_deeply(up:lines "order", { "db", "web" })
end)

tap.test("stop waits until none is left, and stays", function()
  up:until_so("worker@2", function(one) return one.ready end)
  local r = up:luvisor "stop worker@2 web"
  is(r.stdout, "worker@2 is stopped: killed by TERM; by hand\n"
    .. "web is stopped: killed by TERM; by hand\n")
  is(r.stderr, "")
  is(up:status("worker@2").by_hand, true)
  is(up:status("worker@1").state, "running")
  up:luvisor "start web worker"
  is(up:status("worker@2").by_hand, false)
end)

tap.test("restart gives each another process", function()
  local before = { up:status("db").pid, up:status("web").pid }
  local r = up:luvisor "restart db"
  like(r.stdout, "^db is running %(pid %d+%)\n$")
  local after = { up:status("db").pid,
                  up:until_so("web", function(one) return one.ready end).pid }
  tap.isnt(before[1], after[1], "db")
  tap.isnt(before[2], after[2], "web, which requires it")
  up:luvisor "start task"
  up:luvisor "restart task"
  is(#up:lines "tasks", 2)
end)

tap.test("all of them, also as JSON", function()
  local told = json.decode(up:luvisor("restart worker --json").stdout)
  is(#told.services, 2)
  is(told.services[1].state, "running")
  is_deeply(told.errors, {})
  like(up:luvisor("stop --all").stdout, "web is stopped")
  for _, one in ipairs(up:json({ "status" }).services) do
    is(one.pid, nil, one.name)
  end
  up:luvisor "start db web worker"
end)

tap.test("a start that comes to nothing says why, and the last words",
  function()
    local r = fails(up, "start crash", "^luvisor: crash is failed: exited 3; "
      .. "too many starts")
    is(r.stdout, "")
    like(r.stderr, "\n  bad luck\n")
    -- It has been running, for a moment.
    r = fails(up, "start later", "failed")
    like(r.stderr, "^luvisor: later is failed: exited 7\n  well\n")
    r = up:luvisor("start late", 1)
    like(r.stderr, "^luvisor: late is failed: not ready after 0.2 s")
    up:luvisor "stop crash later late"
  end)

tap.test("some go well, some do not: each is said", function()
  local r = up:luvisor("start web late nope wbe", 4)
  like(r.stdout, "^web is running %(pid %d+%)\n$")
  like(r.stderr, "luvisor: late is failed: not ready after 0.2 s")
  like(r.stderr, 'luvisor: no service "nope"\n')
  like(r.stderr, 'luvisor: no service "wbe", did you mean "web"%?\n')
  local told = json.decode(up:luvisor("start web late --json", 1).stdout)
  is(told.services[1].name, "web")
  is(told.errors[1].name, "late")
  is(told.errors[1].kind, "Failed")
end)

tap.test("--wait gives up, says for whom it waited, and it goes on", function()
  local r = up:luvisor("start onslow --wait 0.2", 1)
  is(r.stderr, "luvisor: start onslow: not done after 0.2 s; it goes on\n"
    .. "  onslow is waiting: waits for slow, which is starting\n")
  is(up:status("slow").state, "starting")
  up:luvisor "stop slow onslow"
end)

tap.test("--no-wait returns at once", function()
  like(up:luvisor("start slow --no-wait").stdout, "^slow is ")
  up:luvisor "stop slow --no-wait"
  up:until_so("slow", function(one) return one.state == "stopped" end)
end)

tap.test("who waits long is told what for", function()
  local p <close> = up:follow "start onslow"
  is(p.stderr:readline(),
    "onslow is waiting: waits for slow, which is starting …")
  p:send_signal "INT"
  is(p:wait(30).code, 130)
  like(p.stderr:read(1 << 16) or "", "^$", "and it ends without a word")
end)

tap.test("^C in a start leaves the supervisor and what has begun alone",
  function()
    is(up:status("slow").state, "starting")
    is(up:status("onslow").state, "waiting")
    is(up:status("web").state, "running")
    up:luvisor "stop onslow slow"
  end)

tap.test("what makes no sense is a wrong command line: exit code 2", function()
  local wrong = {
    start = "which services%? Say their names, or %-%-all",
    ["start web --all"] = "names and %-%-all are not used together",
    ["start web --wait 3 --no-wait"] = "%-%-wait and %-%-no%-wait are not used",
    ["stop web --wait soon"] = "expected seconds or a duration as 10s, got",
    ["stop web --wiat 3"] = "unknown option [^\n]*Did you mean '%-%-wait'",
  }
  for line, pattern in pairs(wrong) do up:refuses(line, 2, pattern) end
end)

tap.test("a supervisor that shuts down starts nothing more", function()
  up:luvisor "shutdown"
  is(up:ended().code, 0)
  up:refuses("start web", 5, "no supervisor is running")
end)

up:close()
tap.done()
