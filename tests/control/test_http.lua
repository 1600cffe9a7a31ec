-- luvisor.http: being a server and asking one, over Unix sockets and TCP.
local core_os = require "luvisor.core.os"
local fs = require "luvisor.fs"
local http = require "luvisor.http"
local net = require "luvisor.net"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, like, ok = tap.is, tap.like, tap.ok
local TMP <const> = os.getenv "TMPDIR"

local function serve(handler, opts)
  local place = { host = "127.0.0.1", port = 0 }
  for name, value in pairs(opts or {}) do place[name] = value end
  local server = http.serve(place, handler)
  return server, "http://127.0.0.1:" .. server.address.port
end

tap.test("the handler gets what was asked, the client what it answers",
  function()
    local seen
    local server <close>, url = serve(function(request)
      seen = request
      return { status = 201, headers = { ["X-Two"] = { "a", "b" }, X = 1 },
               body = request.body:upper() }
    end)
    local answer = http.request { method = "PUT", body = "text", timeout = 20,
      url = url .. "/a%20b//c%2Fd?x=1&y=%26+&z", headers = { ["X-Y"] = "v" } }
    is(answer.status, 201)
    is(answer.body, "TEXT")
    is(answer.headers["x-two"], "a, b")
    is(answer.headers.x, "1")
    is(answer.headers["content-type"], "text/plain; charset=utf-8")
    is(answer.url, url .. "/a%20b//c%2Fd?x=1&y=%26+&z")
    is(seen.method, "PUT")
    is(seen.path, "/a b//c/d")
    is(table.concat(seen.segments, "|"), "a b|c/d")
    tap.is_deeply(seen.query, { x = "1", y = "& ", z = "" })
    is(seen.headers["x-y"], "v")
    is(seen.version, "HTTP/1.1")
    is(seen.peer, nil, "TCP does not say who it is")
    is(server:connections() <= 1, true)
  end)

tap.test("on a Unix socket the kernel says who asks", function()
  local path = TMP .. "/socket"
  local server <close> = http.serve({ path = path, mode = "600" },
    function(request)
      return ("%d %d"):format(request.peer.pid, request.peer.uid)
    end)
  is(fs.stat(path).mode & 511, tonumber("600", 8))
  is(http.get("http://x/", { unix = path, timeout = 20 }).body,
    ("%d %d"):format(core_os.getpid(), core_os.geteuid()))
  server:close()
  ok(not fs.exists(path), "its file goes with it")
  server:close()
end)

