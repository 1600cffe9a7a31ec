-- Beginnings and ends: one supervisor to a folder, sockets that are left over,
-- requests under way when all ends.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, like, ok = tap.is, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")
local ups = dofile(SOURCE .. "/tests/support/up.lua")
local HEAD <const> = "luvisor { state_dir = %q, log = { dir = 'log' } }\n"
local WEB <const> = 'service "web" { command = "sleep 1000" }'

local function client_of(path)
  return require "luvisor.control.client".new { socket = path }
end

tap.test("nothing is left of socket and lock", function()
  local dir
  do
    local test <close> = controls.open()
    dir = test.sup.config.state_dir
    ok(fs.exists(dir .. "/control.sock") and fs.exists(dir .. "/lock"))
    test.control:close()
    ok(not fs.exists(dir .. "/control.sock") and not fs.exists(dir .. "/lock"))
    test.control:close()
  end
end)

tap.test("a second luvisor with the same state_dir is refused", function()
  local up <close> = ups.start(WEB)
  up:says "web running"
  local second <close> = ups.start(WEB,
    { head = HEAD:format(up.dir .. "/state") })
  is(second:ended().code ~= 0, true)
  like(second:err(), ("another luvisor %%(pid %d%%) has the state_dir"):format(
    up.process.pid))
  is(up:status "web".state, "running", "the first goes on")
  is(up:stop().code, 0)
  ok(not fs.exists(up.dir .. "/state/control.sock"))
  ok(not fs.exists(up.dir .. "/state/lock"))
end)

tap.test("what a killed luvisor has left is replaced", function()
  local up <close> = ups.start(WEB)
  up:says "web running"
  up.process:send_signal "KILL"
  up.process:wait(20)
  ok(fs.exists(up.dir .. "/state/control.sock"))
  local again <close> = ups.start(WEB,
    { head = HEAD:format(up.dir .. "/state") })
  again:says "web running"
  is(client_of(up.dir .. "/state/control.sock"):list()[1].state, "running")
  is(again:stop().code, 0)
end)

tap.test("a file that is no socket is not touched", function()
  local up <close> = ups.start(WEB, { head = 'luvisor { state_dir = "state", '
    .. 'log = { dir = "log" }, control = { socket = "here" } }\n' })
  up:says "web running"
  up:stop()
  fs.write_file(up.dir .. "/here", "text")
  local again <close> = ups.start(WEB, { head = ("luvisor { state_dir = %q, "
    .. "log = { dir = 'log' }, control = { socket = %q } }\n"):format(
    up.dir .. "/state", up.dir .. "/here") })
  is(again:ended().code ~= 0, true)
  like(again:err(), "there is a file where the control socket is to be: .*here")
  is(fs.read_file(up.dir .. "/here"), "text")
end)

tap.test("a path that is too long for a socket is refused", function()
  local up <close> = ups.start(WEB, { head =
    HEAD:format(controls.TMP .. ("/x"):rep(60)) })
  is(up:ended().code, 1)
  like(up:err(), "the path of the control socket is too long")
  fs.remove(controls.TMP .. "/x", { recursive = true })
end)

tap.test("a client says what keeps it from asking", function()
  local cases = { { "nowhere/control.sock", "there is no socket" },
                  { controls.TMP .. "/file", "nobody answers" } }
  fs.write_file(controls.TMP .. "/file", "")
  for _, case in ipairs(cases) do
    local _, err = pcall(function() client_of(case[1]):list() end)
    is(err.kind, "Closed")
    like(err.message, "^no supervisor is running: " .. case[2])
  end
  fs.remove(controls.TMP .. "/file")
end)

local function never_ready(more)
  return { command = { "sleep", "1000" }, ready = { log = "never" },
           ready_timeout = more }
end

