-- Every route of the control API, asked by curl and by the client of the
-- command line.
local json = require "luvisor.json"
local routes = require "luvisor.control.routes"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")

local function shell(text)
  return { command = { shell = text } }
end

local asked = {} -- "GET /v1/services" and so on, which the last test compares

-- curl, and a note which route that was.
local function curl(test, method, path, ...)
  asked[method .. " " .. path:gsub("%?.*", "")
    :gsub("^(/v1/services/)[^/]+", "%1{name}")] = true
  return test:curl(path, "-X", method, ...)
end

local function names(list)
  local all = {}
  for i, one in ipairs(list) do all[i] = one.name end
  return table.concat(all, " ")
end

tap.test("services are listed in their order, with all that is known",
  function()
    local test <close> = controls.open {
      b = shell "exec sleep 1000", a = shell "exec sleep 1000",
      w = { command = "sleep 1000", instances = 2 },
    }
    test.sup:start "a"
    local answer = curl(test, "GET", "/v1/services")
    is(answer.status, 200)
    is(answer.type, "application/json")
    is(#answer.json.services, 4)
    is(names(answer.json.services), names(test.client:list()))
    local one = curl(test, "GET", "/v1/services/a").json.services[1]
    is(one.state, "running")
    is(one.pid, test.sup:status "a".pid)
    is(one.ready, true)
    is(one.restarts, 0)
    is(names(test.client:status "w"), "w@1 w@2", "all instances")
    is(names(test.client:status "w@2"), "w@2", "one instance")
    is(test:ask("HEAD", "/v1/services").body, "", "HEAD has no body")
  end)

local actions = { { "start", "running" }, { "reload", "running" },
                  { "restart", "running" }, { "stop", "stopped" } }

tap.test("start, reload, restart and stop answer when it is so", function()
  local test <close> = controls.open {
    web = shell "trap : HUP; while :; do sleep 1000 & wait; done" }
  for _, action in ipairs(actions) do
    local verb, state = table.unpack(action)
    local answer = curl(test, "POST", "/v1/services/web/" .. verb)
    is(answer.status, 200, verb)
    is(answer.json.services[1].state, state, verb)
  end
  for _, action in ipairs(actions) do
    local verb, state = table.unpack(action)
    is(test.client[verb](test.client, "web")[1].state, state, verb)
  end
end)

tap.test("signal sends one", function()
  local test <close> = controls.open {
    web = { command = { shell = "trap 'echo got HUP' HUP; echo here; "
      .. "while :; do sleep 1000 & wait; done" }, ready = { log = "here" } },
  }
  local none = curl(test, "POST", "/v1/services/web/signal", "-d",
    '{"signal":"HUP"}')
  is(none.status, 409)
  is(none.json.error.kind, "NoProcess")
  test.client:start "web"
  local sent = curl(test, "POST", "/v1/services/web/signal", "-d",
    '{"signal":"HUP"}')
  is(sent.status, 200)
  tap.eventually(function()
    return test.sup:find "web"[1].log:tail(1)[1] == "got HUP"
  end, 20)
  test.client:signal("web", "SIGHUP")
  is(test:ask("POST", "/v1/services/web/signal").json.error.message,
    'signal: say which: {"signal": "HUP"}')
  is(test:ask("POST", "/v1/services/web/signal",
    { body = '{"signal":"NOPE"}' }).status, 400)
end)

tap.test("scale makes instances and takes them away", function()
  local test <close> = controls.open {
    w = { command = "sleep 1000", instances = 1 }, web = shell "sleep 1000" }
  local answer = curl(test, "POST", "/v1/services/w/scale", "-d",
    '{"instances":3}')
  is(answer.status, 200)
  is(names(answer.json.services), "w@1 w@2 w@3")
  is(names(test.client:scale("w", 1)), "w@1")
  is(test:ask("POST", "/v1/services/w/scale",
    { body = '{"instances":0}' }).body, '{"services":[]}\n', "an empty list")
  is(test:ask("POST", "/v1/services/web/scale",
    { body = '{"instances":2}' }).status, 400, "it has no instances")
  for _, bad in ipairs { "{}", '{"instances":-1}', '{"instances":"x"}',
                         '{"instances":1.5}' } do
    is(test:ask("POST", "/v1/services/w/scale", { body = bad }).status, 400,
      bad)
  end
end)

tap.test("run runs a job, wait waits for a state", function()
  local test <close> = controls.open {
    job = { type = "job", schedule = "every 1h", command = "true" },
    web = shell "exec sleep 1000",
  }
  is(curl(test, "POST", "/v1/services/job/run").status, 200)
  is(test:ask("POST", "/v1/services/web/run").status, 400, "it is no job")
  test.client:run_job "job"
  local late = curl(test, "POST", "/v1/services/web/wait?wait=0.01", "-d",
    '{"state":"running"}')
  is(late.status, 504)
  is(late.json.error.kind, "Timeout")
  local waiting = task.spawn(function() return test.client:wait "web" end)
  test.client:start "web"
  is(waiting:join()[1].state, "running")
  is(test.client:wait("web", "running", 5)[1].name, "web")
  is(test:ask("POST", "/v1/services/web/wait?state=nope").status, 400)
end)

tap.test("the tree tells what requires what, and all processes", function()
  local test <close> = controls.open {
    db = shell "sleep 1000 & exec sleep 1001",
    web = { command = "sleep 1000", requires = { "db" } },
  }
  test.sup:start "web"
  local answer = curl(test, "GET", "/v1/tree")
  is(answer.status, 200)
  local of = {}
  for _, one in ipairs(answer.json.services) do of[one.service] = one end
  is_deeply(of.web.requires, { "db" })
  like(answer.body, '"requires":%[%]', "an empty list")
  tap.eventually(function()
    for _, one in ipairs(test.client:tree()) do
      if one.service == "db" then return #one.instances[1].processes == 2 end
    end
  end, 20, "the child as well")
end)

tap.test("the log's last lines, as text and as JSON", function()
  local test <close> = controls.open {
    web = shell "seq 1 100; printf 'not \\377 UTF-8\\n'; exec sleep 1000",
    two = { command = { shell = "echo $LUVISOR_INSTANCE; exec sleep 1000" },
            instances = 2 },
  }
  test.sup:start "web"
  test.sup:start "two"
  tap.eventually(function()
    return #test.sup:find "web"[1].log:tail(200) == 101
      and #test.sup:find "two@1"[1].log:tail(1) == 1
      and #test.sup:find "two@2"[1].log:tail(1) == 1
  end, 20)
  local answer = curl(test, "GET", "/v1/services/web/logs?n=3")
  is(answer.status, 200)
  is(answer.type, "text/plain; charset=utf-8")
  is(answer.body, "99\n100\nnot \xff UTF-8\n", "as it was written")
  local _, lines = test:ask("GET", "/v1/services/web/logs").body:gsub("\n", "")
  is(lines, 50)
  local last
  for line, name in test.client:logs("web", { n = 1 }) do
    last = name .. ": " .. line
  end
  is(last, "web: not \u{FFFD} UTF-8", "as JSON it must be UTF-8")
  is(test:ask("GET", "/v1/services/two/logs?n=1").body,
    "two@1 | 1\ntwo@2 | 2\n")
  local since = test:ask("GET", "/v1/services/web/logs?since=1")
  is(since.status, 400)
  like(since.json.error.message, "the log of web has no times")
end)

tap.test("since leaves out what is older", function()
  for _, stamps in ipairs { "iso", "unix" } do
    local test <close> = controls.open {
      web = { command = { shell = "echo one; exec sleep 1000" },
              log = { timestamps = stamps } } }
    test.sup:start "web"
    tap.eventually(function()
      return #test.sup:find "web"[1].log:tail(1) == 1
    end, 20)
    local path = "/v1/services/web/logs?since="
    like(test:ask("GET", path .. "1000000000").body, " one\n$", stamps)
    is(test:ask("GET", path .. "9000000000").body, "", stamps)
  end
end)

tap.test("plan says what apply does", function()
  local fs = require "luvisor.fs"
  local supervisor = require "luvisor.supervisor"
  local file = controls.TMP .. "/luvisor.lua"
  local head = ("luvisor { state_dir = %q, log = { dir = %q, level = 'error' } "
    .. "}\n"):format(controls.TMP .. "/state", controls.TMP .. "/log")
  local function write(text) fs.write_file(file, head .. text) end
  write 'service "a" { command = "sleep 1000" }'
  do
    local test <close> = controls.over(supervisor.new(file))
    is(test:ask("GET", "/v1/plan").body, '{"steps":[]}\n')
    write 'service "b" { command = "sleep 1000" }'
    local plan = curl(test, "GET", "/v1/plan").json.steps
    is(json.encode(plan), '[{"action":"stop","service":"a"},'
      .. '{"action":"start","service":"b"}]')
    is(json.encode(test.client:plan()), json.encode(plan))
    is(json.encode(curl(test, "POST", "/v1/apply").json.steps),
      json.encode(plan))
    test.client:wait("b", "running", 20)
    is_deeply(test.client:apply(), {})
    write 'service "b" { comand = "sleep 1000" }'
    local bad = test:ask("POST", "/v1/apply")
    is(bad.status, 400)
    is(bad.json.error.kind, "ConfigError")
    is(bad.json.error.errors[1].key, "comand")
    is(test.client:status "b"[1].state, "running", "nothing has changed")
  end
  fs.remove(file)
end)

tap.test("events are remembered", function()
  local test <close> = controls.open()
  test.sup:start "web"
  local list = curl(test, "GET", "/v1/events?follow=0").json.events
  is(list[#list].type, "state")
  is(list[#list].to, "running")
  local count = 0
  for event in test.client:events { n = 1, follow = false } do
    count = count + 1
    is(event.to, "running")
  end
  is(count, 1)
  is(#test:ask("GET", "/v1/events?follow=0&service=other").json.events, 0)
end)

tap.test("shutdown stops all, answers, and the supervisor ends", function()
  for i = 1, 2 do
    local test <close> = controls.open()
    local running = task.spawn(test.sup.run, test.sup)
    tap.eventually(function()
      return test.sup:status "web".state == "running"
    end, 20)
    if i == 1 then
      local answer = curl(test, "POST", "/v1/shutdown")
      is(answer.status, 200)
      is(answer.json.stopped, true)
    else
      test.client:shutdown()
    end
    is(running:join(), 0)
  end
end)

tap.test("the metrics are there", function()
  local test <close> = controls.open()
  local answer = curl(test, "GET", "/metrics")
  is(answer.status, 200)
  is(answer.type, "text/plain; version=0.0.4; charset=utf-8")
  like(answer.body, "\nluvisor_service_up{[^\n]*} 0\n")
  like(test.client:metrics(), "\nluvisor_info{version=")
end)

tap.test("no route was forgotten here", function()
  for _, row in ipairs(routes.table) do
    ok(asked[row[1] .. " " .. row[2]], row[1] .. " " .. row[2])
  end
end)

tap.done()
