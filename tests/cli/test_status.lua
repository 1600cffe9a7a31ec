-- luvisor status: what it shows, its exit codes, which supervisor is meant.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local net = require "luvisor.net"
local remote = require "luvisor.cli.remote"
local tap = require "luvisor.tap"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local up = ups.start [[
  service "data" { type = "oneshot", command = "true" }
  service "web" { command = "sleep 1000", requires = { "data" },
    ready = { log = "." }, autostart = false }
  service "db" { command = { shell = "echo one; echo two; exec sleep 1000" } }
  service "idle" { command = "sleep 1000", autostart = false }
  service "over" { command = "true", restart = "on-failure" }
  service "nightly" { type = "job", schedule = "every 1h", command = "true" }
  service "broken" { command = { shell = "echo bad luck; exit 3" },
    autostart = false, restart = "never" }
  service "worker" { command = "sleep 1000", instances = 2 }
]]

-- The cells of a table, by the first of each row. Two blanks part them.
local function cells_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    local row = {}
    for cell in (line .. "  "):gmatch "(%S.-)%s%s+" do row[#row + 1] = cell end
    rows[row[1]] = row
  end
  return rows
end

tap.test("it shows all, in the order of the file; all is well", function()
  up:until_so("over", function(one) return one.state == "stopped" end)
  up:until_so("worker@2", function(one) return one.ready end)
  local r = up:luvisor "status"
  local names = {}
  for name in r.stdout:gmatch "([^\n ]+)[^\n]*\n" do
    names[#names + 1] = name
  end
  is_deeply(names, { "NAME", "data", "web", "db", "idle", "over", "nightly",
                     "broken", "worker@1", "worker@2" })
  local rows = cells_of(r.stdout)
  is_deeply(rows.NAME, { "NAME", "STATE", "PID", "SINCE", "FOR", "RESTARTS",
                         "WHY" })
  is(rows.data[2], "done")
  is(rows.db[2], "running")
  is(rows.db[3], tostring(up:status("db").pid))
  is(rows.idle[7], "not started yet")
  is(rows.over[7], "exited 0")
  like(rows.nightly[7], "^next in ")
end)

tap.test("what has failed is not well: exit code 3, and its last words",
  function()
    up:luvisor("start broken --no-wait")
    up:until_so("broken", function(one) return one.state == "failed" end)
    local r = up:luvisor("status broken", 3)
    like(r.stdout, "\nbroken +failed [^\n]*exited 3")
    like(r.stdout, "\n\nbroken, the last lines of its log:\n  bad luck\n$")
    ok(not up:luvisor("status", 3).stdout:find "bad luck", "not of all")
    up:luvisor "status db data"
    up:luvisor("status db broken", 3)
    up:luvisor "stop broken"
    up:luvisor "status broken"
  end)

tap.test("-n shows the last lines of each log", function()
  local text = up:luvisor("status -n 1 db").stdout
  like(text, "\n\ndb, the last lines of its log:\n  two\n$")
  is(json.decode(up:luvisor("status -n 2 db --json").stdout).services[1].log[2],
    "two")
end)

tap.test("JSON has the same names for all", function()
  local list = up:json({ "status" }).services
  is(#list, 9)
  local always = { by_hand = "boolean", facts = "table", name = "string",
                   ready = "boolean", restarts = "number", service = "string",
                   since = "number", state = "string", type = "string",
                   wanted = "string", well = "boolean" }
  for _, one in ipairs(list) do
    for name, kind in pairs(always) do
      is(type(one[name]), kind, one.name .. "." .. name)
    end
  end
  is(up:status("worker@2").service, "worker")
  is(up:status("db").state, "running")
  is(math.type(up:status("db").pid), "integer")
  is_deeply(json.decode(up:luvisor("tree --json").stdout).services[2].requires,
    { "data" })
  like(up:luvisor("tree --json").stdout, '"requires":%[%]', "a list is a list")
end)

tap.test("a name that is not there: exit code 4, and the near name", function()
  up:refuses("status wbe", 4, 'no service "wbe", did you mean "web"%?\n$')
  local r = up:luvisor("status wbe --json", 4)
  is(json.decode(r.stdout).error.kind, "NotFound")
end)

tap.test("the supervisor is found by -c, the environment, or its socket",
  function()
    local none = { env = { LUVISOR_CONFIG = false } }
    for _, line in ipairs {
      "status db -c luvisor.lua", "status --config=luvisor.lua db",
      "-c luvisor.lua status db", "status db --socket state/control.sock",
      "--socket state/control.sock status db",
    } do
      like(up:luvisor(line, 0, none).stdout, "\ndb +running ")
    end
  end)

tap.test("without a supervisor: one sentence, exit code 5", function()
  fs.write_file(up.dir .. "/other.lua",
    'luvisor { state_dir = "none" } service "a" { command = "true" }')
  local where = up.dir .. "/none/control.sock"
  for _, line in ipairs { "status", "start a", "stop --all", "logs a", "events",
    "plan", "apply", "tree", "shutdown", "scale a=2", "run-job a",
    "wait a ready", "signal HUP a" } do
    local r = up:refuses(line .. " -c other.lua", 5, "no supervisor is ")
    is(r.stderr, ("luvisor: no supervisor is running: there is no socket %s "
      .. "(for %s/other.lua)\n"):format(where, up.dir))
  end
  up:refuses("status --socket none.sock", 5, "no supervisor is running: there "
    .. "is no socket none%.sock\n$")
  fs.remove(up.dir .. "/other.lua")
end)

tap.test("a supervisor that does not answer is not waited for for ever",
  function()
    local path = up.dir .. "/deaf.sock"
    local _ <close> = net.listen { path = path }
    local limit = remote.limit
    remote.limit = 0.1
    local r = remote.open { socket = path }
    for _, method in ipairs { "list", "tree", "plan" } do
      local _, err = tap.throws(function() r[method](r) end,
        "^the supervisor at %S+ does not answer$")
      is(err.exit_code, 5)
    end
    remote.limit = limit
  end)

tap.test("a file that cannot be read does not lead to another supervisor",
  function()
    up:refuses("stop --all -c nope.lua", 5, "it is not known where the "
      .. "supervisor is %(%-%-socket PATH says it%): %S+/nope%.lua: there is "
      .. "no such file\n$")
    fs.write_file(up.dir .. "/bad.lua", 'service "a" {')
    up:refuses("status -c bad.lua", 5, "it is not known [^\n]*bad%.lua:1: ")
    fs.remove(up.dir .. "/bad.lua")
  end)

tap.test("without a configuration that is said; an empty variable is none",
  function()
    local env = { LUVISOR_CONFIG = "", HOME = up.dir .. "/home",
                  XDG_CONFIG_HOME = "", XDG_RUNTIME_DIR = up.dir }
    if require "luvisor.core.os".geteuid() == 0 then
      if fs.exists "/etc/luvisor/luvisor.lua" or fs.exists "/run/luvisor" then
        tap.skip "this machine has a luvisor"
      end
    end
    up:refuses("status", 5, "no supervisor is running, and there is no "
      .. "configuration /[^\n]*/luvisor%.lua: say which one by %-c FILE or "
      .. "$LUVISOR_CONFIG\n$", { env = env })
  end)

tap.test("a file that is being edited does not hide its supervisor", function()
  local text = fs.read_file(up.path)
  fs.write_file(up.path, text .. '\nservice "new" {\n')
  up:luvisor "status db"
  fs.write_file(up.path, text)
end)

-- On a terminal of so many columns, line by line.
local function shown(line, cols, env)
  env = env or {}
  env.LUVISOR_CONFIG, env.TERM = up.path, env.TERM or "xterm"
  env.LC_ALL = env.LC_ALL or "C.UTF-8"
  local text = up:luvisor(line, 0, { env = env,
    pty = { rows = 24, cols = cols } }).stdout:gsub("\r", "")
  local lines = {}
  for one in text:gmatch "[^\n]+" do lines[#lines + 1] = one end
  return lines, text
end

tap.test("colours are for terminals", function()
  local _, text = shown("status db", 80)
  like(text, "\27%[32mrunning\27%[0m  ")
  for _, env in ipairs { { NO_COLOR = "1" }, { TERM = "dumb" } } do
    local _, plain = shown("status db", 80, env)
    ok(not plain:find "\27", "none")
  end
  ok(not up:luvisor("status db").stdout:find "\27", "none in a pipe")
end)

tap.test("a narrow terminal gets what fits it", function()
  for _, cols in ipairs { 120, 79, 60, 40, 24 } do
    local lines, text = shown("status", cols, { NO_COLOR = "1" })
    for _, line in ipairs(lines) do
      ok(utf8.len(line) <= cols, ("%d columns: %s"):format(cols, line))
    end
    like(text, "\nworker@2  running")
  end
  local lines = shown("status idle", 24, { NO_COLOR = "1", LC_ALL = "C" })
  is(lines[2], "idle  stopped  not star~")
end)

tap.test("who reads may go away", function()
  local command = '"$LUVISOR" %s | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}'
  for _, line in ipairs { "status", "tree", "logs --all", "events", "help",
                          "check --show", "status --json" } do
    local r = up:bash(command:format(line))
    is(r.stdout .. r.stderr, "0\n", line)
  end
end)

up:stop()
up:close()
tap.done()
