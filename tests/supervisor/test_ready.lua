-- When is a service ready? Real servers, asked in each of the ways.
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

local function ready_by(spec, ready)
  spec.ready = ready
  return spec
end

-- What it says to PING.
local function ping(where)
  local conn <close> = lv.net.connect(where)
  conn:write "PING\r\n"
  return conn:readline()
end

local has_redis = servers.has "redis-server"

local function redis_test(name, fn)
  tap.test(name, function()
    if not has_redis then return tap.skip "there is no redis-server" end
    fn()
  end)
end

redis_test("redis by { tcp = }: it answers when start returns", function()
  local port = servers.free_port()
  with({ db = ready_by(servers.redis { port = port },
    { tcp = "127.0.0.1:" .. port }) }, function(sup)
    sup:start "db"
    like(ping { host = "127.0.0.1", port = port }, "^+PONG")
    is(sup:status("db").ready, true)
  end)
end)

redis_test("redis by { unix = }", function()
  local path = TMP .. "/redis.sock"
  with({ db = ready_by(servers.redis { path = path }, { unix = path }) },
    function(sup)
      sup:start "db"
      like(ping { path = path }, "^+PONG")
    end)
end)

redis_test("redis by { command = redis-cli ping }", function()
  local path = TMP .. "/redis.sock"
  with({ db = ready_by(servers.redis { path = path },
    { command = { "redis-cli", "-e", "-s", path, "ping" } }) }, function(sup)
    sup:start "db"
    like(ping { path = path }, "^+PONG")
  end)
end)

redis_test("redis by a line of its log, with a fact", function()
  local port = servers.free_port()
  with({ db = ready_by(servers.redis { port = port },
    { log = "[Rr]eady to accept connections" }) }, function(sup)
    sup:start "db"
    like(ping { host = "127.0.0.1", port = port }, "^+PONG")
  end)
end)

tap.test("nginx by { http = }", function()
  if not servers.has "nginx" then return tap.skip "there is no nginx" end
  local dir, port = fs.mkdtemp { prefix = "nginx-" }, servers.free_port()
  local url = ("http://127.0.0.1:%d/"):format(port)
  with({ web = ready_by(servers.nginx(dir, port), { http = url }) },
    function(sup)
      sup:start "web"
      is(lv.http.get(url, { timeout = 10 }).body, "well\n")
    end)
  fs.remove(dir, { recursive = true })
end)

tap.test("by { http = }, a status of 500 is not ready, 200 is", function()
  local port, file = servers.free_port(), TMP .. "/status"
  servers.write(file, 500)
  with({ web = ready_by(servers.python(port, file),
    { http = ("http://127.0.0.1:%d/x"):format(port) }) }, function(sup)
    local starter = task.spawn(sup.start, sup, "web")
    local inst = sup:find("web")[1]
    tap.eventually(function()
      return (inst.ready_error or ""):find "answers 500"
    end, 30, "it has answered 500")
    is(inst.state, "starting")
    servers.write(file, 200)
    starter:join()
    is(inst.state, "running")
  end)
  os.remove(file)
end)

tap.test("not ready in time: stopped, tried again, and the last answer said",
  function()
    local port = servers.free_port()
    with({ a = { command = "sleep 100", ready_timeout = 60,
      ready = { tcp = "127.0.0.1:" .. port, timeout = 0.5 },
      burst = { count = 2, retry_after = false }, backoff = { initial = 0 } } },
      function(sup)
        local _, err = tap.throws(function() sup:start "a" end, "Failed")
        like(tostring(err), "not ready after 0.5 s: connect .*ECONNREFUSED")
        is(sup:status("a").restarts, 1)
      end)
    with({ a = { command = "sleep 100", ready_timeout = 0.05,
      ready = { command = { shell = "echo who; exit 3" } },
      burst = { count = 1, retry_after = false } } }, function(sup)
      tap.throws(function() sup:start "a" end,
        "not ready after 0.05 s")
    end)
  end)

