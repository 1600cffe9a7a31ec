-- Health: what runs is asked again and again, and restarted when it does not
-- answer.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok, like = tap.is, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local servers = dofile(SOURCE .. "/tests/support/servers.lua")
local with = services.with

local _ = lv.stream.stderr -- is opened once: no leak of the test that does
pcall(lv.http.get, "http://127.0.0.1:1/", { timeout = 1 }) -- as is libcurl

-- A service with this probe, asked often.
local function asked(health, more)
  health.interval = health.interval or 0.02
  local spec = { command = "sleep 100", health = health,
                 backoff = { initial = 0.01 } }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

-- Starts it and waits for its next life; returns why the first has ended.
local function outlived(sup, name)
  sup:start(name)
  local inst = sup:find(name)[1]
  local first, reason = inst.pid, nil
  task.timeout(30, inst.wait_until, inst, function()
    if inst.state == "backoff" then reason = inst.reason end
    return inst.state == "running" and inst.pid ~= first
  end)
  return reason
end

tap.test("http: a status of 500, so many times, restarts it", function()
  local port, file = servers.free_port(), TMP .. "/status"
  local url = ("http://127.0.0.1:%d/"):format(port)
  servers.write(file, 200)
  local spec = servers.python(port, file)
  spec.ready = { http = url }
  spec.backoff = { initial = 0.01 }
  spec.health = { http = url, interval = 0.02, timeout = 20, failures = 2 }
  spec.hooks = { pre_start = function() servers.write(file, 200) end }
  with({ web = spec }, function(sup)
    sup:start "web"
    local first = sup:status("web").pid
    local follower = sup.events:subscribe()
    servers.write(file, 500)
    local inst, reason = sup:find("web")[1], nil
    task.timeout(30, inst.wait_until, inst, function()
      if inst.state == "backoff" then reason = inst.reason end
      return inst.state == "running" and inst.pid ~= first
    end)
    is(reason, ("unhealthy, 2 times: %s answers 500"):format(url))
    is(sup:status("web").restarts, 1)
    follower:close()
    local told = 0
    for event in follower do
      if event.type == "health" then told = told + 1 end
    end
    is(told, 1, "an event says the first failure")
  end)
  os.remove(file)
end)

tap.test("tcp and unix: nobody takes the connection", function()
  local port = servers.free_port()
  with({
    t = asked { tcp = "127.0.0.1:" .. port, failures = 2 },
    u = asked { unix = TMP .. "/none", failures = 1 },
  }, function(sup)
    like(outlived(sup, "t"), "^unhealthy, 2 times: connect .*ECONNREFUSED")
    like(outlived(sup, "u"), "^unhealthy, 1 times: .*ENOENT")
  end)
end)

tap.test("tcp: a server that is there keeps it", function()
  local listener <close> = lv.net.listen { host = "127.0.0.1", port = 0 }
  with({ a = asked { tcp = "127.0.0.1:" .. listener.address.port,
    failures = 1 } }, function(sup)
    sup:start "a"
    local pid = sup:status("a").pid
    for _ = 1, 3 do listener:accept():close() end
    is(sup:status("a").pid, pid)
  end)
  listener:close()
end)

tap.test("command: its code; what it says is told", function()
  with({ a = asked { command = { shell = "echo 'disk full' >&2; exit 4" },
    failures = 1 } }, function(sup)
    is(outlived(sup, "a"), "unhealthy, 1 times: exited 4\n  | disk full")
  end)
end)

tap.test("command: it runs as the service does, and knows its pid", function()
  with({ a = asked({ command = { shell = "echo $LUVISOR_SERVICE $LUVISOR_PID "
    .. "$PORT $(pwd) > asked; exit 1" }, failures = 1 }, { cwd = TMP,
      env = { PORT = "1" }, restart = "never" }) }, function(sup)
    sup:start "a"
    local pid = sup:status("a").pid
    sup:wait("a", "failed", 30)
    is(fs.read_file(TMP .. "/asked"), ("a %d 1 %s\n"):format(pid, TMP))
  end)
  os.remove(TMP .. "/asked")
end)

