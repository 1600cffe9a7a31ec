-- After CPython's test_streams.py: connections and servers.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local net = require "luvisor.net"
local tap = require "luvisor.tap"

local HOST <const> = "127.0.0.1"

-- Runs fn in a loop whose exception handler must hear of nothing.
local function test(name, fn)
  tap.test(name, function()
    asyncio.run(function()
      local heard = {}
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function(_, context)
        heard[#heard + 1] = context.message
      end)
      fn(heard)
      tap.is_deeply(heard, {}, "the exception handler")
    end)
  end)
end

-- A server of web pages, as far as the tests go.
local function answer(reader, writer)
  for line in reader do
    if line == "\r\n" then break end
  end
  writer:write "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
  writer:write "Test message"
  writer:close()
end

local function port_of(server)
  return server.sockets[1]:getsockname().port
end

local function serve(handler)
  local server = asyncio.start_server(handler or answer, HOST, 0)
  return server, HOST, port_of(server)
end

local names = 0

local function unix_path()
  names = names + 1
  return ("@luvisor-test-%d-%d"):format(require "luvisor.core.os".getpid(),
    names)
end

local function serve_unix(handler)
  local path = unix_path()
  return asyncio.start_unix_server(handler or answer, path), path
end

-- ---- connecting ----

local function get(reader, writer)
  writer:write "GET / HTTP/1.0\r\n\r\n"
  tap.is(reader:readline(), "HTTP/1.0 200 OK\r\n")
  tap.like(reader:read(), "\r\n\r\nTest message$")
  writer:close()
  writer:wait_closed()
end

test("test_open_connection: a page is got", function()
  local _ <close>, host, port = serve()
  get(asyncio.open_connection(host, port))
end)

test("test_open_unix_connection: by a Unix socket", function()
  local _ <close>, path = serve_unix()
  get(asyncio.open_unix_connection(path))
end)

test("test_open_connection_no_loop_ssl: TLS is refused, and not left out",
function()
  tap.throws(function()
    asyncio.open_connection(HOST, 1, { ssl = true })
  end, "no TLS")
end)

test("test_open_unix_connection_no_loop_ssl: so on Unix sockets", function()
  tap.throws(function()
    asyncio.open_unix_connection("@x", { ssl = true, server_hostname = "" })
  end, "no TLS")
  tap.throws(function()
    asyncio.start_server(answer, HOST, 0, { ssl = true })
  end, "no TLS")
end)

test("test_start_tls: nor can a connection be made one of TLS", function()
  local _ <close>, host, port = serve(function(_, writer)
    writer:close()
  end)
  local reader, writer = asyncio.open_connection(host, port)
  tap.is(writer:get_extra_info "sslcontext", nil)
  tap.throws(function() writer:start_tls {} end, "no TLS")
  tap.is(reader:read(), "")
  writer:close()
end)

local function loses(reader, writer)
  writer._protocol:connection_lost(errors.new { kind = "Mine" })
  tap.throws(function() reader:read() end, "Mine")
  tap.throws(function() writer:drain() end, "Mine")
  writer:close()
end

test("test_open_connection_error: what the connection is lost by is raised by "
  .. "reads", function()
  local server <close>, host, port = serve()
  loses(asyncio.open_connection(host, port))
  server:abort_clients()
end)

test("test_open_unix_connection_error: so on Unix sockets", function()
  local server <close>, path = serve_unix()
  loses(asyncio.open_unix_connection(path))
  server:abort_clients()
end)

test("a connection that is refused raises", function()
  local server, host, port = serve()
  server:close()
  server:wait_closed()
  tap.throws(function() asyncio.open_connection(host, port) end,
    "ECONNREFUSED")
  tap.throws(function()
    asyncio.open_unix_connection(unix_path())
  end, "ECONNREFUSED")
  tap.throws(function() asyncio.open_connection(HOST) end, "UsageError")
  tap.throws(function()
    asyncio.open_connection(HOST, 1, { limt = 1 })
  end, 'mean "limit"')
end)

-- ---- serving ----

local function echo(reader, writer)
  local data = reader:readline()
  writer:write(data)
  writer:drain()
  writer:close()
  writer:wait_closed()
end

local function echo_in_task(reader, writer)
  asyncio.create_task(echo, reader, writer)
end

local function hello(reader, writer)
  writer:write "hello world!\n"
  local data = reader:readline()
  writer:close()
  writer:wait_closed()
  return data
end