tap.test("a service that ends before it is ready is told of at once", function()
  for _, ready in ipairs { { delay = 1000 }, { tcp = "127.0.0.1:1" },
    { unix = TMP .. "/none" }, { log = "never" }, { notify = true },
    { fd = 4 }, { command = "false" }, { http = "http://127.0.0.1:1/" },
    { fn = function() task.sleep(1000) end } } do
    with({ a = { command = { shell = "sleep 0.05; exit 7" }, ready = ready,
      restart = "never" } }, function(sup)
      local _, err = pcall(sup.start, sup, "a")
      like(tostring(err), "a is failed: .*exited 7", next(ready))
    end)
  end
end)

tap.test("a start is given up at each of the waits", function()
  local slow = { shell = "sleep 1000" }
  local listener <close> = lv.net.listen { path = TMP .. "/deaf" }
  for _, ready in ipairs { { delay = 1000 }, { tcp = "127.0.0.1:1" },
    { unix = TMP .. "/none" }, { log = "never" }, { notify = true },
    { fd = 4 }, { command = slow }, { http = "http://127.0.0.1:1/" },
    { fn = function() task.sleep(1000) end },
    { fn = function() while true do end end } } do
    with({ a = { command = "sleep 100", ready = ready } }, function(sup)
      local starter = task.spawn(pcall, sup.start, sup, "a")
      local inst = sup:find("a")[1]
      inst:wait_until(function(i) return i.state == "starting" end)
      for _ = 1, 20 do task.checkpoint() end
      sup:stop "a"
      is(inst.state, "stopped", next(ready))
      local started = starter:join()
      is(started, false)
    end)
  end
  listener:close()
end)

tap.test("by { fd = }: a newline, after what comes before it", function()
  with({ a = { command = { shell = "printf 'so far ' >&5; echo so good >&5; "
    .. "exec 5>&-; exec sleep 100" }, ready = { fd = 5 } } }, function(sup)
    sup:start "a"
    is(sup:status("a").state, "running")
  end)
end)

tap.test("by { fd = }: closed without a newline is a failure", function()
  with({ a = { command = { shell = "printf x >&3; exec 3>&-; sleep 100" },
    ready = { fd = 3 }, restart = "never" } }, function(sup)
    tap.throws(function() sup:start "a" end,
      "it closed descriptor 3 without a newline")
  end)
end)

tap.test("by { delay = }: it must live so long", function()
  with({ a = { command = "sleep 100", ready = { delay = "50ms" } } },
    function(sup)
      sup:start "a"
      is(sup:status("a").state, "running")
    end)
end)

tap.test("by default it is ready once it is executed", function()
  with({ a = { command = "sleep 100" },
    b = { command = { "sleep", "100" }, cwd = TMP .. "/none",
          restart = "never" } }, function(sup)
    sup:start "a"
    is(sup:status("a").state, "running")
    tap.throws(function() sup:start "b" end, "No such file or directory")
  end)
end)

tap.test("what was ready and is not any more is not started again for it",
  function()
    local port, file = servers.free_port(), TMP .. "/status"
    servers.write(file, 200)
    with({ web = ready_by(servers.python(port, file),
      { http = ("http://127.0.0.1:%d/"):format(port) }) }, function(sup)
      sup:start "web"
      local pid = sup:status("web").pid
      servers.write(file, 500)
      local answer = lv.http.get(("http://127.0.0.1:%d/"):format(port),
        { timeout = 10 })
      is(answer.status, 500)
      is(sup:status("web").pid, pid, "that is the business of `health`")
    end)
    os.remove(file)
  end)

tap.test("each new start must be ready again", function()
  with({ a = { command = { shell = "echo up >&3; exec sleep 100" },
    ready = { fd = 3 }, backoff = { initial = 0.01 } } }, function(sup)
    sup:start "a"
    for _ = 1, 3 do
      local inst = sup:find("a")[1]
      local first = inst.pid
      sup:signal("a", "KILL")
      inst:wait_until(function()
        return inst.state == "running" and inst.pid ~= first
      end)
    end
    ok(true)
  end)
end)

tap.done()
