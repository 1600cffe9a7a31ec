-- luvisor up: order, signals, crashes, its exit code.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local LUVISOR <const> = os.getenv "LUVISOR"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

-- A service that writes its comings and goings into the file "order".
local function noting(name, more)
  return ([[
service %q {
  command = { shell = [=[
    trap 'echo stop %s >> order; exit 0' TERM
    echo start %s >> order
    sleep 1000 & wait
  ]=] },
  ready = { command = "grep -q 'start %s' order" }, %s
}
]]):format(name, name, name, name, more or "")
end

tap.test("services start in their order, and TERM stops them in its reverse",
  function()
    for _, sig in ipairs { "TERM", "INT" } do
      local up <close> = ups.start(noting("web", 'requires = { "db" }')
        .. noting("db", 'requires = { "disk" }')
        .. 'service "disk" { type = "oneshot", '
        .. 'command = { shell = "echo start disk >> order" } }')
      up:says "web running"
      is_deeply(up:lines "order", { "start disk", "start db", "start web" })
      local status = up:stop(sig)
      is(status.code, 0)
      is_deeply({ table.unpack(up:lines "order", 4) },
        { "stop web", "stop db" })
      is(up:lines "out"[1], nil, "nothing on standard output")
    end
  end)

tap.test("its first lines say what it runs, and where things are", function()
  local up <close> = ups.start 'service "a" { command = "sleep 1000" }'
  up:says "a running"
  local lines = up:lines "err"
  -- Before it, there may be a word about what an earlier luvisor has left.
  if lines[1]:find "earlier luvisor" then table.remove(lines, 1) end
  like(lines[1], "^%d+%-%d+%-%d+T%S+Z info %- luvisor %S+, pid "
    .. up.process.pid .. ", supervises 1 service config=")
  ok(lines[2]:find("socket=" .. up.dir .. "/state/control.sock", 1, true),
    "the socket")
  ok(lines[3]:find("dir=" .. up.dir .. "/log", 1, true), "the logs")
  up:stop()
end)

tap.test("what crashes comes back, also after kill -9", function()
  local up <close> = ups.start [[
    service "a" { command = { shell = "echo $$ >> pids; exec sleep 1000" } } ]]
  for n = 1, 3 do
    local pid = tap.eventually(function() return up:lines "pids"[n] end)
    process.run { "kill", "-9", pid }
  end
  up:says('warning a backoff [^\n]*reason="killed by KILL"')
  is(up:stop().code, 0)
end)

tap.test("a second TERM kills what does not end", function()
  local up <close> = ups.start [[
    service "a" { command = { shell = "trap '' TERM; echo x > here; "
      .. "while :; do sleep 1000; done" }, stop = { grace = 1000 } } ]]
  tap.eventually(function() return fs.exists(up.dir .. "/here") end)
  up.process:send_signal "TERM"
  up:says "a stopping"
  is(up:stop().code, 143)
  like(up:err(), "kills what is left")
end)

tap.test("HUP applies what was edited, and an error changes nothing",
  function()
    local up <close> = ups.start [[
      service "a" { command = "sleep 1000" }
      service "b" { command = "sleep 1001" } ]]
    up:says "b running"
    up:edit [[
      service "a" { command = "sleep 1000", stop = { grace = 3 } }
      service "c" { command = "sleep 1002" } ]]
    up.process:send_signal "HUP"
    up:says "c running"
    up:says "the configuration was applied"
    up:says "b stopped"
    ok(not up:err():find "a stopp", "a goes on")
    up:edit [[ service "a" { comand = "sleep 1000" } ]]
    up.process:send_signal "HUP"
    up:says "nothing was changed"
    like(up:err(), 'apply: [^\n]*unknown key; did you mean')
    ok(not up:err():find "a stopp", "a goes on")
    is(up:stop().code, 0)
  end)

