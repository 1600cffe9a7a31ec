-- Many connections at once, and those that do nothing.
-- slow
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, like, ok = tap.is, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local controls = dofile(SOURCE .. "/tests/support/control.lua")
local GET <const> = "GET /v1/services HTTP/1.1\r\nHost: x\r\n\r\n"

-- Both ends of them are ours.
local function need_descriptors(n)
  local file <close> = io.open "/proc/self/limits"
  local most = file:read "a":match "Max open files +%d+ +(%d+)"
  if tonumber(most) < n then tap.skip("too few descriptors: " .. most) end
end

local function close_all(sockets)
  for _, socket in ipairs(sockets) do socket:close() end
end

tap.test("1024 are served at once, and the next when one has left", function()
  need_descriptors(2200)
  local test <close> = controls.open()
  local sockets = {}
  local _ <close> = setmetatable({}, { __close = function()
    close_all(sockets)
  end })
  for i = 1, 1024 do sockets[i] = test:connect() end
  tap.eventually(function() return test.control:connections() == 1024 end, 20)
  for _, socket in ipairs(sockets) do socket:write(GET) end
  local good = 0
  for _, socket in ipairs(sockets) do
    local head = controls.read_answer(socket)
    if head:find "^HTTP/1.1 200 " then good = good + 1 end
  end
  is(good, 1024)
  local answered = false
  local next_one <close> = test:connect()
  local waiting = task.spawn(function()
    next_one:write(GET)
    like(controls.read_answer(next_one), "^HTTP/1.1 200 ")
    answered = true
  end)
  for _ = 1, 3 do -- meanwhile the others are served
    sockets[1]:write(GET)
    controls.read_answer(sockets[1])
  end
  ok(not answered, "one more waits")
  is(test.control:connections(), 1024)
  table.remove(sockets):close()
  waiting:join()
end)

tap.test("a thousand clients that come at once are all answered", function()
  need_descriptors(2200)
  local test <close> = controls.open()
  local good = 0
  task.nursery(function(n)
    for _ = 1, 1000 do
      n:spawn(function()
        local socket <close> = test:connect()
        socket:write(GET)
        if controls.read_answer(socket):find "^HTTP/1.1 200 " then
          good = good + 1
        end
      end)
    end
  end)
  is(good, 1000)
  tap.eventually(function() return test.control:connections() == 0 end, 20)
end)

tap.test("more than there is room for are answered one after the other",
  function()
    local test <close> = controls.open(nil,
      { limits = { max_connections = 5 } })
    local good, most = 0, 0
    task.nursery(function(n)
      for _ = 1, 100 do
        n:spawn(function()
          local socket <close> = test:connect()
          socket:write(GET)
          controls.read_answer(socket)
          most = math.max(most, test.control:connections())
          good = good + 1
        end)
      end
    end)
    is(good, 100)
    ok(most <= 5, most .. " at once")
  end)

tap.test("who does nothing is closed upon, and makes room", function()
  local test <close> = controls.open(nil,
    { limits = { receive = 0.1, max_connections = 3 } })
  local post = "POST /v1/apply HTTP/1.1\r\nHost: x\r\n"
    .. "Content-Length: 9\r\n\r\n{"
  for _, bytes in ipairs { "", "GET", GET:sub(1, -3), post, GET } do
    local sockets = {}
    for i = 1, 3 do
      sockets[i] = test:connect()
      sockets[i]:write(bytes)
    end
    is(test:ask("GET", "/v1/services").status, 200,
      ("after %q"):format(bytes:sub(1, 10)))
    for _, socket in ipairs(sockets) do
      pcall(socket.read, socket) -- until the other side closes
    end
    close_all(sockets)
  end
  tap.eventually(function() return test.control:connections() == 0 end, 20)
end)

tap.test("who waits for an answer or for news does nothing, and may", function()
  local test <close> = controls.open(nil, { limits = { receive = 0.05,
    stall = 0.05 } })
  local socket <close> = test:connect()
  socket:write "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"
  socket:readuntil "\r\n\r\n"
  local waiting = task.spawn(function()
    return test:ask("POST", "/v1/services/web/wait?state=running").status
  end)
  task.sleep(0.2) -- four times what anybody else would have
  test.sup:start "web"
  is(waiting:join(), 200)
  like(socket:readuntil "\n\n", "event: state")
end)

tap.test("who takes nothing of an answer is closed upon", function()
  local test <close> = controls.open({ web = { command = { shell =
    "yes | head -c 3000000; echo end; exec sleep 1000" } } },
    { limits = { stall = 0.1 } })
  test.sup:start "web"
  tap.eventually(function()
    return test.sup:find "web"[1].log:tail(1)[1] == "end"
  end, 20)
  local socket <close> = test:connect()
  socket:write "GET /v1/services/web/logs?n=100000 HTTP/1.1\r\nHost: x\r\n\r\n"
  socket:write(GET:rep(3))
  tap.eventually(function() return test.control:connections() == 1 end, 20)
  local answered = socket:readuntil "\r\n\r\n"
  like(answered, "^HTTP/1.1 200 ")
  is(test:ask("GET", "/v1/services").status, 200)
  socket:close()
  tap.eventually(function() return test.control:connections() == 0 end, 20)
end)

tap.done()
