-- What else clients send: wrong requests, half ones, several at once, and far
-- too much. Each is answered or closed upon, and the server goes on.
local fs = require "luvisor.fs"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, like, ok = tap.is, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")
local GET <const> = "GET /v1/services HTTP/1.1\r\nHost: x\r\n"
local POST <const> = "POST /v1/services/web/signal HTTP/1.1\r\nHost: x\r\n"
  .. "Connection: close\r\n"

local function get(path)
  return "GET " .. path .. " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
end

tap.test("wrong requests are answered with a sentence", function()
  local test <close> = controls.open()
  local cases = {
    { "GET", "/", 404, "NotFound", "there is no /" },
    { "GET", "/v1/service", 404, "NotFound",
      "there is no /v1/service; did you mean /v1/services?" },
    { "GET", "/v1/services/wib", 404, "NotFound",
      'no service "wib", did you mean "web"?' },
    { "POST", "/v1/services/web/explode", 404, "NotFound",
      "there is no /v1/services/web/explode" },
    { "POST", "/v1/services/web/strat", 404, "NotFound",
      "there is no /v1/services/web/strat; "
        .. "did you mean /v1/services/web/start?" },
    { "POST", "/v1/services/nope/start", 404, "NotFound",
      'no service "nope"' },
    { "DELETE", "/v1/services", 405, "BadMethod",
      "/v1/services wants GET, not DELETE" },
    { "GET", "/v1/services/web/start", 405, "BadMethod",
      "/v1/services/web/start wants POST, not GET" },
    { "GET", "/v1/services?x=1", 400, "UsageError", 'query: unknown "x"' },
    { "POST", "/v1/services/web/start?wiat=1", 400, "UsageError",
      'query: unknown "wiat"; did you mean "wait"?' },
    { "POST", "/v1/services/web/start?wait=soon", 400, "UsageError",
      'query: wait must be seconds, or as 1m30s, got "soon"' },
    { "GET", "/v1/services/web/logs?n=-1", 400, "UsageError",
      'query: n must be a number, 0 or more, got "-1"' },
    { "GET", "/v1/services/web/logs?n=0x10", 400, "UsageError",
      'query: n must be a number, 0 or more, got "0x10"' },
    { "GET", "/v1/services/web/logs?since=nan", 400, "UsageError",
      'query: since must be a number, got "nan"' },
    { "GET", "/v1/events?follow=maybe", 400, "UsageError",
      'query: follow must be 1 or 0, got "maybe"' },
    { "GET", "/v1/services/%00%ff", 404, "NotFound",
      'no service "\\0\u{FFFD}"' },
  }
  for _, case in ipairs(cases) do
    local method, path, status, kind, message = table.unpack(case)
    local answer = test:ask(method, path)
    is(answer.status, status, method .. " " .. path)
    is(answer.json.error.kind, kind)
    is(answer.json.error.message, message)
  end
  is(test:ask("DELETE", "/v1/services").headers.allow, "GET, HEAD")
  is(test:ask("PUT", "/v1/apply").headers.allow, "POST")
end)

tap.test("a path may be escaped, and its slashes doubled", function()
  local test <close> = controls.open()
  for _, path in ipairs { "/v1/services/%77eb", "/v1//services/web/",
                          "http://elsewhere/v1/services/web" } do
    is(test:raw_status(get(path)), 200, path)
  end
  is(test:raw_status(get "/v1/services%2Fweb"), 404, "a slash of a name")
  is(test:raw_status(get "/../v1/services"), 404, "there are no folders")
end)

