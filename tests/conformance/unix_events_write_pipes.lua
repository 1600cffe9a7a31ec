-- After CPython's test_unix_events.py: transports that write a pipe.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local core_os = require "luvisor.core.os"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local MUCH <const> = 1024 * 1024 -- more than a pipe holds

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function recorder()
  local p = { log = {},
              lost = asyncio.get_running_loop():create_future() }
  local function note(name)
    return function(self) self.log[#self.log + 1] = name end
  end
  p.connection_made = note "made"
  p.pause_writing, p.resume_writing = note "pause", note "resume"
  function p:connection_lost(err)
    self.log[#self.log + 1] = "lost"
    self.lost:set_result(err)
  end
  return p
end

-- The two ends of a pipe, the writing one connected.
local function piped()
  local from, to = stream.pipe()
  from.limit = 1 -- it reads no more than it is asked for
  local protocol = recorder()
  local transport = asyncio.get_running_loop():connect_write_pipe(function()
    return protocol
  end, to)
  return transport, protocol, from
end

test("test_ctor: the protocol has heard when it returns", function()
  local transport, protocol, from = piped()
  tap.is_deeply(protocol.log, { "made" })
  tap.is(transport:get_protocol(), protocol)
  tap.is(transport:is_closing(), false)
  tap.is(transport:get_write_buffer_size(), 0)
  tap.like(tostring(transport), "^<WritePipeTransport open fd=%d+ bufsize=0>$")
  transport:close()
  protocol.lost:await()
  tap.like(tostring(transport), "closed")
  from:close()
end)

test("test_can_write_eof: it can", function()
  local transport, protocol, from = piped()
  tap.is(transport:can_write_eof(), true)
  transport:abort()
  protocol.lost:await()
  from:close()
end)

test("test_write: at once, if there is room", function()
  local transport, protocol, from = piped()
  transport:write "data"
  tap.is(transport:get_write_buffer_size(), 0)
  tap.is(from:readexactly(4), "data")
  transport:close()
  protocol.lost:await()
  from:close()
end)

test("test_write_no_data: nothing is nothing", function()
  local transport, protocol, from = piped()
  transport:write ""
  tap.is(transport:get_write_buffer_size(), 0)
  tap.throws(function() transport:write(nil) end, "expected a string")
  tap.throws(function() transport:write {} end, "expected a string")
  transport:close()
  tap.is(from:read(), "")
  protocol.lost:await()
  from:close()
end)

test("test_write_partial: the rest is queued", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  local queued = transport:get_write_buffer_size()
  tap.ok(queued > 0 and queued < MUCH, "of a million bytes " .. queued)
  transport:close()
  tap.is(#from:read(), MUCH)
  protocol.lost:await()
  from:close()
end)

test("test_write_buffer: what comes later comes behind it", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  transport:write "1"
  transport:writelines { "2", "3" }
  transport:close()
  local data = from:read()
  tap.is(#data, MUCH + 3)
  tap.is(data:sub(-4), "x123")
  protocol.lost:await()
  from:close()
end)

test("test_write_again: if there is no room, all is queued", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  local queued = transport:get_write_buffer_size()
  transport:write "data"
  tap.is(transport:get_write_buffer_size(), queued + 4)
  tap.is_deeply(protocol.log, { "made", "pause" })
  from:readexactly(MUCH + 4)
  tap.eventually(function() return protocol.log[3] == "resume" end)
  transport:close()
  protocol.lost:await()
  from:close()
end)

test("test_write_err: a pipe without a reader is lost", function()
  local transport, protocol, from = piped()
  from:close()
  transport:write "data"
  local err = protocol.lost:await()
  tap.ok(err == nil or err:is(asyncio.BrokenPipeError))
  tap.is(transport:is_closing(), true)
  for _ = 1, 10 do transport:write "data" end
  tap.is(transport:get_write_buffer_size(), 0, "dropped")
  tap.is_deeply(protocol.log, { "made", "lost" })
end)

test("test_write_close: what is written after a close is dropped", function()
  local transport, protocol, from = piped()
  transport:write "before"
  transport:close()
  transport:write "after"
  tap.is(from:read(), "before")
  protocol.lost:await()
  from:close()
end)

test("test__read_ready: the reader's loss is heard, though nothing is written",
function()
  local transport, protocol, from = piped()
  tap.is(transport:is_closing(), false)
  from:close()
  tap.is(transport:is_closing(), true)
  tap.is(protocol.lost:await(), nil, "nothing was left: it is no error")
  tap.is_deeply(protocol.log, { "made", "lost" })
end)

test("test__read_ready: with something left it is an error", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  from:close()
  tap.ok(protocol.lost:await():is(asyncio.BrokenPipeError))
  tap.is(transport:get_write_buffer_size(), 0)
end)

test("test__write_ready: what was queued is written when there is room",
function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  from:readexactly(MUCH)
  tap.eventually(function()
    return transport:get_write_buffer_size() == 0
  end)
  tap.is(transport:is_closing(), false)
  transport:close()
  protocol.lost:await()
  from:close()
end)

test("test__write_ready_partial: as far as there is", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  local before = transport:get_write_buffer_size()
  from:readexactly(100000)
  tap.eventually(function()
    return transport:get_write_buffer_size() < before
  end)
  tap.ok(transport:get_write_buffer_size() > 0)
  transport:abort()
  protocol.lost:await()
  from:close()
end)

test("test__write_ready_again: without room it waits", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  local before = transport:get_write_buffer_size()
  asyncio.sleep(0.01)
  tap.is(transport:get_write_buffer_size(), before)
  transport:abort()
  protocol.lost:await()
  from:close()
end)

test("test__write_ready_empty: with nothing to write nothing happens",
function()
  local transport, protocol, from = piped()
  transport:write "x"
  from:readexactly(1)
  asyncio.sleep(0.01)
  tap.is_deeply(protocol.log, { "made" })
  transport:close()
  protocol.lost:await()
  from:close()
end)

test("test__write_ready_err: a queue that cannot be written is dropped",
function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  asyncio.sleep(0)
  from:close()
  local err = protocol.lost:await()
  tap.ok(err:is(asyncio.BrokenPipeError))
  tap.is(transport:get_write_buffer_size(), 0)
  tap.is(transport:is_closing(), true)
end)

test("test__write_ready_closing: a close waits for the queue", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  transport:close()
  asyncio.sleep(0)
  tap.is(protocol.lost:done(), false)
  tap.is(transport:is_closing(), true)
  tap.is(#from:read(), MUCH)
  tap.is(protocol.lost:await(), nil)
  from:close()
end)

test("test_abort: drops the queue, and is the loss", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  transport:abort()
  tap.is(protocol.lost:await(), nil)
  tap.is(transport:get_write_buffer_size(), 0)
  tap.ok(#from:read() < MUCH)
  transport:abort()
  transport:close()
  from:close()
end)

test("test__call_connection_lost: the loss is told once, and the pipe closed",
function()
  local before = #core_os.fds()
  local transport, protocol, from = piped()
  transport:close()
  protocol.lost:await()
  transport:abort()
  asyncio.sleep(0)
  tap.is_deeply(protocol.log, { "made", "lost" })
  from:close()
  tap.is(#core_os.fds(), before)
end)

test("test__call_connection_lost_with_err: so with an error", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  from:close()
  tap.ok(protocol.lost:await():is(asyncio.BrokenPipeError))
  transport:close()
  asyncio.sleep(0)
  tap.is_deeply(protocol.log, { "made", "pause", "lost" }, "and no resume")
end)

test("test_close: is the end for the reader", function()
  local transport, protocol, from = piped()
  transport:close()
  tap.is(transport:is_closing(), true)
  tap.is(from:read(), "")
  protocol.lost:await()
  from:close()
end)

test("test_close_closing: twice is harmless", function()
  local transport, protocol, from = piped()
  transport:close()
  transport:close()
  protocol.lost:await()
  transport:close()
  tap.is_deeply(protocol.log, { "made", "lost" })
  from:close()
end)

test("test_write_eof: is the same", function()
  local transport, protocol, from = piped()
  transport:write_eof()
  tap.is(transport:is_closing(), true)
  tap.is(from:read(), "")
  tap.is(protocol.lost:await(), nil)
  transport:write_eof()
  from:close()
end)

test("test_write_eof_pending: after what was written", function()
  local transport, protocol, from = piped()
  transport:write(("x"):rep(MUCH))
  transport:write_eof()
  asyncio.sleep(0)
  tap.is(protocol.lost:done(), false)
  tap.is(#from:read(), MUCH)
  protocol.lost:await()
  from:close()
end)

test("a descriptor is the transport's from then on", function()
  local r = children.run [[
    local asyncio = lv.asyncio
    local core_os = require "luvisor.core.os"
    local from, to = stream.pipe()
    local q = asyncio.create_subprocess_exec("cat", { stdin = from,
      stdout = asyncio.subprocess.PIPE })
    from:close()
    local protocol = { connection_lost = function() print "lost" end }
    local file = io.open("/proc/self/fd/" .. to:fileno(), "w")
    to:close()
    local t = asyncio.connect_write_pipe(function() return protocol end, file)
    t:write "hello"
    t:close()
    asyncio.sleep(0)
    print(io.type(file), q.stdout:read(), q:wait())
  ]]
  tap.is(r.stdout, "lost\nclosed file\thello\t0\n")
end)

test("the program's own standard streams can be connected, and stay open",
function()
  local r = children.run([[
    local asyncio = lv.asyncio
    asyncio.run(function()
      local loop = asyncio.get_running_loop()
      local reader = asyncio.StreamReader()
      loop:connect_read_pipe(function()
        return asyncio.StreamReaderProtocol(reader)
      end, io.stdin)
      local transport, protocol = loop:connect_write_pipe(
        asyncio.streams.FlowControlMixin, io.stdout)
      local writer = asyncio.StreamWriter(transport, protocol, reader, loop)
      for line in reader do
        writer:write(line:upper())
        writer:drain()
      end
      writer:close()
      writer:wait_closed()
    end)
    print "still there"
  ]], { input = "a\nb\n" })
  tap.is(r.stdout, "A\nB\nstill there\n")
end)

tap.done()
