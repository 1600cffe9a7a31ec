-- After CPython's test_streams.py: what a StreamReader is fed, and read.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local errors = require "luvisor.error"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local StreamReader <const> = asyncio.StreamReader
local DATA <const> = "line1\nline2\nline3\n"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- Everything that is left in a reader that has not ended.
local function rest(reader)
  return reader._r:_take()
end

-- Call a function after the other ready tasks.
local function soon(fn, ...)
  asyncio.get_running_loop():call_soon(fn, ...)
end

test("test_feed_empty_data: nothing is nothing", function()
  local r = StreamReader()
  r:feed_data ""
  tap.is(rest(r), "")
end)

test("test_feed_nonempty_data: what is fed is there", function()
  local r = StreamReader()
  r:feed_data(DATA)
  tap.is(rest(r), DATA)
end)

test("test_read_zero: no bytes are had at once", function()
  local r = StreamReader()
  r:feed_data(DATA)
  tap.is(r:read(0), "")
  tap.is(rest(r), DATA)
end)

test("test_read: what there is, though more was asked for", function()
  local r = StreamReader()
  soon(function() r:feed_data(DATA) end)
  tap.is(r:read(30), DATA)
  tap.is(rest(r), "")
end)

test("test_read_line_breaks: bytes, not what was fed together", function()
  local r = StreamReader()
  r:feed_data "line1"
  r:feed_data "line2"
  tap.is(r:read(5), "line1")
  tap.is(rest(r), "line2")
end)

test("test_read_eof: the end is an empty string", function()
  local r = StreamReader()
  soon(function() r:feed_eof() end)
  tap.is(r:read(1024), "")
  tap.is(r:read(1024), "", "and stays so")
  tap.is(r:read(), "")
end)

test("test_read_until_eof: all to the end", function()
  local r = StreamReader()
  soon(function()
    r:feed_data "chunk1\n"
    r:feed_data "chunk2"
    r:feed_eof()
  end)
  tap.is(r:read(-1), "chunk1\nchunk2")
end)

test("test_read_exception: an error set is raised from then on", function()
  local r = StreamReader()
  r:feed_data "line\n"
  tap.is(r:read(2), "li")
  r:set_exception(errors.new { kind = "Mine", message = "mine" })
  for _ = 1, 2 do tap.throws(function() r:read(2) end, "Mine") end
  tap.throws(function() r:read() end, "Mine")
end)

test("test_invalid_limit: a limit is positive", function()
  tap.throws(function() StreamReader { limit = 0 } end, "limit must be")
  tap.throws(function() StreamReader { limit = -1 } end, "limit must be")
  tap.throws(function() StreamReader(0) end, "UsageError")
  tap.throws(function() StreamReader { limt = 1 } end, 'mean "limit"')
end)

test("test_read_limit: read has no limit", function()
  local r = StreamReader { limit = 3 }
  r:feed_data "chunk"
  tap.is(r:read(5), "chunk")
end)

test("test_at_eof: the end, and nothing left", function()
  local r = StreamReader()
  tap.is(r:at_eof(), false)
  r:feed_data "some data\n"
  tap.is(r:at_eof(), false)
  r:readline()
  tap.is(r:at_eof(), false)
  r:feed_data "some data\n"
  r:feed_eof()
  tap.is(r:at_eof(), false)
  r:readline()
  tap.is(r:at_eof(), true)
end)

test("test_exception: it can be asked for", function()
  local r = StreamReader()
  tap.is(r:exception(), nil)
  local err = errors.new { kind = "Mine" }
  r:set_exception(err)
  tap.is(r:exception(), err)
end)

test("test_exception_waiter: who reads already hears of it", function()
  local r = StreamReader()
  local reading = asyncio.create_task(r.readline, r)
  local setting = asyncio.create_task(function()
    r:set_exception(errors.new { kind = "Mine" })
  end)
  asyncio.wait { reading, setting }
  tap.throws(function() reading:result() end, "Mine")
  tap.throws(function() r:readline() end, "Mine", "and nobody is Busy")
end)