tap.test("an error becomes a 500, and the server goes on", function()
  local told = {}
  local server <close>, url = serve(function(request)
    if request.path == "/raise" then error "oops" end
    if request.path == "/nothing" then return nil end
    return "fine"
  end, { on_error = function(err, request)
    told[#told + 1] = request.path .. ": " .. tostring(err)
  end })
  for _, path in ipairs { "/raise", "/nothing" } do
    local answer = http.get(url .. path, { timeout = 20 })
    is(answer.status, 500)
    is(answer.body, "internal error\n", "which does not say why")
  end
  like(told[1], "^/raise: .*oops")
  like(told[2], "^/nothing: .*must return an answer")
  is(http.get(url .. "/", { timeout = 20 }).body, "fine")
  is(server.address.host, "127.0.0.1")
end)

tap.test("an answer in chunks is sent as it is made", function()
  local gate = require "luvisor.sync".event()
  local closed = 0
  local server <close>, url = serve(function()
    local n = 0
    local chunks = setmetatable({}, {
      __call = function()
        n = n + 1
        if n == 2 then gate:wait() end
        return n <= 3 and n .. "\n" or nil
      end,
      __close = function() closed = closed + 1 end,
    })
    return { chunks = chunks }
  end)
  local answer = http.get(url, { stream = true, timeout = 20 })
  is(answer.body:readline(), "1")
  gate:set()
  is(answer.body:read(), "2\n3\n")
  is(answer.body:read(), "")
  is(closed, 1)
  is(http.request { method = "HEAD", url = url, timeout = 20 }.body, "")
  is(closed, 2, "also if none is asked for")
  ok(server)
end)

tap.test("a handler is cancelled if its client leaves", function()
  local began, cancelled = 0, 0
  local server <close>, url = serve(function()
    began = began + 1
    local _ <close> = setmetatable({}, { __close = function()
      cancelled = cancelled + 1
    end })
    task.sleep(1000)
  end)
  local asked = task.spawn(function()
    task.move_on(1000, http.get, url)
  end)
  tap.eventually(function() return began == 1 end, 20)
  asked:cancel()
  tap.eventually(function() return cancelled == 1 end, 20)
  is(began, 1)
  tap.eventually(function() return server:connections() == 0 end, 20)
end)

tap.test("close waits a moment for answers under way", function()
  local gate = require "luvisor.sync".event()
  local began = 0
  local function begin(grace)
    return serve(function()
      began = began + 1
      gate:wait()
      return "done"
    end, { grace = grace })
  end
  local server, url = begin(20)
  local asked = task.spawn(http.get, url, { timeout = 20 })
  tap.eventually(function() return began == 1 end, 20)
  task.spawn(gate.set, gate)
  server:close()
  is(asked:join().body, "done")
  gate:clear()
  server, url = begin(0.05)
  asked = task.spawn(pcall, http.get, url, { timeout = 20 })
  tap.eventually(function() return began == 2 end, 20)
  server:close()
  is(asked:join(), false, "and no longer")
end)

tap.test("a timeout says what was asked", function()
  local server <close>, url = serve(function() task.sleep(1000) end)
  local _, err = pcall(http.get, url, { timeout = 0.05 })
  is(err.kind, "Timeout")
  is(err.message, ("GET %s: no answer within 0.05 s"):format(url))
  ok(server)
end)

tap.test("what cannot be asked says why", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local port = listener.address.port
  local mute = task.spawn(function()
    for _ = 1, 2 do
      local socket <close> = listener:accept()
      socket:readuntil "\r\n\r\n"
      socket:write "no HTTP at all\r\n\r\n"
    end
  end)
  local url = ("http://127.0.0.1:%d/"):format(port)
  local function err_of(...)
    local _, err = pcall(http.get, ...)
    return err
  end
  local no_http = err_of(url, { timeout = 20 })
  ok(no_http:is "Failed" or no_http:is "IncompleteRead", tostring(no_http))
  err_of(url, { timeout = 20 })
  mute:join()
  listener:close()
  is(err_of(url, { timeout = 20 }).code, "ECONNREFUSED")
  is(err_of("http://x/", { unix = TMP .. "/none" }).code, "ENOENT")
  is(err_of("ftp://x/").kind, "UsageError")
  is(err_of("http://x/", { timeuot = 3 }).kind, "UsageError")
  is(err_of("http://x/", { headers = { ["a b"] = "c" } }).kind, "UsageError")
  is(err_of("http://x/", { headers = { a = "b\r\nc: d" } }).kind, "UsageError")
end)

tap.test("an answer is bounded", function()
  local server <close>, url = serve(function() return ("x"):rep(100000) end)
  is(#http.get(url, { timeout = 20 }).body, 100000)
  local _, err = pcall(http.get, url, { timeout = 20, max = 1000 })
  is(err.kind, "LimitOverrun")
  ok(#err.partial >= 1000)
  is(server:connections() <= 1, true)
end)

tap.test("redirections are followed as often as is said, secrets stay",
  function()
    local seen = {}
    local other <close>, there = serve(function(request)
      seen[#seen + 1] = request.headers.authorization or "none"
      return "there " .. request.method
    end)
    local server <close>, url = serve(function(request)
      seen[#seen + 1] = request.headers.authorization or "none"
      if request.path == "/loop" then
        return { status = 302, headers = { Location = "loop" } }
      end
      local status = tonumber(request.query.s)
      return { status = status, headers = { Location = there .. "/x" } }
    end)
    local function ask(path, n, method)
      seen = {}
      return http.request { url = url .. path, redirects = n, timeout = 20,
        method = method or "GET", headers = { Authorization = "key" },
        body = method == "POST" and "b" or nil }
    end
    is(ask("/?s=302", 0).status, 302)
    is(ask("/?s=302", 1).body, "there GET")
    is(table.concat(seen, " "), "key none")
    is(ask("/?s=303", 1, "POST").body, "there GET")
    is(ask("/?s=307", 1, "POST").body, "there POST")
    is(ask("/loop", 3).status, 302)
    is(#seen, 4)
    ok(other and server)
  end)

tap.done()
