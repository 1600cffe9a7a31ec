-- Logs of services under a supervisor: lives, changes, failures, ends.
local fs = require "luvisor.fs"
local stream = require "luvisor.stream"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local services = dofile(os.getenv "LUVISOR_SOURCE"
  .. "/tests/support/services.lua")
local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local is, like, ok = tap.is, tap.like, tap.ok

assert(stream.stderr) -- is opened by the first line of luvisor's own log

local function count(name)
  return select(2, (logs.read(name) or ""):gsub("\n", ""))
end

tap.test("a service that crashes again and again loses no line", function()
  services.with({ web = {
    command = { shell = "echo begin; seq 1 1000; printf end; kill -9 $$" },
    restart = "always", backoff = { initial = 0.001, max = 0.001, jitter = 0 },
    burst = { count = 5, within = 3600, retry_after = false },
  } }, function(sup)
    sup:start("web", { wait = false })
    sup:wait("web", "failed", 20)
    is(count "web.log", 5 * 1002, "of five lives, each to its last word")
    local life = "begin\n"
    for i = 1, 1000 do life = life .. i .. "\n" end
    ok(logs.read "web.log" == (life .. "end\n"):rep(5))
  end)
end)

tap.test("the log's rules change while the service runs", function()
  local specs = { web = { command = { shell = "echo one; exec sleep 1000" },
                          log = { max_size = 0 } } }
  services.with(specs, function(sup)
    sup:start "web"
    local pid = sup:status"web".pid
    tap.eventually(function() return count "web.log" == 1 end, 20)
    specs.web.log = { max_size = 100, file = "other.log" }
    sup:apply(services.config(specs))
    is(sup:status"web".pid, pid, "it is not started anew")
    tap.eventually(function() return fs.exists(logs.dir .. "/other.log") end,
      20)
  end)
end)

tap.test("a log that cannot be is why a service has failed", function()
  services.with({ web = {
    command = { "true" }, log = { file = "/dev/null/x" }, restart = "never",
  } }, function(sup)
    tap.throws(function() sup:start "web" end,
      "its log /dev/null/x cannot be opened: Not a directory %(ENOTDIR%)")
    is(sup:status"web".state, "failed")
    like(sup:status"web".exit, "its log /dev/null/x cannot be opened")
  end)
end)

tap.test("also of one with a terminal", function()
  services.with({ web = {
    command = { "sleep", "1000" }, log = { file = "/dev/null/x" }, pty = true,
    restart = "never",
  } }, function(sup)
    tap.throws(function() sup:start "web" end,
      "its log /dev/null/x cannot be opened")
    is(sup:status"web".state, "failed")
  end)
end)

tap.test("two services with one file are an error of the configuration",
  function()
    local _, err = tap.throws(function()
      supervisor.new(services.config {
        a = { command = "true", log = { file = "x.log" } },
        b = { command = "true", log = { stderr = "./d/../x.log" } },
        c = { command = "true", log = { stdout = logs.dir .. "/x.log" } },
        d = { command = "true", log = { file = "e.log" } },
        e = { command = "true" },
        g = { command = "true", log = { file = "/dev/null" } },
        h = { command = "true", log = { file = "/dev/null" } },
        f = { command = "true", log = { file = "x.log", target = "null" } },
      })
    end, "ConfigError")
    err = tostring(err)
    like(err, 'service "b": log.stderr: service "a" writes ".-x.log", too')
    like(err, 'service "c": log.stdout: service ".-" writes ".-x.log", too')
    like(err, 'service "e": log: service "d" writes ".-/e.log", too')
    is(err:find 'service "[f-h]"', nil, "no file, or a device")
  end)

tap.done()
