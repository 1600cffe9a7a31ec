-- Who may ask for what: users and groups on the Unix socket, token and Host on
-- TCP.
local core_os = require "luvisor.core.os"
local fs = require "luvisor.fs"
local http = require "luvisor.http"
local process = require "luvisor.process"
local server = require "luvisor.control.server"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local is, like, ok = tap.is, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local controls = dofile(SOURCE .. "/tests/support/control.lua")
local services = dofile(SOURCE .. "/tests/support/services.lua")
local NOBODY <const>, OPS <const> = 65534, 54321 -- numbers need no names

-- Folders on the way to the test's must be passable for others.
local function need_others()
  if core_os.geteuid() ~= 0 then tap.skip "only root can be somebody else" end
  fs.chmod(TMP, "711")
  local probe = process.run { "setpriv", "--reuid", NOBODY, "--regid", NOBODY,
    "--clear-groups", "test", "-x", TMP, check = false }
  if not probe.ok then tap.skip "others cannot get to our folder" end
end

-- As curl by another user; nil: it cannot even connect.
local function ask_as(test, user, method, path)
  local result = process.run {
    "setpriv", "--reuid", user.uid, "--regid", user.gid or NOBODY,
    user.groups and "--groups" or "--clear-groups", user.groups or "--",
    "curl", "-sS", "-X", method, "--unix-socket", test.path, "-w",
    "%{http_code}", "http://localhost" .. path, check = false, timeout = 40,
  }
  local body, status = result.stdout:match "^(.*)(%d%d%d)$"
  status = tonumber(status)
  return status ~= 0 and status or nil, body
end

tap.test("nobody else gets to the socket if nobody is allowed", function()
  local test <close> = controls.open()
  is(fs.stat(test.path).mode & 511, tonumber("600", 8))
  is(fs.stat(TMP .. "/state").mode & 511, tonumber("700", 8))
  need_others()
  is(ask_as(test, { uid = NOBODY }, "GET", "/v1/services"), nil)
end)

tap.test("users and groups may do what they are allowed, verb by verb",
  function()
    need_others()
    local test <close> = controls.open(nil, { control = { allow = {
      status = { user = NOBODY }, events = { group = OPS }, metrics = "*",
      logs = { user = { "root", NOBODY }, group = { OPS } },
    } } })
    is(fs.stat(test.path).mode & 511, tonumber("666", 8))
    is(fs.stat(TMP .. "/state").mode & 511, tonumber("711", 8))
    local nobody, other = { uid = NOBODY }, { uid = 1234 }
    local by_group = { uid = 1234, gid = OPS }
    local by_groups = { uid = 1234, groups = "1,2," .. OPS .. ",3" }
    local cases = {
      { nobody, "GET", "/v1/services", 200 }, { other, "GET", "/v1/tree", 403 },
      { nobody, "GET", "/v1/events?follow=0", 403 },
      { by_group, "GET", "/v1/events?follow=0", 200 },
      { by_groups, "GET", "/v1/events?follow=0", 200 },
      { by_groups, "GET", "/v1/services", 403 },
      { other, "GET", "/metrics", 200 },
      { nobody, "GET", "/v1/services/web/logs", 200 },
      { by_groups, "GET", "/v1/services/web/logs", 200 },
      { other, "GET", "/v1/services/web/logs", 403 },
      { nobody, "POST", "/v1/shutdown", 403 },
      { nobody, "POST", "/v1/services/web/stop", 403 },
      { nobody, "GET", "/v1/nowhere", 404 },
    }
    for _, case in ipairs(cases) do
      local user, method, path, status = table.unpack(case)
      is((ask_as(test, user, method, path)), status, ("%s %s as %d"):format(
        method, path, user.uid))
    end
    local _, body = ask_as(test, other, "POST", "/v1/shutdown")
    like(body, '"kind":"Forbidden","message":"user 1234 may not do this '
      .. '%(shutdown%): control.allow')
    is(test:ask("GET", "/v1/plan").status, 400, "root may all")
  end)