test("test_start_server: its function may wait, or start a Task", function()
  local listener = net.listen { host = HOST, port = 0 }
  local server = asyncio.start_server(echo, { sock = listener })
  tap.is(hello(asyncio.open_connection(HOST, listener.address.port)),
    "hello world!\n")
  server:close()
  server:wait_closed()

  server = serve(echo_in_task)
  local port = port_of(server)
  tap.is(server:is_serving(), true)
  tap.is(hello(asyncio.open_connection(HOST, port)), "hello world!\n")
  server:close()
  server:wait_closed()
  tap.is(server:is_serving(), false)
  tap.is_deeply(server.sockets, {})
  server:close()
end)

test("test_start_unix_server: so on Unix sockets", function()
  for _, handler in ipairs { echo, echo_in_task } do
    local dir <close> = children.tmpdir()
    local path = dir.path .. "/socket"
    local server = asyncio.start_unix_server(handler, path)
    tap.is(hello(asyncio.open_unix_connection(path)), "hello world!\n")
    server:close()
    server:wait_closed()
    tap.is(io.open(path), nil, "the socket's file is gone")
  end
end)

test("a server begins when it is told to", function()
  local server <close> = asyncio.start_server(echo, HOST, 0,
    { start_serving = false, backlog = 5, limit = 100 })
  tap.is(server:is_serving(), false)
  local client = asyncio.create_task(function()
    return hello(asyncio.open_connection(HOST, port_of(server)))
  end)
  asyncio.sleep(0.01)
  tap.is(client:done(), false)
  server:start_serving()
  server:start_serving()
  tap.is(client:await(), "hello world!\n")
end)

test("serve_forever ends by a cancellation, and by close", function()
  for _, stop in ipairs { "cancel", "close" } do
    local server, _, port = serve(echo)
    local task = asyncio.create_task(server.serve_forever, server)
    tap.is(hello(asyncio.open_connection(HOST, port)), "hello world!\n")
    tap.throws(function() server:serve_forever() end, "another task")
    if stop == "cancel" then task:cancel() else server:close() end
    tap.throws(function() task:await() end, asyncio.CancelledError)
    tap.is(server:is_serving(), false)
    tap.throws(function() server:start_serving() end, "Closed")
  end
end)

test("wait_closed waits for the connections", function()
  local server, host, port = serve(function(reader, writer)
    reader:read()
    writer:close()
  end)
  local reader, writer = asyncio.open_connection(host, port)
  writer:write "x"
  writer:drain()
  tap.eventually(function() return next(server._clients) end)
  server:close()
  local task = asyncio.create_task(server.wait_closed, server)
  asyncio.sleep(0.01)
  tap.is(task:done(), false)
  writer:write_eof()
  tap.is(writer:is_closing(), false, "reading goes on")
  writer:drain()
  task:await()
  tap.is(reader:read(), "")
  writer:close()
end)

test("close_clients and abort_clients end the connections", function()
  for _, how in ipairs { "close_clients", "abort_clients" } do
    local server <close>, host, port = serve(function(reader)
      tap.is(reader:read(), "")
    end)
    local reader, writer = asyncio.open_connection(host, port)
    tap.eventually(function() return next(server._clients) end)
    server[how](server)
    tap.is(reader:read(), "")
    writer:close()
  end
end)

test("what is known of a connection", function()
  local server <close>, host, port = serve()
  local reader, writer = asyncio.open_connection(host, port)
  local peer = writer:get_extra_info "peername"
  tap.is(peer.port, port)
  tap.is(peer.host, HOST)
  tap.isnt(writer:get_extra_info "sockname".port, port)
  tap.is(writer:get_extra_info("nothing", "default"), "default")
  tap.like(tostring(writer), "SocketTransport open to 127.0.0.1:" .. port)
  tap.like(tostring(server), "Server listener")
  get(reader, writer)
end)

-- ---- handlers that fail ----

-- Connects to a server whose function is this one; returns what the exception
-- handler heard.
local function unhandled(handler)
  return function(heard)
    local server <close>, host, port = serve(handler)
    local reader, writer = asyncio.open_connection(host, port)
    writer:write "test msg"
    writer:drain()
    tap.is(reader:read(), "", "the connection is closed")
    writer:close()
    writer:wait_closed()
    server:close()
    server:wait_closed()
    local messages = table.move(heard, 1, #heard, 1, {})
    for i in ipairs(messages) do heard[i] = nil end
    return messages
  end
end

test("test_unhandled_exception: an error of a handler is told, and closes",
function(heard)
  local messages = unhandled(function() error "test" end)(heard)
  tap.is_deeply(messages, { "Unhandled exception in client_connected_cb" })
end)

test("test_unhandled_cancel: a cancelled handler is silent", function(heard)
  local messages = unhandled(function(_, writer)
    writer:close()
    asyncio.current_task():cancel()
  end)(heard)
  tap.is_deeply(messages, {})
end)

tap.done()
