local process = require "luvisor.process"
local stream = require "luvisor.stream"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- A Reader of these bytes, at whose end is the end.
local function reader_of(bytes)
  local r, w = stream.pipe()
  task.spawn(function()
    w:write(bytes)
    w:close()
  end)
  return r
end

-- Call fn in a task that reads; write the pieces, each when the one before has
-- been read. Returns what fn returns.
local function feed(pieces, fn)
  local r, w = stream.pipe()
  local reading = task.spawn(fn, r)
  for _, piece in ipairs(pieces) do
    w:write(piece)
    while reading.state ~= "done" and r:_in_kernel() > 0 do
      task.sleep(0.0005)
    end
  end
  w:close()
  return reading:join()
end

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- read ------------------------------------------------------------------------

tap.test("read(n) gives what is there, up to n bytes, and nil at the end",
  function()
    local r <close> = reader_of("line1line2")
    tap.is(r:read(5), "line1", "as many as were asked for")
    tap.is(r:read(100), "line2", "no more than there are")
    tap.is(r:read(100), nil)
    tap.is(r:read(1), nil, "and again")
  end)

tap.test("read(n) does not wait for n bytes", function()
  local got = feed({ "ab", "cd" }, function(r)
    local first = r:read(100)
    return { first, r:read(100) }
  end)
  tap.is_deeply(got, { "ab", "cd" })
end)

tap.test("read(0) is empty at once, and takes nothing", function()
  local r, w = stream.pipe()
  tap.is(r:read(0), "")
  w:write("x")
  tap.is(r:read(0), "")
  tap.is(r:read(1), "x")
end)

tap.test("read() and read(-1) give all to the end", function()
  for _, n in ipairs { false, -1 } do
    local all = feed({ "one ", "two ", "three" }, function(r)
      local bytes = r:read(n or nil)
      tap.is(r:read(n or nil), "", "then there is nothing left")
      tap.is(r:read(1), nil)
      return bytes
    end)
    tap.is(all, "one two three")
  end
end)

tap.test("read() is not bound by the limit", function()
  local text = ("0123456789"):rep(100000)
  local r <close> = reader_of(text)
  r.limit = 100
  tap.ok(r:read() == text)
end)

tap.test("every byte value comes as it was sent", function()
  local bytes = {}
  for i = 0, 255 do bytes[i + 1] = string.char(i) end
  local all = table.concat(bytes):rep(10)
  local r <close> = reader_of(all)
  tap.ok(r:readexactly(1000) == all:sub(1, 1000))
  tap.ok(r:read() == all:sub(1001))
end)

tap.test("wrong arguments are refused, before anything is read", function()
  local r <close> = reader_of("abc")
  for _, wrong in ipairs { "a", "*a", 1.5, {}, true } do
    tap.throws(function() r:read(wrong) end, "UsageError")
    tap.throws(function() r:readexactly(wrong) end, "UsageError")
    tap.throws(function() r:peek(wrong) end, "UsageError")
    tap.throws(function() r:chunks(wrong) end, "UsageError")
  end
  tap.throws(function() r:readexactly(-1) end, "must not be negative")
  tap.throws(function() r:readexactly() end, "UsageError")
  tap.throws(function() r:peek(0) end, "must be positive")
  tap.throws(function() r:chunks(0) end, "must be positive")
  tap.throws(function() r:unread(1) end, "UsageError")
  tap.throws(function() r.read(5) end, "expected a Reader, got number")
  tap.throws(function() r.read() end, "called with a colon")
  tap.is(r:read(), "abc")
end)

-- readexactly -----------------------------------------------------------------

tap.test("readexactly(n) waits for n bytes", function()
  local got = feed({ "ab", "cd", "ef" }, function(r)
    return { r:readexactly(5), r:readexactly(0), r:readexactly(1) }
  end)
  tap.is_deeply(got, { "abcde", "", "f" })
end)

tap.test("readexactly is not bound by the limit", function()
  local text = ("0123456789"):rep(50000)
  for _, limit in ipairs { 1, 7, 4096 } do
    local r <close> = reader_of(text)
    r.limit = limit
    tap.ok(r:readexactly(300000) == text:sub(1, 300000), "limit " .. limit)
    tap.ok(r:readexactly(200000) == text:sub(300001))
  end
end)