tap.test("a start goes on though who asked for it leaves", function()
  local test <close> = controls.open { web = never_ready(1000) }
  local curl <close> = process.spawn {
    "curl", "-sS", "--unix-socket", test.path, "-X", "POST",
    "http://localhost/v1/services/web/start", stdout = "null",
  }
  tap.eventually(function()
    return test.sup:status "web".state == "starting"
  end, 20)
  curl:stop()
  tap.eventually(function() return test.control:connections() == 0 end, 20)
  is(test.sup:status "web".state, "starting")
  local asked = task.spawn(function()
    return test:ask("POST", "/v1/services/web/start")
  end)
  tap.eventually(function() return test.control:connections() == 1 end, 20)
  test.client:list() -- which is answered after the start has been heard
  is(test.client:stop "web"[1].state, "stopped")
  is(asked:join().status, 409, "the other start says why not")
end)

tap.test("a wait ends with its client", function()
  local test <close> = controls.open()
  local tasks = #task.list()
  local asked = {}
  for i = 1, 20 do
    asked[i] = test:connect()
    asked[i]:write "POST /v1/services/web/wait HTTP/1.1\r\nHost: x\r\n\r\n"
  end
  tap.eventually(function() return #task.list() >= tasks + 20 end, 20)
  for _, socket in ipairs(asked) do socket:close() end
  tap.eventually(function() return #task.list() == tasks end, 20)
  is(test.control:connections(), 0)
end)

tap.test("wait = 0 does not wait, a short one gives up, and it goes on",
  function()
    local test <close> = controls.open { web = never_ready(1000) }
    local answer = test:ask("POST", "/v1/services/web/start?wait=0")
    is(answer.status, 202)
    is(answer.json.services[1].state, "starting")
    local late = test:ask("POST", "/v1/services/web/start?wait=0.01")
    is(late.status, 504)
    like(late.json.error.message,
      "^start web: not done after 0.01 s; it goes on")
    is(test.sup:status "web".state, "starting")
    is(test.client:start("web", { wait = false })[1].state, "starting")
  end)

tap.test("requests that wait are answered when all is shut down", function()
  local test <close> = controls.open { web = never_ready(1000),
    other = { command = { "sleep", "1000" } } }
  local running = task.spawn(test.sup.run, test.sup)
  local waiting = {}
  for i, path in ipairs { "web/start", "other/wait?state=failed" } do
    waiting[i] = task.spawn(function()
      return test:ask("POST", "/v1/services/" .. path)
    end)
  end
  tap.eventually(function() return test.control:connections() >= 2 end, 20)
  is(test:ask("POST", "/v1/shutdown").status, 200)
  is(running:join(), 0)
  is(waiting[1]:join().status, 409)
  test.control:close()
  local done, err = pcall(waiting[2].join, waiting[2])
  ok(done or err:is "IncompleteRead" or err:is "ECONNRESET" or err:is "Failed",
    "the other is closed upon: " .. tostring(err))
end)

tap.test("followers end with the supervisor", function()
  local test <close> = controls.open()
  test.sup:start "web"
  local ended = {}
  for i, path in ipairs { "/v1/events", "/v1/services/web/logs?follow=1" } do
    ended[i] = task.spawn(function() return test:ask("GET", path).status end)
  end
  tap.eventually(function() return test.control:connections() >= 2 end, 20)
  test.client:list() -- which is answered after those have been heard
  test.sup:close()
  is(ended[1]:join(), 200)
  is(ended[2]:join(), 200)
end)

tap.test("followers end with the socket, though the supervisor goes on",
  function()
    local test <close> = controls.open()
    test.sup:start "web"
    local ended = {}
    for i, path in ipairs { "/v1/events?n=100", "/v1/events?service=other",
                            "/v1/services/web/logs?follow=1" } do
      ended[i] = task.spawn(function() return test:ask("GET", path) end)
    end
    tap.eventually(function() return test.control:connections() >= 3 end, 20)
    test.client:list() -- which is answered after those have been heard
    test.control:close()
    local bodies = {}
    for i, asked in ipairs(ended) do
      bodies[i] = asked:join().body -- raises, had it been cut
    end
    like(bodies[1], "running")
    is(bodies[2], "")
    is(bodies[3], "")
    is(test.sup:status "web".state, "running")
  end)

tap.done()
