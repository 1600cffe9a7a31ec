-- After CPython's test_streams.py: lines, separators, exact numbers of bytes.

local asyncio = require "luvisor.asyncio"
local codec = require "luvisor.core.codec"
local errors = require "luvisor.error"
local tap = require "luvisor.tap"
local values = require "luvisor.pool.values"

local StreamReader <const> = asyncio.StreamReader
local DATA <const> = "line1\nline2\nline3\n"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- A reader that was fed these texts.
local function fed(limit, ...)
  local r = StreamReader { limit = limit }
  for _, text in ipairs { ... } do r:feed_data(text) end
  return r
end

local function rest(reader)
  return reader._r:_take()
end

local function soon(fn, ...)
  asyncio.get_running_loop():call_soon(fn, ...)
end

-- Calls a method that must raise LimitOverrun and take nothing.
local function overruns(reader, held, method, ...)
  local args = table.pack(...)
  local _, err = tap.throws(function()
    reader[method](reader, table.unpack(args, 1, args.n))
  end, asyncio.LimitOverrunError)
  tap.is(reader._r:peek(1000), held, "the buffer is untouched")
  return err
end

-- ---- lines ----

test("test_readline: a line of several pieces", function()
  local r = fed(nil, "chunk1 ")
  soon(function()
    r:feed_data "chunk2 "
    r:feed_data "chunk3 "
    r:feed_data "\n chunk4"
  end)
  tap.is(r:readline(), "chunk1 chunk2 chunk3 \n")
  tap.is(rest(r), " chunk4")
end)

test("test_readline_limit_with_existing_data: a line that is too long is not "
  .. "lost, as Python's is", function()
  local r = fed(3, "li", "ne1\nline2\n")
  local err = overruns(r, "line1\nline2\n", "readline")
  tap.is(err.consumed, 5)
  tap.is(r:readexactly(err.consumed + 1), "line1\n")
  overruns(r, "line2\n", "readline")

  r = fed(3, "li", "ne1", "li")
  tap.is(overruns(r, "line1li", "readline").consumed, 7)
  tap.is(r:read(100), "line1li")
end)

test("test_readline_limit: neither is one that comes later", function()
  local r = fed(7)
  soon(function()
    r:feed_data "chunk1"
    r:feed_data "chunk2"
    r:feed_data "chunk3\n"
    r:feed_eof()
  end)
  overruns(r, "chunk1chunk2chunk3\n", "readline")
  tap.is(r:read(), "chunk1chunk2chunk3\n")

  r = fed(7)
  soon(function()
    r:feed_data "chunk1"
    r:feed_data "chunk2\n"
    r:feed_data "chunk3\n"
    r:feed_eof()
  end)
  local err = overruns(r, "chunk1chunk2\nchunk3\n", "readline")
  tap.is(r:readexactly(err.consumed + 1), "chunk1chunk2\n")
  tap.is(r:readline(), "chunk3\n")

  r = fed(7, "1234567\n")
  tap.is(r:readline(), "1234567\n", "the limit does not count the newline")
  r:feed_data "12345678\n"
  overruns(r, "12345678\n", "readline")
  tap.is(r:read(9), "12345678\n")
  r:feed_data "12345678"
  overruns(r, "12345678", "readline")
end)

test("test_readline_nolimit_nowait: what is there is had at once", function()
  local r = fed(nil, DATA:sub(1, 6), DATA:sub(7))
  tap.is(r:readline(), "line1\n")
  tap.is(rest(r), "line2\nline3\n")
end)

test("test_readline_eof: the last line may have no newline", function()
  local r = fed(nil, "some data")
  r:feed_eof()
  tap.is(r:readline(), "some data")
end)

test("test_readline_empty_eof: the end is an empty string", function()
  local r = fed()
  r:feed_eof()
  tap.is(r:readline(), "")
  tap.is(r:readline(), "")
end)

test("test_readline_read_byte_count: lines and bytes in turn", function()
  local r = fed(nil, DATA)
  r:readline()
  tap.is(r:read(7), "line2\nl")
  tap.is(rest(r), "ine3\n")
end)

test("test_readline_exception: an error set is raised", function()
  local r = fed(nil, "line\n")
  tap.is(r:readline(), "line\n")
  r:set_exception(errors.new { kind = "Mine" })
  tap.throws(function() r:readline() end, "Mine")
end)

-- ---- separators ----

test("test_readuntil_separator: it is not empty", function()
  local r = fed(nil, "text")
  tap.throws(function() r:readuntil "" end, "UsageError")
  tap.throws(function() r:readuntil { "" } end, "UsageError")
  tap.throws(function() r:readuntil { "a", "" } end, "UsageError")
  tap.throws(function() r:readuntil {} end, "UsageError")
  tap.throws(function() r:readuntil(5) end, "UsageError")
  tap.is(rest(r), "text")
end)

test("test_readuntil_multi_chunks: it belongs to the result", function()
  local r = fed(nil, "lineAAA")
  tap.is(r:readuntil "AAA", "lineAAA")
  r:feed_data "lineAAAxxx"
  tap.is(r:readuntil "AAA", "lineAAA")
  tap.is(rest(r), "xxx")
  r:feed_data "default\nrest"
  tap.is(r:readuntil(), "default\n")
end)