tap.test("readexactly at an early end raises with the partial bytes, taken",
  function()
    local r <close> = reader_of("0123456789")
    local _, err = tap.throws(function() r:readexactly(36) end,
      "IncompleteRead")
    tap.is(err.partial, "0123456789")
    tap.is(err.expected, 36)
    tap.like(tostring(err), "ended after 10 of 36 bytes")
    tap.is(r:read(1), nil)
    local _, empty = tap.throws(function() r:readexactly(1) end)
    tap.is(empty.partial, "")
  end)

-- chunks, peek, unread --------------------------------------------------------

tap.test("chunks gives pieces of up to n bytes until the end", function()
  local r <close> = reader_of(("x"):rep(100000))
  local sum, longest = 0, 0
  for piece in r:chunks(1000) do
    sum, longest = sum + #piece, math.max(longest, #piece)
  end
  tap.is(sum, 100000)
  tap.is(longest, 1000)
  for piece in reader_of("abc"):chunks() do tap.is(piece, "abc") end
end)

tap.test("peek looks without taking", function()
  local got = feed({ "abc", "def" }, function(r)
    tap.is(r:peek(2), "ab", "it waits for the first byte")
    tap.is(r:peek(100), "abc", "and for no more")
    tap.is(r:read(1), "a")
    tap.is(r:readexactly(5), "bcdef")
    return { r:peek(1) }
  end)
  tap.is_deeply(got, {}, "nil at the end")
end)

tap.test("what is unread is read next", function()
  local r <close> = reader_of("world")
  r:unread("hello ")
  tap.is(r:readexactly(8), "hello wo")
  r:unread("wo")
  r:unread("")
  r:unread("old ")
  tap.is(r:read(), "old world")
  tap.ok(r:at_eof())
  r:unread("again")
  tap.ok(not r:at_eof(), "even after the end")
  tap.is(r:readline(), "again")
  tap.ok(r:at_eof())
end)

tap.test("at_eof is true when the end has come and nothing is left", function()
  local r, w = stream.pipe()
  tap.ok(not r:at_eof(), "not before it was read")
  w:write("ab")
  tap.is(r:read(1), "a")
  w:close()
  tap.ok(not r:at_eof(), "not while a byte is left")
  tap.is(r:read(1), "b")
  tap.is(r:read(1), nil)
  tap.ok(r:at_eof())
end)

-- two tasks, cancelling, closing ----------------------------------------------

local reads = {
  read = function(r) return r:read(10) end,
  ["read to the end"] = function(r) return r:read() end,
  readexactly = function(r) return r:readexactly(10) end,
  readline = function(r) return r:readline() end,
  readuntil = function(r) return r:readuntil(";") end,
  peek = function(r) return r:peek(1) end,
  lines = function(r) return r:lines()() end,
  chunks = function(r) return r:chunks()() end,
}

tap.test("of two tasks that read one stream the second is told Busy", function()
  for name, read in pairs(reads) do
    local r, w = stream.pipe()
    local first = task.spawn(read, r)
    waits(first)
    for other, again in pairs(reads) do
      tap.throws(function() again(r) end, "Busy", other .. " during " .. name)
    end
    tap.throws(function() r:unread("x") end, "Busy")
    tap.throws(function() r:copy_to(w) end, "Busy")
    w:write("0123456789\n;")
    w:close()
    tap.ok(first:join(), "the first gets its bytes")
    tap.is(type(r:read()), "string", "then the stream is free again")
  end
end)

tap.test("a cancelled read loses no byte", function()
  for name, read in pairs(reads) do
    if name ~= "peek" then
      local r, w = stream.pipe()
      local reading = task.spawn(read, r)
      waits(reading)
      if not (name == "read" or name == "chunks") then
        w:write("abc")
        tap.eventually(function() return r:buffered() == 3 end)
      end
      reading:cancel()
      tap.throws(function() reading:join() end, "Cancelled", name)
      w:write("def\n")
      w:close()
      local all = r:read()
      tap.is(all, (name == "read" or name == "chunks") and "def\n"
        or "abcdef\n", name)
    end
  end
end)

