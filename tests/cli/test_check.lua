-- luvisor check: what it says of configurations, and of wrong command lines.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local is, ok, like = tap.is, tap.ok, tap.like

local LUVISOR <const> = os.getenv "LUVISOR"
local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local DIR <const> = os.getenv "TMPDIR"

local function run(opts)
  table.insert(opts, 1, LUVISOR)
  opts.check, opts.timeout = false, 60
  return process.run(opts)
end

-- Calls fn with the path of a configuration, then removes it.
local function with(text, fn)
  local path = DIR .. "/luvisor.lua"
  fs.write_file(path, text)
  fn(path)
  fs.remove(path)
end

local GOOD <const> = [[
luvisor { state_dir = "state" }
service "web" {
  command = "sleep 60", umask = "022", env = { A = "b c", B = false },
  ready = { tcp = "127.0.0.1:80", timeout = 3 }, sockets = { ":8080" },
  health = { http = "http://localhost/" }, limits = { core = { 0, 0 } },
  requires = { "job" }, reload = { command = { "true" } },
  hooks = { pre_start = { command = { "true" }, timeout = 3 } },
}
service "job" { type = "job", command = { shell = "true" },
  schedule = { at = "0 3 * * *", jitter = "30s" }, group = "crew" }
service "often" { type = "job", command = "true", schedule = "every 90s" }
group "crew" { strategy = "one_for_all" }
]]

tap.test("a good configuration is named, with the number of services",
  function()
    with(GOOD, function(path)
      for _, words in ipairs { { path }, { "-c", path }, { "--config", path },
                               { "--config=" .. path } } do
        local r = run { "check", table.unpack(words) }
        is(r.stdout, path .. ": 3 services, no errors\n")
        is(r.stderr, "")
        is(r.code, 0)
      end
      is(run({ "check", env = { LUVISOR_CONFIG = path } }).code, 0)
      is(run({ "-c", path, "check" }).code, 0, "also before the command")
    end)
  end)

tap.test("every error is said at once, and the exit code is 1", function()
  with('service "a" { comand = "sleep 1", stop = { grase = 1 } }\n'
    .. 'service "b" { command = "nonexistent-program", requires = { "c" } }\n',
    function(path)
      local r = run { "check", path }
      is(r.code, 1)
      is(r.stdout, "")
      local function said(text)
        ok(r.stderr:find(text, 1, true), "it says: " .. text)
      end
      said(path .. ':1: service "a": comand: unknown key; did you mean '
        .. '"command"?\n')
      said(path .. ':1: service "a": stop.grase: unknown key; did you mean '
        .. '"grace"?\n')
      said(path .. ':2: service "b": command: there is no program '
        .. '"nonexistent-program" in PATH\n')
      said(path .. ':2: service "b": requires: no service "c"')
    end)
end)

tap.test("--json has the errors as a list", function()
  with('service "a" { comand = "sleep 1" }', function(path)
    local r = run { "check", "--json", path }
    is(r.code, 1)
    local answer = json.decode(r.stdout)
    is(answer.ok, false)
    is(answer.errors[1].file, path)
    is(answer.errors[1].line, 1)
    is(answer.errors[1].service, "a")
  end)
  with(GOOD, function(path)
    is(run({ "check", "--json", path }).stdout, '{"errors":[],"ok":true}\n')
  end)
end)

tap.test("a file that is not there is an error of the configuration",
  function()
    local r = run { "check", "/nonexistent/luvisor.lua" }
    is(r.code, 1)
    is(r.stderr, "/nonexistent/luvisor.lua: there is no such file\n")
  end)

tap.test("--show prints a configuration that shows the same", function()
  with(GOOD, function(path)
    local first = run({ "check", "--show", path }).stdout
    first = first:gsub("^[^\n]*\n", "") -- that says where it comes from
    like(first, '\nservice "web" {\n')
    like(first, 'umask = "022"')
    like(first, 'schedule = { at = "0 3 %* %* %*"')
    like(first, '\ngroup "crew" { strategy = "one_for_all" }\n')
    like(first, "max_size = 10485760", "defaults are filled in")
    fs.write_file(path, first)
    local second = run { "check", "--show", path }
    is(second.stderr, "")
    is((second.stdout:gsub("^[^\n]*\n", "")), first)
  end)
end)

tap.test("--show --json is all of it for programs", function()
  with(GOOD .. 'service "f" { run = function() end }', function(path)
    local r = run { "check", "--show", "--json", path }
    local config = json.decode(r.stdout)
    is(config.path, path)
    is(config.services.web.health.interval, 10)
    is(config.services.web.wants[1], nil)
    is(config.services.f.run, ("function at %s:13"):format(path))
    tap.is_deeply(config.order, { "web", "job", "often", "f" })
    tap.is_deeply(config.groups.crew,
      { strategy = "one_for_all", members = { "job" } })
    like(r.stdout, '"wants":%[%]', "empty lists are lists")
  end)
end)

tap.test("a wrong command line is told with what was meant, exit code 2",
  function()
    local expected = {
      [{ "chek" }] = "there is no command 'chek'. Did you mean 'check'?\n"
        .. "Try 'luvisor -h'.",
      [{ "check", "--shwo" }] = "unknown option '--shwo'. Did you mean "
        .. "'--show'?\nTry 'luvisor check -h'.",
      [{ "check", "a", "b" }] = "too many arguments\nTry 'luvisor check -h'.",
      [{ "check", "-c" }] = "option '-c' requires an argument\n"
        .. "Try 'luvisor check -h'.",
      [{ "-c", "x" }] = "'-c' needs a command behind it\nTry 'luvisor -h'.",
      [{ "-c", "x", "statsu" }] = "there is no command 'statsu'. Did you mean "
        .. "'status'?\nTry 'luvisor -h'.",
      [{ "help", "chekc" }] = "there is no command 'chekc'. Did you mean "
        .. "'check'?\nTry 'luvisor -h'.",
    }
    for words, text in pairs(expected) do
      local r = run { table.unpack(words) }
      is(r.stderr, "luvisor: " .. text .. "\n")
      is(r.code, 2)
    end
  end)

tap.test("the example of the source is good", function()
  is(run({ "check", SOURCE .. "/etc/luvisor.lua" }).code, 0)
end)

tap.done()
