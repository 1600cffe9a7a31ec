-- After CPython's test_streams.py: flow control, and the ends of connections.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local HOST <const> = "127.0.0.1"
local HIGH <const>, LOW <const> = 64 * 1024, 16 * 1024

-- Runs fn in a loop whose exception handler must hear of nothing.
local function test(name, fn)
  tap.test(name, function()
    asyncio.run(function()
      local heard = {}
      local loop = asyncio.get_running_loop()
      loop:set_exception_handler(function(_, context)
        heard[#heard + 1] = context.message
      end)
      fn()
      tap.is_deeply(heard, {}, "the exception handler")
    end)
  end)
end

local function answer(reader, writer)
  reader:readline()
  writer:write "HTTP/1.0 200 OK\r\n\r\nTest message"
  writer:close()
end

local function connect(handler)
  local server = asyncio.start_server(handler or answer, HOST, 0)
  local port = server.sockets[1]:getsockname().port
  return server, asyncio.open_connection(HOST, port)
end

local function ask(reader, writer)
  writer:write "GET / HTTP/1.0\r\n"
  tap.is(reader:readline(), "HTTP/1.0 200 OK\r\n")
end

-- ---- closing ----

test("test_wait_closed_on_close: closed is closing, at once", function()
  local _ <close>, reader, writer = connect()
  ask(reader, writer)
  tap.is(reader:read(), "\r\nTest message")
  tap.is(writer:is_closing(), false)
  writer:close()
  tap.is(writer:is_closing(), true)
  writer:wait_closed()
  writer:wait_closed()
end)

test("test_wait_closed_on_close_with_unread_data: unread data do not hold it",
function()
  local _ <close>, reader, writer = connect()
  ask(reader, writer)
  writer:close()
  writer:wait_closed()
  tap.ok(reader)
end)

test("test_async_writer_api: write, read, close, wait", function()
  local _ <close>, reader, writer = connect()
  ask(reader, writer)
  tap.is(reader:read(), "\r\nTest message")
  do
    local _ <close> = writer
    tap.is(writer:can_write_eof(), true)
  end
  tap.is(writer:is_closing(), true, "<close> closes")
  writer:wait_closed()
end)

test("test_async_writer_api_exception_after_close: what is written then is "
  .. "lost, and drain says so", function()
  local _ <close>, reader, writer = connect()
  ask(reader, writer)
  reader:read()
  writer:close()
  writer:write "data"
  tap.throws(function() writer:drain() end, asyncio.ConnectionResetError)
end)

test("test_eof_feed_when_closing_writer: the reader is at its end then",
function()
  local _ <close>, reader, writer = connect(function(_, w) w:close() end)
  writer:close()
  writer:wait_closed()
  tap.is(reader:at_eof(), true)
  tap.is(reader:read(), "")
end)

test("close leaves what was read", function()
  local _ <close>, reader, writer = connect()
  ask(reader, writer)
  tap.eventually(function() return reader._r:buffered() == 14 end)
  writer:close()
  tap.is(reader:read(), "\r\nTest message")
end)

test("a close flushes what was written", function()
  local size
  local server <close>, reader, writer = connect(function(r, w)
    asyncio.sleep(0.01)
    size = #r:read()
    w:close()
  end)
  writer:write(("x"):rep(4 * 1024 * 1024))
  writer:close()
  writer:wait_closed()
  server:close()
  server:wait_closed()
  tap.is(size, 4 * 1024 * 1024)
  tap.is(reader:at_eof(), true)
end)

-- What a script writes to stderr.
local function warnings(script)
  return children.run([[
    local asyncio = lv.asyncio
    local server
    local function connect(handler)
      server = asyncio.start_server(handler, "127.0.0.1", 0)
      local at = server.sockets[1]:getsockname()
      return asyncio.open_connection("127.0.0.1", at.port)
    end
    local function closing(_, w) w:close() end
    local function collect()
      for _ = 1, 3 do collectgarbage() end
    end
  ]] .. script).stderr
end

test("test_unclosed_resource_warnings: a writer that was forgotten is closed, "
  .. "and told of", function()
  local said = warnings [[
    asyncio.run(function()
      do
        local r, w = connect(closing)
        r:read()
      end
      asyncio.sleep(0)
      collect()
      server:close()
    end)
  ]]
  tap.like(said, "^luvisor: warning: unclosed <StreamWriter transport=<Socket")
  tap.is(children.count(said, "\n"), 1)
end)

test("test_loop_is_closed_resource_warnings: after the end of its loop it can "
  .. "still be closed", function()
  tap.is(warnings [[
    local w
    asyncio.run(function()
      local r
      r, w = connect(closing)
      r:read()
      server:close()
    end)
    w:close()
    w = nil
    collect()
  ]], "")
end)

test("test_unclosed_server_resource_warnings: a handler may forget its writer",
function()
  local said = warnings [[
    asyncio.run(function()
      local r, w = connect(function() end)
      asyncio.sleep(0.01)
      collect()
      r:read()
      w:close()
      server:close()
      server:wait_closed()
    end)
  ]]
  tap.like(said, "^luvisor: warning: unclosed <StreamWriter")
  tap.is(children.count(said, "\n"), 1)
end)

-- ---- flow control ----

test("test_multiple_drain: any number of tasks may drain", function()
  local flow = asyncio.streams.FlowControlMixin()
  flow:pause_writing()
  local loop, drained = asyncio.get_running_loop(), 0
  loop:call_later(0.01, flow.resume_writing, flow)
  local drainers = {}
  for i = 1, 10 do
    drainers[i] = function()
      flow:_drain_helper()
      drained = drained + 1
    end
  end
  asyncio.gather(table.unpack(drainers))
  tap.is(drained, 10)
end)

test("test_multiple_drain: so of a pipe that is full, and all hear of its loss",
function()
  for _, lose in ipairs { false, true } do
    local from, to = stream.pipe()
    local _, protocol = nil, asyncio.streams.FlowControlMixin()
    local transport = asyncio.connect_write_pipe(function()
      return protocol
    end, to)
    local writer = asyncio.StreamWriter(transport, protocol)
    writer:write(("x"):rep(1024 * 1024))
    local drainers = {}
    for i = 1, 10 do drainers[i] = { writer.drain, writer } end
    local all = asyncio.create_task(function()
      drainers[11] = { return_exceptions = true }
      return asyncio.gather(table.unpack(drainers))
    end)
    asyncio.sleep(0.01)
    tap.is(all:done(), false)
    if lose then from:close() else from:readexactly(1024 * 1024) end
    for _, result in ipairs(all:await()) do
      tap.ok(not lose or result:is(asyncio.BrokenPipeError))
    end
    writer:close()
    if not lose then from:close() end
    assert(_ == nil)
  end
end)

test("test_drain_raises: whoever writes and drains in a loop hears that the "
  .. "other side has gone", function()
  local _ <close>, reader, writer = connect(function(_, w) w:close() end)
  tap.throws(function()
    while true do
      writer:write "foo\n"
      writer:drain()
      asyncio.sleep(0)
    end
  end, asyncio.ConnectionResetError)
  writer:close()
  tap.ok(reader)
end)

test("rule S22: drain waits beyond 64 KiB, until 16 KiB are left", function()
  local from, to = stream.pipe()
  from.limit = 1
  local protocol = asyncio.streams.FlowControlMixin()
  local transport = asyncio.connect_write_pipe(function()
    return protocol
  end, to)
  local low, high = transport:get_write_buffer_limits()
  tap.is(low, LOW)
  tap.is(high, HIGH)
  local writer = asyncio.StreamWriter(transport, protocol)
  writer:write(("x"):rep(65536)) -- the kernel's
  writer:write(("x"):rep(HIGH))
  tap.is(transport:get_write_buffer_size(), HIGH)
  writer:drain()
  writer:write "x"
  local drain = asyncio.create_task(writer.drain, writer)
  asyncio.sleep(0)
  tap.is(drain:done(), false)
  from:readexactly(4096)
  asyncio.sleep(0.01)
  tap.is(drain:done(), false)
  from:readexactly(HIGH)
  drain:await()
  tap.ok(transport:get_write_buffer_size() <= LOW)
  transport:set_write_buffer_limits(100)
  low, high = transport:get_write_buffer_limits()
  tap.is_deeply({ low, high }, { 25, 100 })
  transport:set_write_buffer_limits { low = 10 }
  low, high = transport:get_write_buffer_limits()
  tap.is_deeply({ low, high }, { 10, 40 })
  tap.throws(function() transport:set_write_buffer_limits(1, 2) end, "below")
  writer:close()
  from:read()
  writer:wait_closed()
  from:close()
end)

test("rule S23: writelines, write_eof, wrong things", function()
  local _ <close>, reader, writer = connect(function(r, w)
    w:write(r:read():upper())
    w:close()
  end)
  writer:writelines { "a", "b" }
  writer:writelines(("cd"):gmatch ".")
  tap.throws(function() writer:write(nil) end, "expected a string")
  tap.throws(function() writer:writelines { 1 } end, "element 1")
  tap.throws(function() writer:writelines "ab" end, "expected a list")
  writer:write ""
  writer:write_eof()
  tap.is(reader:read(), "ABCD")
  writer:close()
end)

test("rule S23: writes after a loss are dropped, and told of from the fifth",
function()
  local said = warnings [[
    asyncio.run(function()
      local p = asyncio.create_subprocess_exec("true", { stdin = "pipe" })
      p:wait()
      for _ = 1, 10 do p.stdin:write "x" end
      print(pcall(p.stdin.drain, p.stdin))
    end)
  ]]
  tap.like(said, "^luvisor: warning: write to a stream that nobody reads")
  tap.is(children.count(said, "\n"), 1)
end)

test("rule S22: a StreamWriter over somebody's own transport calls that",
function()
  local log, protocol = {}, asyncio.streams.FlowControlMixin()
  local transport = { is_closing = function() return false end,
                      can_write_eof = function() return false end }
  for _, name in ipairs { "write", "close", "write_eof" } do
    transport[name] = function(_, data)
      log[#log + 1] = name .. (data and " " .. data or "")
    end
  end
  local writer = asyncio.StreamWriter(transport, protocol)
  writer:write "a"
  writer:writelines { "b", "c" }
  tap.is(writer:can_write_eof(), false)
  protocol:pause_writing()
  local drain = asyncio.create_task(writer.drain, writer)
  asyncio.sleep(0)
  tap.is(drain:done(), false)
  protocol:resume_writing()
  drain:await()
  writer:write_eof()
  writer:close()
  protocol:connection_lost()
  tap.throws(function() writer:drain() end, asyncio.ConnectionResetError)
  tap.is_deeply(log, { "write a", "write bc", "write_eof", "close" })
  tap.is(writer.transport, transport)
end)

tap.done()