test("test_readuntil_multi_chunks_1: it may come in pieces", function()
  local r = StreamReader()
  for _, case in ipairs {
    { "QWEaa", "XYaa", "a", expected = "QWEaaXYaaa" },
    { "QWEaa", "XYa", "aa", expected = "QWEaaXYaaa" },
    { "aaa", expected = "aaa" },
    { "Xaaa", expected = "Xaaa" },
    { "XXX", "a", "a", "a", expected = "XXXaaa" },
  } do
    local reading = asyncio.create_task(r.readuntil, r, "aaa")
    for _, text in ipairs(case) do
      asyncio.sleep(0)
      r:feed_data(text)
    end
    tap.is(reading:await(), case.expected)
    tap.is(rest(r), "")
  end
end)

test("test_readuntil_eof: the end before it is IncompleteRead", function()
  local r = fed(nil, "some dataAA")
  r:feed_eof()
  local _, err = tap.throws(function() r:readuntil "AAA" end,
    asyncio.IncompleteReadError)
  tap.is(err.partial, "some dataAA")
  tap.is(err.expected, nil)
  tap.is(rest(r), "", "what there was is taken")
end)

test("test_readuntil_limit_found_sep: too long without it, and with it",
function()
  local r = fed(3, "some dataAA")
  tap.like(overruns(r, "some dataAA", "readuntil", "AAA").message,
    "no separator was found")
  r:feed_data "A"
  local err = overruns(r, "some dataAAA", "readuntil", "AAA")
  tap.like(err.message, "was found")
  tap.is(err.consumed, 9)
end)

test("test_readuntil_multi_separator: the one that ends first", function()
  local r = fed(nil, "line 1\nline 2\r")
  tap.is(r:readuntil { "\r", "\n" }, "line 1\n")
  tap.is(r:readuntil { "\r", "\n" }, "line 2\r")
  tap.is(rest(r), "")
  r:feed_data "ABCDEFG"
  tap.is(r:readuntil { "DEF", "BCDE" }, "ABCDE")
  tap.is(rest(r), "FG")
end)

test("test_readuntil_multi_separator_limit: of those that end together the "
  .. "shortest counts", function()
  local r = fed(3, "some dataA")
  local err = overruns(r, "some dataA", "readuntil", { "A", "ome dataA" })
  tap.like(err.message, "was found")
  tap.is(err.consumed, 9)
end)

test("test_readuntil_multi_separator_negative_offset: one may be longer than "
  .. "what is there", function()
  local r = fed(nil, "data")
  local reading = asyncio.create_task(r.readuntil, r, { "A", "long sep" })
  soon(r.feed_data, r, "Z")
  soon(r.feed_data, r, "Aaaa")
  tap.is(reading:await(), "dataZA")
  tap.is(rest(r), "aaa")
end)

test("test_readuntil_bytearray: bytes are strings", function()
  local r = fed(nil, "some data\r\n")
  tap.is(r:readuntil "\r\n", "some data\r\n")
  tap.is(rest(r), "")
end)

-- ---- exactly ----

test("test_readexactly_zero_or_less: none at once, less is wrong", function()
  local r = fed(nil, DATA)
  tap.is(r:readexactly(0), "")
  tap.throws(function() r:readexactly(-1) end, "negative")
  tap.throws(function() r:readexactly() end, "UsageError")
  tap.is(rest(r), DATA)
end)

test("test_readexactly: as many as asked for", function()
  local r, n = fed(), 2 * #DATA
  soon(function()
    for _ = 1, 3 do r:feed_data(DATA) end
  end)
  tap.is(r:readexactly(n), DATA:rep(2))
  tap.is(rest(r), DATA)
end)

test("test_readexactly_limit: the limit is not for it", function()
  local r = fed(3, "chunk")
  tap.is(r:readexactly(5), "chunk")
end)

test("test_readexactly_eof: the end before is IncompleteRead", function()
  local r, n = fed(), 2 * #DATA
  soon(function()
    r:feed_data(DATA)
    r:feed_eof()
  end)
  local _, err = tap.throws(function() r:readexactly(n) end,
    asyncio.IncompleteReadError)
  tap.is(err.partial, DATA)
  tap.is(err.expected, n)
  tap.like(err.message, "18 of 36 bytes expected")
  tap.is(rest(r), "")
end)

test("test_readexactly_exception: an error set is raised", function()
  local r = fed(nil, "line\n")
  tap.is(r:readexactly(2), "li")
  r:set_exception(errors.new { kind = "Mine" })
  tap.throws(function() r:readexactly(2) end, "Mine")
end)

-- ---- their errors ----

local SIZE <const> = 8 -- bytes before a message that say how long it is

-- An error as another process gets it.
local function copied(err)
  return codec.decode(values.encode(err):sub(SIZE + 1))
end

test("test_IncompleteReadError_pickleable: an error can be copied", function()
  local r = fed(nil, "abc")
  r:feed_eof()
  local _, err = tap.throws(function() r:readexactly(10) end)
  local copy = copied(err)
  tap.is(tostring(copy), tostring(err))
  tap.is(copy.partial, "abc")
  tap.is(copy.expected, 10)
  tap.ok(copy:is(asyncio.IncompleteReadError))
end)

test("test_LimitOverrunError_pickleable: so can the other", function()
  local r = fed(5, "0123456789")
  local _, err = tap.throws(function() r:readuntil() end)
  local copy = copied(err)
  tap.is(tostring(copy), tostring(err))
  tap.is(copy.consumed, 10)
  tap.ok(copy:is(asyncio.LimitOverrunError))
end)

tap.done()