tap.test("function: false, an error, a reason", function()
  local answers = {
    { function() return false end, "the function says no" },
    { function() return nil, "too few" end, "too few" },
    { function() error("oh", 0) end, "oh" },
    { function(svc) error(svc.name .. " " .. svc.state, 0) end, "a running" },
  }
  for _, one in ipairs(answers) do
    with({ a = asked { fn = one[1], failures = 1 } }, function(sup)
      is(outlived(sup, "a"), "unhealthy, 1 times: " .. one[2])
    end)
  end
end)

tap.test("a probe that hangs has failed at its time limit", function()
  local listener <close> = lv.net.listen { path = TMP .. "/deaf" }
  local hanging = {
    { command = { shell = "trap '' TERM; sleep 1000 & wait" } },
    { fn = function() task.sleep(1000) end },
    { fn = function() while true do end end },
  }
  for _, health in ipairs(hanging) do
    health.timeout, health.failures = 0.05, 1
    with({ a = asked(health) }, function(sup)
      like(outlived(sup, "a"), "^unhealthy, 1 times: timed out after 0.05 s")
    end)
  end
  listener:close()
end)

tap.test("a server that accepts and says nothing is not healthy by http",
  function()
    local listener <close> = lv.net.listen { host = "127.0.0.1", port = 0 }
    local url = ("http://127.0.0.1:%d/"):format(listener.address.port)
    with({ a = asked { http = url, timeout = 0.1, failures = 1 } },
      function(sup) like(outlived(sup, "a"), "^unhealthy, 1 times: ") end)
    listener:close()
  end)

tap.test("one answer in between begins the count anew", function()
  local n = 0
  with({ a = asked { fn = function()
    n = n + 1
    return n % 3 == 0
  end, failures = 3 } }, function(sup)
    sup:start "a"
    local pid = sup:status("a").pid
    tap.eventually(function() return n >= 9 end, 30)
    is(sup:status("a").pid, pid)
  end)
end)

tap.test("it is asked only while it runs", function()
  local states, n = {}, 0
  with({ a = asked({ fn = function(svc)
    states[svc.state] = true
    n = n + 1
  end }, { ready = { delay = 0.1 },
    command = { shell = "trap 'sleep 0.1; exit' TERM; while :; do sleep 0.01; "
      .. "done" } }) }, function(sup)
    sup:start "a"
    tap.eventually(function() return n > 2 end, 30)
    sup:stop "a"
    local now = n
    task.sleep(0.1)
    is(n, now)
    tap.is_deeply(states, { running = true })
  end)
end)

tap.test("a probe that fails or hangs delays no other", function()
  local asked_b = 0
  with({
    a = asked { fn = function() while true do end end, timeout = 1000 },
    c = asked { fn = function() task.sleep(1000) end, timeout = 1000 },
    d = asked { command = "sleep 1000", timeout = 1000 },
    b = asked { fn = function() asked_b = asked_b + 1 end },
  }, function(sup)
    for _, name in ipairs { "a", "b", "c", "d" } do sup:start(name) end
    tap.eventually(function() return asked_b > 5 end, 30)
    for _, name in ipairs { "a", "b", "c", "d" } do sup:stop(name) end
    is(sup:status("b").state, "stopped", "nor a stop")
  end)
end)

tap.test("`after` leaves it alone at first", function()
  local at
  with({ a = asked { fn = function() at = at or lv.time.now() end,
    after = 0.2 } }, function(sup)
    local started = lv.time.now()
    sup:start "a"
    tap.eventually(function() return at end, 30)
    ok(at - started >= 0.2)
  end)
end)

tap.test("a changed probe is taken up at once, without a restart", function()
  local heard = {}
  local function config(health)
    return services.config { a = { command = "sleep 100", health = health } }
  end
  local function note(name)
    return { fn = function() heard[name] = true end, interval = 0.02 }
  end
  with({ a = { command = "sleep 100", health = {
    fn = function() heard.first = true end, interval = 1000 } } },
    function(sup)
      sup:start "a"
      local pid = sup:status("a").pid
      sup:apply(config(note "second"))
      tap.eventually(function() return heard.second end, 30)
      is(heard.first, nil)
      sup:apply(config(nil))
      heard.second = nil
      task.sleep(0.1)
      is(heard.second, nil, "it may be taken away")
      sup:apply(config(note "third"))
      tap.eventually(function() return heard.third end, 30, "and given back")
      is(sup:status("a").pid, pid)
    end)
end)

tap.done()