tap.test("a read that is woken and then cancelled still gives its bytes",
  function()
    local r, w = stream.pipe()
    local got
    local reading = task.spawn(function() got = r:read(10) end)
    waits(reading)
    local early = task.spawn(function()
      -- runs in the pass in which reading has been made ready, or before
      while reading.state == "waiting" do task.checkpoint() end
      reading:cancel()
    end)
    w:write("abc")
    early:join()
    pcall(reading.join, reading)
    w:close()
    tap.is((got or "") .. r:read(), "abc")
  end)

tap.test("a timeout in the middle of readexactly loses nothing", function()
  local r, w = stream.pipe()
  w:write("12345")
  for _ = 1, 3 do
    tap.throws(function() task.timeout(0.001, r.readexactly, r, 10) end,
      "Timeout")
    tap.eventually(function() return r:buffered() == 5 end)
  end
  w:write("67890")
  tap.is(r:readexactly(10), "1234567890")
end)

tap.test("closing while another task reads raises Closed there", function()
  for name, read in pairs(reads) do
    local r, w = stream.pipe()
    local reading = task.spawn(function()
      return select(2, tap.throws(function() read(r) end, "Closed", name))
    end)
    waits(reading)
    r:close()
    r:close()
    reading:join()
    tap.throws(function() read(r) end, "Closed", name .. " afterwards")
    tap.throws(function() w:write("x") end, "BrokenPipe")
  end
end)

tap.test("closing a reader whose bytes have just come raises Closed", function()
  local r, w = stream.pipe()
  local reading = task.spawn(function()
    tap.throws(function() r:read(1) end, "Closed")
  end)
  waits(reading)
  w:write("x")
  repeat task.checkpoint() until reading.state ~= "waiting"
  r:close()
  reading:join()
end)

tap.test("a reader that nobody holds is closed", function()
  local w
  do
    local r
    r, w = stream.pipe()
    r:unread("x")
    r = nil -- luacheck: ignore 311
  end
  collectgarbage()
  collectgarbage()
  tap.throws(function()
    for _ = 1, 100 do w:write(("x"):rep(1000)) end
  end, "BrokenPipe")
  w:close()
end)

tap.test("a task that reads keeps its reader alive", function()
  local r, w = stream.pipe()
  local reading = task.spawn(function(mine) return mine:readline() end, r)
  r = nil -- luacheck: ignore 311
  waits(reading)
  collectgarbage()
  w:write("still there\n")
  tap.is(reading:join(), "still there")
  collectgarbage()
end)

-- the limit -------------------------------------------------------------------

-- How a child writes zeros as fast as it can, and says how many it has written.
local function writer_child(bytes)
  return process.spawn {
    "dd", "if=/dev/zero", "bs=1024", "count=" .. bytes // 1024,
    stdout = "pipe", stderr = "null", limit = 10000,
  }
end

local function is_blocked(p)
  local file <close> = io.open(("/proc/%d/wchan"):format(p.pid))
  local wchan = file and file:read("a") or ""
  local stat <close> = io.open(("/proc/%d/stat"):format(p.pid))
  return stat:read("a"):match("%) (%a)") == "S", wchan
end

-- What the child has written so far.
local function written(p)
  local file <close> = io.open(("/proc/%d/io"):format(p.pid))
  return tonumber(file:read("a"):match("wchar: (%d+)"))
end

