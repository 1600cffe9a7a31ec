-- The configuration: what is read, and how each mistake is told.
local config = require "luvisor.supervisor.config"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

-- Writes files into a new folder, runs fn with its name, and removes it.
local function with_files(files, fn)
  local dir = fs.mkdtemp { prefix = "config-" }
  local _ <close> = setmetatable({}, { __close = function()
    fs.remove(dir, { recursive = true })
  end })
  for name, text in pairs(files) do
    if name:find "/" then
      fs.mkdir(dir .. "/" .. name:match "^(.*)/", { parents = true })
    end
    fs.write_file(dir .. "/" .. name, text)
  end
  return fn(dir)
end

local function load_text(text, fn)
  return with_files({ ["luvisor.lua"] = text }, function(dir)
    return (fn or function(c) return c end)(config.load(dir .. "/luvisor.lua"),
      dir)
  end)
end

local function messages_of(text, more)
  local files = { ["luvisor.lua"] = text }
  for name, content in pairs(more or {}) do files[name] = content end
  return with_files(files, function(dir)
    local done, err = pcall(config.load, dir .. "/luvisor.lua")
    ok(not done and err:is "ConfigError", "it is refused: " .. text:sub(1, 40))
    local here = dir:gsub("%p", "%%%0") .. "/"
    return (tostring(err):gsub(here, "")), err
  end)
end

tap.test("a service with one key has every default", function()
  load_text([[service "a" { command = "sleep 60" }]], function(c, dir)
    local a = c.services.a
    is_deeply(a.command, { "sleep", "60" })
    is(a.type, "daemon")
    is(a.restart, "on-failure")
    is(a.cwd, dir)
    is_deeply(a.backoff, { initial = 0.2, factor = 2, max = 30, jitter = 0.1,
      reset_after = 60 })
    is_deeply(a.burst, { count = 5, within = 30, retry_after = 300 })
    is_deeply(a.stop, { signal = "TERM", grace = 10 })
    is(a.log.max_size, 10 << 20)
    is_deeply(a.success_codes, { 0 })
    is(a.autostart, true)
    is_deeply(c.order, { "a" })
    is_deeply(c.files, { dir .. "/luvisor.lua" })
  end)
end)

tap.test("commands are split as a shell does, and begin at the file's folder",
  function()
    with_files({
      ["luvisor.lua"] = [[
        service "a" { command = [=[./run --name 'a b' "c d" e\ f]=] }
        service "b" { command = { shell = "echo $HOME | cat" } }]],
      run = "#!/bin/sh\n",
    }, function(dir)
      fs.chmod(dir .. "/run", 448)
      local c = config.load(dir .. "/luvisor.lua")
      is_deeply(c.services.a.command,
        { dir .. "/run", "--name", "a b", "c d", "e f" })
      is_deeply(c.services.b.command, { shell = "echo $HOME | cat" })
    end)
  end)

tap.test("what services share is kept once, and can be told from their own",
  function()
  load_text([[
    luvisor { defaults = { stop = { grace = "1m" },
      ready = { delay = 1, timeout = 7 } } }
    service "a" { command = "sleep 60" }
    service "b" { command = "sleep 60", stop = { signal = "INT" } }
    service "job" { command = "true", type = "oneshot" }
    service "own" { command = "true", ready = { delay = 2 } }]], function(c)
    local a, b = c.services.a, c.services.b
    is(a.stop.grace, 60)
    ok(rawequal(a.backoff, b.backoff), "one table for all")
    is_deeply(b.stop, { signal = "INT", grace = 60 }, "but its own where it "
      .. "says something")
    is(a.ready_timeout, 7)
    is(c.services.own.ready_timeout, 60, "a ready of its own has no timeout")
    is(c.services.job.restart, "never", "a type of its own, what follows of it")
    local keys = {}
    for key in pairs(a) do keys[key] = true end
    ok(keys.name and keys.stop and keys.restart and keys.cwd, "pairs has all")
  end)
end)

tap.test("defaults of luvisor{} lie under each service", function()
  local c = load_text [[
    luvisor { defaults = { stop = { grace = "1m" },
                           env = { A = "1", B = "2" } } }
    service "a" { command = "true", env = { B = "3" }, stop = { signal = 2 } }]]
  is_deeply(c.services.a.stop, { signal = "INT", grace = 60 })
  is_deeply(c.services.a.env, { A = "1", B = "3" })
end)

tap.test("Lua is there: loops, functions, string library, host, env", function()
  local c = load_text [[
    for i = 1, 3 do
      service("w-" .. i) { command = { "sleep", tostring(i * 10) },
        env = { CPUS = tostring(host.cpus), SHELL = env("NOSUCH", "none") },
        group = "workers" }
    end
    group "workers" { strategy = "rest_for_one" }]]
  is_deeply(c.order, { "w-1", "w-2", "w-3" })
  is(c.services["w-2"].env.SHELL, "none")
  ok(tonumber(c.services["w-2"].env.CPUS) >= 1)
  is_deeply(c.groups.workers.members, { "w-1", "w-2", "w-3" })
  is(c.groups.workers.strategy, "rest_for_one")
end)