tap.test("USR1 opens the logs again", function()
  local up <close> = ups.start [[
    service "a" { command = { shell = "while :; do echo x; sleep 0.05; done" } }
  ]]
  tap.eventually(function() return #up:lines "log/a.log" > 0 end)
  fs.rename(up.dir .. "/log/a.log", up.dir .. "/log/a.old")
  up.process:send_signal "USR1"
  tap.eventually(function() return #up:lines "log/a.log" > 0 end)
  up:says "opened the logs again"
  is(up:stop().code, 0)
end)

tap.test("the end of the main service is the end of all, with its code",
  function()
    local expected = {
      ["sleep 0.1; exit 7"] = 7, ["sleep 0.1; exit 0"] = 0,
      ["sleep 0.1; kill -9 $$"] = 137,
    }
    for command, code in pairs(expected) do
      local up <close> = ups.start(([[
        service "other" { command = "sleep 1000" }
        service "app" { command = { shell = %q }, main = true,
          restart = "never", requires = { "other" } } ]]):format(command))
      is(up:ended().code, code, command)
      like(up:err(), "other stopped")
    end
  end)

tap.test("a main service that is started again has not ended", function()
  local up <close> = ups.start [[
    service "app" { main = true, command = { shell =
      "echo x >> starts; test $(wc -l < starts) -lt 3 && exit 1; exit 42" },
      success_codes = { 42 } } ]]
  is(up:ended().code, 42)
  is(#up:lines "starts", 3)
end)

tap.test("an error of the configuration is told, and nothing is started",
  function()
    local up <close> = ups.start [[
      service "a" { command = "sleep 1000" }
      service "b" { comand = "sleep 1000" } ]]
    is(up:ended().code, 1)
    local lines = up:lines "err"
    like(lines[1], 'luvisor.lua:%d+: service "b": comand: unknown key; did you '
      .. 'mean "command"%?$')
    ok(not fs.exists(up.dir .. "/state"), "no folder was made")
  end)

tap.test("a folder that others may write is not taken for its state",
  function()
    local dir = fs.mkdtemp()
    fs.chmod(dir, "777")
    local up <close> = ups.start('service "a" { command = "sleep 1000" }',
      { head = ("luvisor { state_dir = %q, log = { dir = 'log' } }\n")
        :format(dir) })
    is(up:ended().code, 1)
    like(up:err(), "state_dir %S+ may be written by others %(mode 777%)")
    fs.remove(dir)
  end)

tap.test("a folder that cannot be there is said to be its state_dir",
  function()
    local up <close> = ups.start('service "a" { command = "sleep 1000" }',
      { head = "luvisor { state_dir = 'luvisor.lua/x', "
        .. "log = { dir = 'log' } }\n" })
    is(up:ended().code, 1)
    like(up:err(), "^state_dir %S+/luvisor%.lua/x cannot be %l+.*ENOTDIR")
  end)

tap.test("who reads its log may go away", function()
  local dir = fs.mkdtemp()
  fs.write_file(dir .. "/c.lua", [[
    luvisor { state_dir = "state", log = { dir = "log" } }
    service "a" { command = { shell = "echo $$ >> pids; exec sleep 1000" },
      backoff = { initial = 0.02 } } ]])
  local up <close> = process.spawn {
    LUVISOR, "up", "-c", dir .. "/c.lua", cwd = dir, stderr = "pipe",
  }
  while not up.stderr:readline():find "a running" do end
  up.stderr:close()
  local function pid(pattern, name)
    return tap.eventually(function()
      local path = dir .. "/pids"
      return fs.exists(path) and fs.read_file(path):match(pattern)
    end, 20, name)
  end
  process.run { "kill", "-9", pid "(%d+)\n" }
  pid("%d+\n(%d+)\n", "the service comes back")
  up:terminate()
  is(up:wait(20).code, 0)
  fs.remove(dir, { recursive = true })
end)

tap.test("as process 1 it reaps orphans, and TERM ends all", function()
  local probe = process.run { "unshare", "-p", "-f", "--mount-proc", "true",
    check = false }
  if not probe.ok then tap.skip "there are no namespaces for us" end
  local dir = fs.mkdtemp()
  fs.write_file(dir .. "/c.lua", [[
    luvisor { state_dir = "state", log = { dir = "log" } }
    service "a" { command = { shell = [=[
      (setsid sh -c 'sleep 0.05' &)
      echo x > here
      exec sleep 1000 ]=] } } ]])
  local up <close> = process.spawn {
    "unshare", "-p", "-f", "--kill-child", "--mount-proc", LUVISOR, "up", "-c",
    dir .. "/c.lua", cwd = dir, stderr = { file = dir .. "/err" },
  }
  tap.eventually(function() return fs.exists(dir .. "/here") end)
  local first = process.capture { "pgrep", "-P", up.pid }
  tap.eventually(function()
    local states = process.run { "ps", "-o", "stat=", "--ppid", first }
    return not states.stdout:find "Z"
  end, 10, "no zombie is left")
  process.run { "kill", "-TERM", first }
  is(up:wait(20).code, 0)
  like(fs.read_file(dir .. "/err"), "pid 1, ")
  fs.remove(dir, { recursive = true })
end)

tap.done()