tap.test("bodies must be the JSON that is meant", function()
  local test <close> = controls.open()
  test.sup:start "web"
  local bad = {
    "{", "[]", "[1]", "null", "3", '"x"', "nonsense", '{"signal":}',
    '{"signal":"HUP",}', '{"signal":"HUP"} {}', '{"sgnal":"HUP"}',
    '{"signal":true}', '{"signal":{}}', '{"signal":1e999}', '{"signal":NaN}',
    '{"signal":"\\ud800"}', '{"signal":"H\0UP"}', "\0", "\xff\xfe",
    ("["):rep(500000), '{"signal":' .. ("["):rep(101) .. ("]"):rep(101) .. "}",
    ('{"a":'):rep(1000) .. "1" .. ("}"):rep(1000),
    "{" .. ('"x":1,'):rep(100000) .. '"y":1}',
  }
  for _, body in ipairs(bad) do
    local answer = test:ask("POST", "/v1/services/web/signal", { body = body })
    is(answer.status, 400, ("%q"):format(body:sub(1, 20)))
    ok(answer.json.error.message, answer.json.error.message)
  end
  like(test:ask("POST", "/v1/services/web/signal", { body = "{\n x" }).json
    .error.message, "^JSON: line 2, column 2: ")
  is(test:ask("POST", "/v1/services/web/signal",
    { body = ' \n{"signal": "CONT"}\n' }).status, 200)
  is(test:ask("POST", "/v1/services/web/start", { body = "{}" }).status, 200)
end)