tap.test("include: sorted, relative to the file in which it stands", function()
  with_files({
    ["luvisor.lua"] = [[include "services.d/*.lua"]],
    ["services.d/20-b.lua"] = [[service "b" { command = "true" }]],
    ["services.d/10-a.lua"] =
      [[service "a" { command = "true", env_file = "a.env" }]],
    ["services.d/note.txt"] = "not Lua",
  }, function(dir)
    local c = config.load(dir .. "/luvisor.lua")
    is_deeply(c.order, { "a", "b" })
    is(c.services.a.env_file, dir .. "/services.d/a.env")
    is(#c.files, 3)
  end)
end)

tap.test("durations, sizes, schedules, signals, umask, readiness", function()
  local c = load_text [[
    service "job" { type = "job", command = "true", schedule = "every 5m" }
    service "night" { type = "job", command = "true",
      schedule = { at = "0 3 * * *", overlap = "kill", jitter = "30s" } }
    service "web" { command = "true", umask = "022", watchdog = 30,
      ready = { tcp = "127.0.0.1:80", timeout = "5s" },
      health = { http = "http://127.0.0.1/", interval = "5s" },
      log = { max_size = "64K", timestamps = "iso" },
      stop = { signal = "SIGQUIT", grace = "500ms" },
      hooks = { pre_start = { command = { "true" }, timeout = "3s" } } }]]
  is(c.services.job.schedule.every, 300)
  is(c.services.night.schedule.overlap, "kill")
  is(c.services.night.schedule.jitter, 30)
  local web = c.services.web
  is(web.umask, 18)
  is(web.ready.kind, "tcp")
  is(web.ready.value.port, 80)
  is(web.ready_timeout, 5)
  is(web.health.failures, 3)
  is(web.log.max_size, 65536)
  is_deeply(web.stop, { signal = "QUIT", grace = 0.5 })
  is_deeply(web.hooks.pre_start, { command = { "true" }, timeout = 3 })
end)

tap.test("every mistake is told at once, with its place and what was meant",
  function()
    local text, err = messages_of [[
luvisor { log = { dirr = "x" } }
service "web" {
  command = "sleep 1",
  requries = { "db" },
  backoff = { inital = 1,
              max = "soon" },
  restart = "allways",
}
service "api" { comand = "x" }
service "db" { command = "nosuchprogram", requires = { "dbb" },
  schedule = "every 5m" }
]]
    is(text, table.concat({
      'luvisor.lua:1: log.dirr: unknown key; did you mean "dir"?',
      'luvisor.lua:4: service "web": requries: unknown key; did you mean '
        .. '"requires"?',
      'luvisor.lua:5: service "web": backoff.inital: unknown key; did you '
        .. 'mean "initial"?',
      'luvisor.lua:6: service "web": backoff.max: expected seconds, or a '
        .. 'duration as "500ms", "10s", "5m", "1h"; got "soon"',
      'luvisor.lua:7: service "web": restart: expected one of "always", '
        .. '"on-failure", "never"; did you mean "always"?; got "allways"',
      'luvisor.lua:9: service "api": comand: unknown key; did you mean '
        .. '"command"?',
      'luvisor.lua:9: service "api": command: is missing: what is to be '
        .. 'executed? (or run = function)',
      'luvisor.lua:10: service "db": command: there is no program '
        .. '"nosuchprogram" in PATH',
      'luvisor.lua:10: service "db": requires: no service "dbb"; did you '
        .. 'mean "db"?',
      'luvisor.lua:11: service "db": schedule: only a job has one: type = '
        .. '"job"; this is a daemon',
    }, "\n"))
    is(#err.errors, 10)
    is(err.errors[2].service, "web")
    is(err.errors[2].line, 4)
  end)

local single = {
  { [[service "a" { command = "true", requires = { "b" } }
service "b" { command = "true", after = { "a" } }]],
    "a cycle of dependencies: a -> b -> a" },
  { [[service "a" { command = "true" } service "a" { command = "true" }]],
    "declared twice, also at" },
  { [[service "a"]], "service \"a\" has no table after it" },
  { [[service "a" { command = "/etc" }]], "\"/etc\" is a folder, not" },
  { [[service "a" { command = "/etc/passwd" }]],
    "\"/etc/passwd\" cannot be executed (mode 644)" },
  { [[service "a" { command = "true", env = { A = "1", B = true } }]],
    "or false to take it away; got true" },
  { [[service "a" { command = "true", env = { ["B=C"] = "1" } }]],
    "env: expected a table as { PORT" },
  { [[service "a b" { command = "true" }]], "a name is of letters" },
  { [[service "a" { command = "sleep 'x" }]], "unfinished ' quote" },
  { [[service "a" { command = "true", ready = { tcp = "80" } }]],
    "an address as" },
  { [[service "a" { command = "true", ready = { tcp = "h:80", fd = 3 } }]],
    "not two" },
  { [[service "a" { command = "true", env = { ["A=B"] = "1" } }]], "env" },
  { [[service "a" { command = "true", main = true }
service "b" { command = "true", main = true }]], "\"a\" is the main service" },
  { [[service "a" { command = "true", log = { file = "x" } }
service "b" { command = "true", log = { stderr = "x" } }]],
    "service \"a\" writes \"x\", too" },
  { [[group "g" { strategy = "all" }]], "one_for_all" },
  { "service \"a\" {", "near <eof>" },
  { "error 'my own'", "my own" },
  { "local x = nil + 1", "arithmetic on a nil value" },
  { "os.execute 'true'", "attempt to call a nil value" },
  { "io.open 'x'", "there is no \"io\": a configuration has" },
  { "require 'x'", "there is no \"require\": a configuration has" },
  { "servce 'x' {}", "there is no \"servce\"; did you mean \"service\"?" },
  { [[service "a" { command = "true | cat" }]],
    "command: \"|\" is for a shell: write { shell" },
  { [[service "a" { command = "true", ready = { tpc = "x" } }]],
    "ready: tpc: unknown key; did you mean \"tcp\"?" },
  { [[service "a" { command = "true", limits = { nofiles = 1 } }]],
    "limits: nofiles: expected one of" },
  { [[service "a" { command = "true", hooks = { pre_stop = { command = "true",
    timout = 1 } } }]], "pre_stop: timout: unknown key" },
  { [[service "a" { type = "job", command = "true",
    schedule = { at = "1 2 3", overlap = "no" } }]],
    "schedule: at: expected five fields" },
  { [[service "a" { command = "true", reload = { signal = "FOO" } }]],
    "reload: signal: expected a signal" },
  { [[luvisor { control = { tcp = "127.0.0.1:1" } }]], "needs a token" },
  { [[luvisor { control = { allow = { statsu = "*" } } }]],
    "statsu: expected" },
  { [[luvisor { control = { allow = { start = { grop = "x" } } } }]],
    "start: grop: unknown key; did you mean \"group\"?" },
  { "setmetatable({}, { __gc = error })", "__gc is not allowed" },
  { "assert(load(string.char(27)))", "attempt to load a binary chunk" },
  { "while true do end", "takes too long to evaluate" },
  { "while true do pcall(error) end", "takes too long" },
  { "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "takes too" },
  { "include 'nosuch.lua'", "no such file: nosuch.lua" },
}

tap.test("what else can be wrong", function()
  for _, case in ipairs(single) do
    local text = messages_of(case[1])
    ok(text:find(case[2], 1, true) ~= nil, text:sub(1, 150))
    ok(text:find("luvisor.lua:%d") ~= nil, "it says where")
  end
end)

tap.test("service(name, table) is a call, too", function()
  local c = load_text [[service("a", { command = "true" })]]
  is_deeply(c.services.a.command, { "true" })
end)

tap.test("a hang inside a C function ends at the deadline", function()
  local text = messages_of
    [[string.find(("a"):rep(50000), (".-"):rep(20) .. "b")]]
  ok(text:find("takes longer than 3 s", 1, true) ~= nil, text)
end)

tap.test("a missing file says so", function()
  local _, err = pcall(config.load, "/nonexistent/luvisor.lua")
  is(err.message, "/nonexistent/luvisor.lua: there is no such file")
end)

tap.test("a table of a script is checked the same way", function()
  local c = config.check_table {
    services = { a = { command = { "sleep", "60" } } },
    groups = { g = {} },
  }
  is_deeply(c.services.a.command, { "sleep", "60" })
  local _, err = pcall(config.check_table,
    { services = { a = { command = "true", cwdd = "/" } } })
  ok(err:is "ConfigError" and err.message:find "test_config.lua:%d+: service "
    ~= nil, err.message)
end)

tap.test("exec_key differs where what is executed differs, else not", function()
  local function spec(body)
    body.command = body.command or "true"
    return config.check_table { services = { a = body } }.services.a
  end
  local base = config.exec_key(spec {})
  is(config.exec_key(spec { backoff = { max = 1 }, restart = "never" }), base)
  ok(config.exec_key(spec { env = { A = "1" } }) ~= base)
  ok(config.exec_key(spec { command = "true x" }) ~= base)
  is_deeply(config.difference(spec {}, spec { burst = { count = 9 },
    umask = "077" }), { "burst", "umask" })
end)

tap.test("which takes a path of its own", function()
  is(process.which("sh", "/nonexistent:/bin"), "/bin/sh")
  is(process.which("sh", "/nonexistent"), nil)
end)

tap.done()
