-- After CPython's test_unix_events.py: transports that read a pipe.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local core_os = require "luvisor.core.os"
local net = require "luvisor.net"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- A protocol that notes what it hears, and a Future that is done at the loss.
local function recorder()
  local p = { log = {}, data = "",
              lost = asyncio.get_running_loop():create_future() }
  function p:connection_made(transport)
    self.log[#self.log + 1] = "made"
    self.transport = transport
  end
  function p:data_received(data)
    if self.log[#self.log] ~= "data" then self.log[#self.log + 1] = "data" end
    self.data = self.data .. data
  end
  function p:eof_received()
    self.log[#self.log + 1] = "eof"
  end
  function p:connection_lost(err)
    self.log[#self.log + 1] = "lost"
    self.lost:set_result(err)
  end
  return p
end

local function connect(pipe)
  local protocol = recorder()
  local transport = asyncio.get_running_loop():connect_read_pipe(function()
    return protocol
  end, pipe)
  return transport, protocol
end

-- The two ends of a pipe, the reading one connected.
local function piped()
  local from, to = stream.pipe()
  local transport, protocol = connect(from)
  return transport, protocol, to
end

test("test_ctor: the protocol has heard when it returns", function()
  local transport, protocol, to = piped()
  tap.is_deeply(protocol.log, { "made" })
  tap.is(protocol.transport, transport)
  tap.is(transport:get_protocol(), protocol)
  tap.is(transport:is_closing(), false)
  tap.is(transport:is_reading(), true)
  tap.ok(transport:get_extra_info "pipe")
  tap.like(tostring(transport), "^<ReadPipeTransport open fd=%d+>$")
  to:close()
  protocol.lost:await()
end)

test("test__read_ready: what comes is told", function()
  local _, protocol, to = piped()
  to:write "data"
  tap.eventually(function() return protocol.data == "data" end)
  to:close()
  protocol.lost:await()
end)

test("test__read_ready_eof: the end, and then the loss", function()
  local transport, protocol, to = piped()
  to:write "data"
  to:close()
  tap.is(protocol.lost:await(), nil)
  tap.is_deeply(protocol.log, { "made", "data", "eof", "lost" })
  tap.is(transport:is_closing(), true)
  tap.like(tostring(transport), "closed")
end)

test("test__read_ready_blocked: nothing to read is nothing to tell", function()
  local _, protocol, to = piped()
  asyncio.sleep(0.01)
  tap.is_deeply(protocol.log, { "made" })
  to:close()
  protocol.lost:await()
end)

-- A connection whose other side goes with what it was sent: the next read of it
-- fails.
local function reset()
  local path = ("@luvisor-test-%d"):format(core_os.getpid())
  local listener <close> = net.listen { path = path }
  local near = net.connect { path = path }
  local far = listener:accept()
  near:write "never read"
  near:drain()
  return near, far
end

test("test__read_ready_error: a read that fails is the loss, with its error",
function()
  local near, far = reset()
  local transport, protocol = connect(near)
  far:abort()
  local err = protocol.lost:await()
  tap.ok(err and err:is "ECONNRESET", tostring(err))
  tap.is_deeply(protocol.log, { "made", "lost" })
  tap.is(transport:is_closing(), true)
  near:abort()
end)

test("test_pause_reading: nothing is told meanwhile", function()
  local transport, protocol, to = piped()
  transport:pause_reading()
  tap.is(transport:is_reading(), false)
  to:write "data"
  asyncio.sleep(0.01)
  tap.is(protocol.data, "")
  tap.is(transport._r:buffered(), 0, "nor read")
  transport:close()
  to:close()
  protocol.lost:await()
end)

test("test_resume_reading: it is told then", function()
  local transport, protocol, to = piped()
  transport:pause_reading()
  to:write "data"
  asyncio.sleep(0.001)
  transport:resume_reading()
  tap.eventually(function() return protocol.data == "data" end)
  tap.is(transport:is_reading(), true)
  to:close()
  protocol.lost:await()
end)

test("what was read when it was paused is told after it", function()
  local transport, protocol, to = piped()
  to:write "first"
  tap.eventually(function() return transport._r:buffered() > 0
    or protocol.data ~= "" end)
  transport:pause_reading()
  local before = protocol.data
  asyncio.sleep(0.001)
  tap.is(protocol.data, before)
  transport:resume_reading()
  tap.eventually(function() return protocol.data == "first" end)
  to:close()
  protocol.lost:await()
end)

test("test_close: closed is the loss", function()
  local transport, protocol, to = piped()
  transport:close()
  tap.is(transport:is_closing(), true)
  tap.is(transport:is_reading(), false)
  tap.is(protocol.lost:await(), nil)
  tap.is_deeply(protocol.log, { "made", "lost" }, "without an end")
  tap.throws(function() to:write "x" end, asyncio.BrokenPipeError)
end)

test("test_close_already_closing: twice is harmless", function()
  local transport, protocol, to = piped()
  transport:close()
  transport:close()
  protocol.lost:await()
  transport:close()
  tap.is_deeply(protocol.log, { "made", "lost" })
  to:close()
end)

test("test__close: a transport that is paused can be closed", function()
  local transport, protocol, to = piped()
  to:write "x"
  tap.eventually(function() return protocol.data == "x" end)
  transport:pause_reading()
  transport:close()
  protocol.lost:await()
  tap.is(protocol.data, "x")
  to:close()
end)

test("test__call_connection_lost: the loss is told once, and the pipe closed",
function()
  local before = #core_os.fds()
  local transport, protocol, to = piped()
  to:close()
  protocol.lost:await()
  transport:close()
  asyncio.sleep(0)
  tap.is_deeply(protocol.log, { "made", "eof", "lost" })
  tap.is(#core_os.fds(), before)
end)

test("test__call_connection_lost_with_err: so with an error", function()
  local near, far = reset()
  local transport, protocol = connect(near)
  far:abort()
  tap.ok(protocol.lost:await():is "ECONNRESET")
  transport:close()
  asyncio.sleep(0)
  tap.is_deeply(protocol.log, { "made", "lost" })
  near:abort()
end)

test("test_pause_reading_on_closed_pipe: harmless", function()
  local transport, protocol, to = piped()
  transport:close()
  transport:pause_reading()
  tap.is(transport:is_reading(), false)
  protocol.lost:await()
  transport:pause_reading()
  to:close()
end)

test("test_pause_reading_on_paused_pipe: harmless", function()
  local transport, protocol, to = piped()
  transport:pause_reading()
  transport:pause_reading()
  tap.is(transport:is_reading(), false)
  transport:resume_reading()
  tap.is(transport:is_reading(), true, "once is enough to resume")
  to:close()
  protocol.lost:await()
end)

test("test_resume_reading_on_closed_pipe: harmless", function()
  local transport, protocol, to = piped()
  transport:close()
  transport:resume_reading()
  tap.is(transport:is_reading(), false)
  protocol.lost:await()
  transport:resume_reading()
  to:close()
end)

test("test_resume_reading_on_paused_pipe: and on one that is not", function()
  local transport, protocol, to = piped()
  transport:resume_reading()
  transport:pause_reading()
  transport:resume_reading()
  transport:resume_reading()
  tap.is(transport:is_reading(), true)
  to:write "x"
  to:close()
  protocol.lost:await()
  tap.is(protocol.data, "x")
end)

-- ---- what can be connected ----

test("a Lua file is the transport's from then on", function()
  local from, to = stream.pipe()
  local file = io.open("/proc/self/fd/" .. from:fileno(), "r")
  from:close()
  local transport, protocol = connect(file)
  to:write "x"
  to:close()
  tap.is(protocol.lost:await(), nil)
  tap.is(protocol.data, "x")
  tap.is(io.type(file), "closed file")
  tap.is(transport:is_closing(), true)
end)

test("so is a descriptor", function()
  local from, to = stream.pipe()
  to:write "x"
  to:close()
  local r = children.run([[
    local asyncio = lv.asyncio
    asyncio.run(function()
      local reader = asyncio.StreamReader()
      asyncio.connect_read_pipe(function()
        return asyncio.StreamReaderProtocol(reader)
      end, 7)
      print(reader:read(), io.open "/proc/self/fd/7")
    end)
  ]], { fds = { [7] = from } })
  from:close()
  tap.like(r.stdout, "^x\tnil\t")
end)

test("what is no pipe is refused", function()
  tap.throws(function() connect "pipe" end, "UsageError")
  tap.throws(function() connect(nil) end, "UsageError")
  tap.throws(function() connect(9999) end, "Closed")
  tap.throws(function()
    asyncio.connect_read_pipe("factory", 0)
  end, "protocol factory")
  local from, to = stream.pipe()
  tap.throws(function() connect(to) end, "UsageError")
  from:close()
  to:close()
end)

test("a callback may wait: what comes then waits for it", function()
  local from, to = stream.pipe()
  local protocol = recorder()
  local busy = false
  local received = protocol.data_received
  function protocol:data_received(data)
    tap.is(busy, false)
    busy = true
    asyncio.sleep(0.002)
    busy = false
    received(self, data)
  end
  asyncio.connect_read_pipe(function() return protocol end, from)
  for i = 1, 5 do
    to:write(tostring(i))
    asyncio.sleep(0.001)
  end
  to:close()
  protocol.lost:await()
  tap.is(protocol.data, "12345")
end)

tap.done()