test("test_exception_cancel: after a cancelled read it is harmless", function()
  local r = StreamReader()
  local task = asyncio.create_task(r.readline, r)
  asyncio.sleep(0)
  task:cancel()
  r:set_exception(errors.new { kind = "Mine" })
  tap.throws(function() task:await() end, asyncio.CancelledError)
  tap.throws(function() r:readline() end, "Mine")
end)

test("rule S16: one task reads at a time", function()
  local r = StreamReader()
  local first = asyncio.create_task(r.readline, r)
  asyncio.sleep(0)
  for _, name in ipairs { "read", "readline", "readuntil" } do
    tap.throws(function() r[name](r) end, "Busy", name)
  end
  tap.throws(function() r:readexactly(1) end, "Busy")
  r:feed_data "x\n"
  tap.is(first:await(), "x\n")
end)

test("rule S21: iterating is readline to the end", function()
  local r, lines = StreamReader(), {}
  r:feed_data "a\n\nb"
  r:feed_eof()
  for line in r do lines[#lines + 1] = line end
  tap.is_deeply(lines, { "a\n", "\n", "b" })
end)

test("a cancelled read loses nothing", function()
  local r = StreamReader()
  r:feed_data "par"
  local task = asyncio.create_task(r.readline, r)
  asyncio.sleep(0)
  task:cancel()
  tap.throws(function() task:await() end, asyncio.CancelledError)
  r:feed_data "tial\n"
  tap.is(r:readline(), "partial\n")
end)

test("nothing can be fed after the end", function()
  local r = StreamReader()
  r:feed_eof()
  r:feed_eof()
  tap.throws(function() r:feed_data "x" end, "UsageError")
  tap.throws(function() StreamReader():feed_data(5) end, "expected a string")
end)

test("rule S16: more than twice the limit pauses the transport, the limit "
  .. "resumes it, and so does who waits for more", function()
  local log = {}
  local transport = {
    pause_reading = function() log[#log + 1] = "pause" end,
    resume_reading = function() log[#log + 1] = "resume" end,
  }
  local r = StreamReader { limit = 3 }
  r:set_transport(transport)
  tap.throws(function() r:set_transport(transport) end, "UsageError")
  r:feed_data "123456"
  tap.is_deeply(log, {})
  r:feed_data "7"
  tap.is_deeply(log, { "pause" })
  r:feed_data "8"
  tap.is_deeply(log, { "pause" }, "once")
  tap.is(r:readexactly(4), "1234")
  tap.is_deeply(log, { "pause" }, "4 bytes are left")
  tap.is(r:read(1), "5")
  tap.is_deeply(log, { "pause", "resume" })
  r:feed_data "90123"
  tap.is(#log, 3, "paused again")
  soon(function() r:feed_data "45" end)
  tap.is(r:readexactly(10), "6789012345")
  tap.is_deeply(log, { "pause", "resume", "pause", "resume", "pause",
                       "resume" })
end)

-- ---- of pipes ----

test("test_read_all_from_pipe_reader: a limit of one byte is no deadlock",
function()
  local from, to = stream.pipe()
  local r = StreamReader { limit = 1 }
  local protocol = asyncio.StreamReaderProtocol(r)
  local loop = asyncio.get_running_loop()
  local transport, got = loop:connect_read_pipe(function()
    return protocol
  end, from)
  tap.is(got, protocol)
  local fd = to:fileno()
  local p <close> = asyncio.create_subprocess_exec("python3", "-c", [[
import os, sys
os.write(int(sys.argv[1]), b"data")
]], fd, { pass_fds = { fd } })
  tap.is(p:wait(), 0)
  to:close()
  tap.is(r:read(-1), "data")
  tap.is(transport:is_closing(), true, "it has heard of the end")
end)

test("a task that reads before the pipe is connected goes on with that",
function()
  local from, to = stream.pipe()
  local r = StreamReader()
  local reading = asyncio.create_task(r.readline, r)
  asyncio.sleep(0)
  local transport = asyncio.connect_read_pipe(function()
    return asyncio.StreamReaderProtocol(r)
  end, from)
  to:write "hello\n"
  tap.is(reading:await(), "hello\n")
  transport:pause_reading()
  to:write "more\n"
  local more = asyncio.create_task(r.readline, r)
  asyncio.sleep(0.01)
  tap.is(more:done(), false, "paused")
  transport:resume_reading()
  tap.is(more:await(), "more\n")
  to:write "unread"
  tap.eventually(function() return r._r:buffered() == 6 end)
  transport:close()
  tap.is(r:read(), "unread", "what was there can be had after close")
  to:close()
end)

-- ---- how they are made, and look ----

test("test_streamreader_constructor_without_loop: none need be there",
function()
  local r = children.run [[
    local r = lv.asyncio.StreamReader()
    r:feed_data "x"
    print(r:read(1), lv.asyncio.StreamReaderProtocol(r) ~= nil)
  ]]
  tap.is(r.stdout, "x\ttrue\n")
end)

test("test_streamreader_constructor_use_running_loop: it is of the loop that "
  .. "runs", function()
  local loop = asyncio.get_running_loop()
  tap.ok(StreamReader { loop = loop, limit = 5 })
  tap.ok(StreamReader(5, loop))
end)

test("test_streamreader_constructor_use_global_loop: or of the program's",
function()
  local loop = asyncio.new_event_loop()
  local r = loop.is_closed and StreamReader { loop = loop }
  loop:close()
  r:feed_data "x"
  tap.is(r:read(1), "x", "and outlives it")
end)

test("test_streamreaderprotocol_constructor_without_loop: a protocol needs "
  .. "none", function()
  tap.ok(asyncio.StreamReaderProtocol(StreamReader()))
  tap.throws(function() asyncio.StreamReaderProtocol() end, "StreamReader")
end)

local function loop_of(make)
  local protocol = make()
  protocol:connection_made {}
  return protocol._loop
end

test("test_streamreaderprotocol_constructor_use_running_loop: it takes the one "
  .. "that runs when the connection is made", function()
  tap.is(loop_of(function()
    return asyncio.StreamReaderProtocol(StreamReader())
  end), asyncio.get_running_loop())
end)

tap.test("test_streamreaderprotocol_constructor_use_global_loop: or the "
  .. "program's", function()
  tap.is(loop_of(function()
    return asyncio.StreamReaderProtocol(StreamReader())
  end), asyncio.get_event_loop())
end)

test("test___repr__: nothing to say", function()
  tap.is(tostring(StreamReader()), "<StreamReader>")
end)

test("test___repr__nondefault_limit: its limit", function()
  tap.is(tostring(StreamReader { limit = 123 }), "<StreamReader limit=123>")
end)

test("test___repr__eof: its end", function()
  local r = StreamReader()
  r:feed_eof()
  tap.is(tostring(r), "<StreamReader eof>")
end)

test("test___repr__data: what it holds", function()
  local r = StreamReader()
  r:feed_data "data"
  tap.is(tostring(r), "<StreamReader 4 bytes>")
end)

test("test___repr__exception: its error", function()
  local r = StreamReader()
  r:set_exception(errors.new { kind = "Mine", message = "oh" })
  tap.is(tostring(r), "<StreamReader exception=oh>")
end)

test("test___repr__waiter: that somebody reads", function()
  local r = StreamReader()
  local task = asyncio.create_task(r.read, r)
  asyncio.sleep(0)
  tap.is(tostring(r), "<StreamReader waiter>")
  r:feed_eof()
  task:await()
  tap.is(tostring(r), "<StreamReader eof>")
end)

test("test___repr__transport: its transport", function()
  local r = StreamReader()
  r:set_transport(setmetatable({}, {
    __tostring = function() return "<Transport>" end,
  }))
  tap.is(tostring(r), "<StreamReader transport=<Transport>>")
end)

tap.done()