tap.test("all allows all", function()
  need_others()
  local test <close> = controls.open(nil, {
    control = { allow = { all = { user = "nobody" } } } })
  is((ask_as(test, { uid = NOBODY }, "POST", "/v1/services/web/start")), 200)
  is((ask_as(test, { uid = 1234 }, "GET", "/v1/services")), 403)
end)

tap.test("apply lets others in and out; what is wrong lets nobody in",
  function()
    need_others()
    local said = {}
    local test <close> = controls.open()
    test.sup.log = { info = function() end, warning = function() end,
      write = function() end,
      error = function(_, text) said[#said + 1] = text end }
    local function apply(allow)
      test.sup:apply(services.config({ web = { command = "sleep 1000" } },
        { control = { allow = allow } }))
    end
    local nobody = { uid = NOBODY }
    apply { status = "*" }
    tap.eventually(function()
      return ask_as(test, nobody, "GET", "/v1/services") == 200
    end, 20)
    apply { status = { user = "no-such-user" } }
    tap.eventually(function()
      return ask_as(test, nobody, "GET", "/v1/services") == nil
    end, 20)
    like(said[1], 'allow.status.user: there is no user "no%-such%-user"')
    is(test:ask("GET", "/v1/services").status, 200, "but us")
  end)

tap.test("rules that cannot be are refused", function()
  local cases = {
    { { allow = { stauts = "*" } }, 'did you mean "status"?' },
    { { allow = { status = { usr = "x" } } }, "usr" },
    { { allow = { status = { user = "no-such-user" } } },
      'there is no user "no-such-user"' },
    { { allow = { status = { group = "no-such-group" } } },
      'there is no group "no-such-group"' },
    { { allow = { status = { user = {}, group = { true } } } }, "group" },
    { { allow = { status = 3 } }, "status" },
    { { tcp = "127.0.0.1:0" }, "token" },
    { { tcp = "127.0.0.1:0", token = "" }, "token" },
  }
  for _, case in ipairs(cases) do
    local done, err = pcall(function()
      local config = services.config({ web = { command = "sleep 1000" } },
        { control = case[1] })
      local sup <close> = supervisor.new(config)
      local _ <close> = server.open(sup)
    end)
    ok(not done and tostring(err):find(case[2], 1, true), tostring(err))
    is(err.kind, "ConfigError")
  end
  services.clean()
end)

tap.test("on TCP there must be the token, and a Host that is ours", function()
  local test <close> = controls.open(nil, {
    control = { tcp = "127.0.0.1:0", token = "secret" } })
  local port = test.control.addresses[2].port
  local url = ("http://127.0.0.1:%d"):format(port)
  local function status(headers, path)
    return http.get(url .. (path or "/v1/services"), { headers = headers,
      timeout = 20 })
  end
  local key = "Bearer secret"
  is(status({ Authorization = key }).status, 200)
  is(status({ Authorization = "bearer secret" }).status, 200)
  local none = status {}
  is(none.status, 401)
  is(none.headers["www-authenticate"], "Bearer")
  for _, wrong in ipairs { "Bearer", "Bearer ", "Bearer secre", "secret",
                           "Bearer secrets", "Basic secret", "Bearer SECRET" }
  do
    is(status({ Authorization = wrong }).status, 401, wrong)
  end
  is(status({}, "/v1/nowhere").status, 401, "also where there is nothing")
  for host, expected in pairs {
    ["localhost:" .. port] = 200, ["LOCALHOST:" .. port] = 200,
    ["127.0.0.1:" .. port] = 200, ["[::1]:" .. port] = 200,
    ["evil.example:" .. port] = 403, ["evil.example"] = 403,
    ["127.0.0.1"] = 403, ["127.0.0.1:1"] = 403, ["localhost"] = 403,
    ["127.0.0.1.evil.example:" .. port] = 403, ["a@localhost:" .. port] = 403,
  } do
    local answer = status { Authorization = key, Host = host }
    is(answer.status, expected, host)
  end
  local client = require "luvisor.control.client".new { url = url,
    token = "secret" }
  is(client:list()[1].name, "web")
  is(test:ask("GET", "/v1/services").status, 200, "the Unix socket needs none")
end)

tap.done()