tap.test("a body may come in chunks, with any type", function()
  local test <close> = controls.open()
  test.sup:start "web"
  is(test:raw_status(POST .. "Transfer-Encoding: chunked\r\n\r\n"
    .. '9\r\n{"signal"\r\n8\r\n:"CONT"}\r\n0\r\n\r\n'), 200)
  is(test:raw_status(POST .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400)
  is(test:raw_status(POST .. "Content-Type: text/plain\r\n"
    .. 'Content-Length: 17\r\n\r\n{"signal":"CONT"}'), 200)
  is(test:curl("/v1/services/web/signal", "-d", '{"signal":"CONT"}').status,
    200, "curl -d, which calls it a form")
end)

tap.test("bodies and heads are bounded", function()
  local test <close> = controls.open()
  local big = (" "):rep((1 << 20) + 1)
  local answer = test:ask("POST", "/v1/apply", { body = big })
  is(answer.status, 413)
  is(answer.json.error.message, "the body is too large")
  local file = controls.TMP .. "/body"
  fs.write_file(file, big) -- for which curl asks first, by Expect
  is(test:curl("/v1/apply", "--data-binary", "@" .. file).status, 413)
  fs.remove(file)
  local chunk = ("%x\r\n%s\r\n"):format(1 << 16, (" "):rep(1 << 16))
  is(test:raw_status(POST .. "Transfer-Encoding: chunked\r\n\r\n"
    .. chunk:rep(17) .. "0\r\n\r\n"), 413)
  is(test:raw_status(POST .. "Content-Length: 999999999999999999\r\n\r\n"),
    413)
  is(test:raw_status(get("/" .. ("a"):rep(40000))), 414)
  is(test:raw_status(GET .. "X: " .. ("a"):rep(40000) .. "\r\n\r\n"), 431)
  is(test:raw_status(GET .. ("X: a\r\n"):rep(5000) .. "\r\n"), 431)
  is(test:ask("GET", "/v1/services").status, 200)
end)

tap.test("all bodies together are bounded", function()
  local test <close> = controls.open(nil, { limits = { max_bodies = 100000 } })
  local function status_of_1000()
    return test:raw_status(POST .. "Content-Length: 1000\r\n\r\n"
      .. (" "):rep(1000))
  end
  local holding <close> = test:connect()
  holding:write(POST .. "Content-Length: 100000\r\n\r\n" .. (" "):rep(99999))
  local other <close> = test:connect()
  for _ = 1, 50 do -- meanwhile the body has been read
    other:write(GET .. "\r\n")
    controls.read_answer(other)
  end
  is(status_of_1000(), 503)
  holding:close()
  tap.eventually(function() return test.control:connections() == 1 end, 20)
  is(status_of_1000(), 400, "what is given up makes room")
end)

tap.test("what is no HTTP is refused or closed upon", function()
  local test <close> = controls.open(nil, { limits = { receive = 0.2 } })
  local cases = {
    "\r\n\r\n", "nonsense\r\n\r\n", "GET\r\n\r\n", "\0\0\0\0\r\n\r\n",
    "GET /v1/services\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01",
    "GET /v1/services HTTP/9.9\r\nHost: x\r\n\r\n",
    "GET /v1/ser\0vices HTTP/1.1\r\nHost: x\r\n\r\n",
    POST .. "Content-Length: -1\r\n\r\n", POST .. "Content-Length: x\r\n\r\n",
    POST .. "Content-Length: 99999999999999999999999\r\n\r\n",
  }
  for _, bytes in ipairs(cases) do
    local socket <close> = test:connect()
    socket:write(bytes)
    local got = ""
    pcall(function() got = socket:read() or "" end)
    ok(got == "" or got:match "^HTTP/1%.[01] [45]%d%d ",
      ("%q: %s"):format(bytes:sub(1, 30), got:match "[^\r]*"))
  end
  is(test:ask("GET", "/v1/services").status, 200)
end)

tap.test("HTTP/1.0 is answered, and closed after it", function()
  local test <close> = controls.open()
  local answer = test:raw "GET /v1/services HTTP/1.0\r\n\r\n"
  like(answer, "^HTTP/1%.[01] 200 ")
  like(answer, '"services":%[{')
  is(test:raw_status "GET /v1/services HTTP/1.1\r\nConnection: close\r\n\r\n",
    400, "in 1.1 there must be a Host")
end)

tap.test("a connection serves many requests, also ones sent ahead", function()
  local test <close> = controls.open()
  local socket <close> = test:connect()
  for _ = 1, 3 do
    socket:write(GET .. "\r\n")
    local head, body = controls.read_answer(socket)
    like(head, "^HTTP/1.1 200 ")
    like(body, '"name":"web"')
  end
  socket:write((GET .. "\r\n"):rep(50) .. "GET /no HTTP/1.1\r\nHost: x\r\n\r\n")
  for _ = 1, 50 do controls.read_answer(socket) end
  like(controls.read_answer(socket), "^HTTP/1.1 404 ")
  is(test.control:connections(), 1)
end)

tap.test("what comes bit by bit is a request, too", function()
  local test <close> = controls.open()
  local socket <close> = test:connect()
  for char in (GET .. "\r\n"):gmatch "." do
    socket:write(char)
    task.checkpoint()
  end
  like(controls.read_answer(socket), "^HTTP/1.1 200 ")
end)

tap.test("half a request holds up nobody, and leaves nothing", function()
  local test <close> = controls.open()
  for _, half in ipairs { "", "G", GET, POST .. "Content-Length: 100\r\n\r\n{" }
  do
    local sockets = {}
    for i = 1, 20 do
      sockets[i] = test:connect()
      sockets[i]:write(half)
    end
    is(test:ask("GET", "/v1/services").status, 200)
    for _, socket in ipairs(sockets) do socket:close() end
  end
  tap.eventually(function() return test.control:connections() == 0 end, 20)
end)

tap.test("who asks and stops sending is answered", function()
  local test <close> = controls.open()
  local socket <close> = test:connect()
  socket:write(GET .. "\r\n")
  socket:write_eof()
  like(socket:readuntil "\r\n", "^HTTP/1.1 200 ")
end)

tap.test("a long path is not compared with all that there are", function()
  local test <close> = controls.open()
  local options = require "luvisor.options"
  local distance, longest = options.distance, 0
  local _ <close> = setmetatable({}, { __close = function()
    options.distance = distance
  end })
  options.distance = function(a, b)
    longest = math.max(longest, #a, #b)
    return distance(a, b)
  end
  is(test:raw_status(get("/" .. ("v1"):rep(14000))), 404)
  is(test:raw_status(get("/v1/services/" .. ("web"):rep(9000))), 404)
  is(test:raw_status(get("/v1/services?" .. ("wait"):rep(7000))), 400)
  ok(longest < 100, "that would take seconds")
end)

tap.done()