tap.test("reading pauses at the limit and so blocks the child", function()
  local p <close> = writer_child(10 << 20)
  tap.is(p.stdout.limit, 10000)
  tap.is(#p.stdout:read(1), 1, "nothing is read before somebody reads")
  local seen = -1
  tap.eventually(function()
    local now = written(p)
    local same = now == seen
    seen = now
    return same and is_blocked(p)
  end, "the child waits in its write")
  tap.ok(p.stdout:buffered() <= 10000, "no more than the limit is buffered")
  tap.ok(seen <= 10000 + 65536 + 1024, "no more than the pipe holds is written")
  tap.is(#p.stdout:readexactly(50000), 50000)
  tap.eventually(function() return written(p) > seen end, "it goes on")
  tap.is(#p.stdout:read(), (10 << 20) - 50001, "and all comes")
  tap.ok(p:wait().ok)
end)

tap.test("nothing is read before it is asked for", function()
  local p <close> = writer_child(1 << 20)
  tap.eventually(function() return is_blocked(p) and written(p) >= 65536 end)
  tap.is(p.stdout:buffered(), 0)
  tap.ok(written(p) <= 65536 + 1024)
end)

tap.test("a limit of one byte is no deadlock", function()
  local text = "one\ntwo\n\nthree" .. ("x"):rep(5000)
  local r <close> = reader_of(text)
  r.limit = 1
  tap.is(r:readline(), "one")
  tap.is(r:read(2), "t")
  tap.is(r:readexactly(3), "wo\n")
  tap.is(r:readuntil("x"), "\nthreex")
  tap.is(r:read(), ("x"):rep(4999))
end)

tap.test("limit and max_line can be read and set", function()
  local r, w = stream.pipe()
  tap.is(r.limit, 262144)
  tap.is(r.max_line, 1048576)
  r.limit, r.max_line = 5, 7
  tap.is(r.limit, 5)
  tap.is(r.max_line, 7)
  for _, wrong in ipairs { 0, -1, 1.5, "1", {} } do
    tap.throws(function() r.limit = wrong end, "UsageError")
    tap.throws(function() r.max_line = wrong end, "UsageError")
  end
  tap.throws(function() r.limt = 5 end, 'no field "limt"')
  tap.is(r.limt, nil)
  r:close()
  tap.throws(function() r.limit = 5 end, "Closed")
  tap.is(w.limit, nil)
end)

tap.test("raising the limit lets a paused reader go on", function()
  local r, w = stream.pipe()
  r.limit = 10
  w:write(("x"):rep(100))
  tap.is(#r:read(1), 1)
  tap.eventually(function() return r:buffered() == 9 end)
  r.limit = 50
  tap.eventually(function() return r:buffered() == 50 end)
end)

-- the end, and errors ---------------------------------------------------------

tap.test("bytes that came before the end are there after it", function()
  local p = process.spawn { "printf", "left over", stdout = "pipe" }
  tap.ok(p:wait().ok)
  tap.is(p.stdout:read(4), "left")
  tap.is(p.stdout:read(), " over")
end)

tap.test("a reader says what it is", function()
  local r, w = stream.pipe()
  tap.like(tostring(r), "^reader %(fd %d+, 0 bytes buffered%)$")
  tap.like(tostring(w), "^writer %(fd %d+, 0 bytes pending%)$")
  w:write("abc")
  tap.is(r:peek(1), "a")
  tap.like(tostring(r), "3 bytes buffered")
  tap.ok(math.type(r:fileno()) == "integer")
  w:close()
  tap.is(tostring(w), "writer (closed)")
  tap.is(w:fileno(), nil)
  r:read()
  tap.is(tostring(r), "reader (at the end, 0 bytes buffered)")
  tap.is(r:fileno(), nil)
  r:close()
  tap.is(tostring(r), "reader (closed)")
end)

tap.test("what is buffered is answered even where nothing can wait", function()
  local r, w = stream.pipe()
  w:write("b\na\n")
  tap.is(r:peek(1), "b")
  local list = { 2, 1 }
  table.sort(list, function(a, b)
    if r:buffered() == 4 then tap.is(r:readline(), "b") end
    return a < b
  end)
  tap.throws(function()
    table.sort({ 2, 1 }, function() return #r:readexactly(10) > 0 end)
  end, "cannot wait here")
  w:close()
  tap.is(r:read(), "a\n")
end)

tap.test("an event and a stream may be waited for side by side", function()
  local r, w = stream.pipe()
  local event = sync.event()
  local which = task.race(function() return r:read(1) end,
    function() return event:wait() end, function() event:set() end)
  tap.ok(which == 2 or which == 3)
  w:write("x")
  tap.is(r:read(1), "x", "the loser has taken nothing")
end)

tap.done()
