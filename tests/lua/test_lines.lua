local process = require "luvisor.process"
local stream = require "luvisor.stream"
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

local function collect(iterator)
  local list = {}
  for item in iterator do list[#list + 1] = item end
  return list
end

-- lines -----------------------------------------------------------------------

tap.test("readline gives lines without their newline, and nil at the end",
  function()
    local r <close> = reader_of("one\n\nthree\n")
    tap.is(r:readline(), "one")
    tap.is(r:readline(), "")
    tap.is(r:readline(), "three")
    tap.is(r:readline(), nil)
    tap.is(r:readline(), nil, "and again")
  end)

tap.test("readline keeps the newline where it is asked to", function()
  local r <close> = reader_of("one\n\nlast")
  tap.is(r:readline(true), "one\n")
  tap.is(r:readline(true), "\n")
  tap.is(r:readline(true), "last", "there was none")
  tap.is(r:readline(true), nil)
end)

tap.test("an unterminated last line is a line", function()
  tap.is_deeply(collect(reader_of("a\nb"):lines()), { "a", "b" })
  tap.is_deeply(collect(reader_of("a\nb\n"):lines()), { "a", "b" })
  tap.is_deeply(collect(reader_of("a\n\n"):lines()), { "a", "" })
  tap.is_deeply(collect(reader_of(""):lines()), {})
  tap.is_deeply(collect(reader_of("a\nb"):lines(true)), { "a\n", "b" })
end)

tap.test("a line may come in many pieces", function()
  local lines = feed({ "li", "ne", "1\nli", "ne2\n", "l", "ine3" }, function(r)
    return collect(r:lines())
  end)
  tap.is_deeply(lines, { "line1", "line2", "line3" })
end)

tap.test("lines may hold NUL and any other byte", function()
  local text = "a\0b\n\0\n\255\r\n"
  tap.is_deeply(collect(reader_of(text):lines()),
    { "a\0b", "\0", "\255\r" })
end)

tap.test("lines, bytes and chunks can be read by turns", function()
  local r <close> = reader_of("one\ntwo\nthree\nfour\nfive")
  tap.is(r:readline(), "one")
  tap.is(r:read(2), "tw")
  tap.is(r:readline(), "o")
  tap.is(r:readexactly(6), "three\n")
  tap.is(r:readuntil("u"), "fou")
  tap.is(r:lines()(), "r")
  tap.is(r:chunks(2)(), "fi")
  tap.is(r:read(), "ve")
end)

tap.test("many lines of all lengths come whole and in order", function()
  local p = process.spawn {
    "awk", [[BEGIN {
      for (i = 0; i < 20000; i++) {
        s = i ":"; for (k = i % 97; k > 0; k--) s = s "x"; print s
      } }]], stdout = "pipe" }
  local i, wrong = 0, 0
  for line in p.stdout:lines() do
    if line ~= i .. ":" .. ("x"):rep(i % 97) then wrong = wrong + 1 end
    i = i + 1
  end
  tap.is(i, 20000)
  tap.is(wrong, 0)
  p:wait()
end)

tap.test("a line of 10 MB can be read", function()
  local text = ("0123456789"):rep(1000000)
  local r <close> = reader_of("first\n" .. text .. "\nlast\n")
  r.max_line = 10000000
  tap.is(r:readline(), "first")
  tap.ok(r:readline() == text)
  tap.is(r:readline(), "last")
end)

tap.test("a line longer than max_line raises, and can still be read", function()
  local r <close> = reader_of("short\n" .. ("x"):rep(100) .. "\nafter\n")
  r.max_line = 99
  tap.is(r:readline(), "short")
  for _ = 1, 2 do
    local _, err = tap.throws(function() r:readline() end, "LimitOverrun")
    tap.is(err.consumed, 100)
    tap.like(tostring(err), "longer than 99 bytes")
  end
  tap.throws(r:lines(), "LimitOverrun")
  r.max_line = 100
  tap.is(r:readline(), ("x"):rep(100))
  tap.is(r:readline(), "after")
end)

tap.test("a line that never ends raises before it is all in memory", function()
  local p <close> = process.spawn { "cat", "/dev/zero", stdout = "pipe" }
  local _, err = tap.throws(function() p.stdout:readline() end, "LimitOverrun")
  tap.ok(err.consumed > 1 << 20 and err.consumed < 4 << 20)
  tap.is(p.stdout:readexactly(1 << 20), ("\0"):rep(1 << 20))
  p:kill()
end)

tap.test("max_line counts the line, not its newline", function()
  for text, fits in pairs {
    ["123456\n"] = true, ["1234567\n"] = true, ["12345678\n"] = false,
    ["1234567"] = true, ["12345678"] = false,
  } do
    local r <close> = reader_of(text)
    r.max_line = 7
    if fits then
      tap.is(r:readline(), (text:gsub("\n", "")))
    else
      tap.throws(function() r:readline() end, "LimitOverrun")
      tap.is(r:read(), text, "nothing is lost")
    end
  end
end)

tap.test("lines() of a closed reader raises Closed", function()
  local r = reader_of("a\nb\n")
  tap.throws(function()
    for line in r:lines() do
      tap.is(line, "a")
      r:close()
    end
  end, "Closed")
  tap.throws(function() r:lines() end, "Closed")
end)

-- readuntil -------------------------------------------------------------------

tap.test("readuntil gives the text up to and with the separator", function()
  local r <close> = reader_of("one;two;;three")
  tap.is(r:readuntil(";"), "one;")
  tap.is(r:readuntil(";"), "two;")
  tap.is(r:readuntil(";"), ";")
  tap.is(r:read(), "three")
end)

tap.test("readuntil at the end raises with the partial text, taken", function()
  local r <close> = reader_of("some data")
  local _, err = tap.throws(function() r:readuntil("\n") end, "IncompleteRead")
  tap.is(err.partial, "some data")
  tap.is(err.expected, nil)
  tap.is(r:read(), "")
  local _, empty = tap.throws(function() r:readuntil("\n") end,
    "IncompleteRead")
  tap.is(empty.partial, "")
end)

tap.test("a separator may be split over pieces in every way", function()
  for _, sep in ipairs { "\r\n\r\n", "aaab", "abab", "ab" } do
    local text = "a head a a" .. sep .. "rest"
    for first = 1, #text do
      local pieces = { text:sub(1, first), text:sub(first + 1) }
      local got = feed(pieces, function(r)
        return { r:readuntil(sep), r:read() }
      end)
      if got[1] ~= "a head a a" .. sep or got[2] ~= "rest" then
        tap.is_deeply(got, { "a head a a" .. sep, "rest" },
          ("%q after %d"):format(sep, first))
      end
    end
    local bytes = {}
    for i = 1, #text do bytes[i] = text:sub(i, i) end
    tap.is(feed(bytes, function(r) return r:readuntil(sep) end),
      "a head a a" .. sep, "byte by byte")
  end
end)

tap.test("a separator that overlaps itself is found", function()
  local r <close> = reader_of("aaaabaab")
  tap.is(r:readuntil("aaab"), "aaaab")
  tap.is(r:readuntil("aab"), "aab")
  tap.is(feed({ "aa", "aa", "b", "x" }, function(mine)
    return mine:readuntil("aaab")
  end), "aaaab")
end)

tap.test("of several separators the one that ends first counts", function()
  local cases = {
    { "line1\rline2\n", { "\r", "\n" }, "line1\r" },
    { "line1\nline2\r", { "\r", "\n" }, "line1\n" },
    { "a\r\nb", { "\r\n", "\n" }, "a\r\n" }, -- the same end: the shortest
    { "xabcd", { "abcd", "bc" }, "xabc" }, -- ends first, begins later
    { "xabcd", { "bc", "abcd" }, "xabc" },
    { "aab", { "aab", "b", "ab" }, "aab" },
    { "xy", { "y" }, "xy" },
  }
  for _, case in ipairs(cases) do
    local text, seps, want = table.unpack(case)
    tap.is(reader_of(text):readuntil(seps), want)
    local bytes = {}
    for i = 1, #text do bytes[i] = text:sub(i, i) end
    tap.is(feed(bytes, function(r) return r:readuntil(seps) end), want,
      "byte by byte")
  end
end)

tap.test("equal ends: the shortest separator counts, for the limit", function()
  local r <close> = reader_of("abc\r\n")
  tap.throws(function() r:readuntil({ "\r\n", "\n" }, { max = 3 }) end,
    "LimitOverrun")
  tap.is(r:readuntil({ "\r\n" }, { max = 3 }), "abc\r\n")
end)

tap.test("over the limit the buffer is untouched, and consumed says how much "
  .. "can be read", function()
    local r <close> = reader_of("some dataAAArest")
    local _, err = tap.throws(function()
      r:readuntil("AAA", { max = 3 })
    end, "LimitOverrun")
    tap.like(tostring(err), "the separator was found, but")
    tap.is(err.consumed, 9)
    tap.is(r:readexactly(err.consumed), "some data")
    tap.is(r:readuntil("AAA", { max = 0 }), "AAA")

    local text = ("x"):rep(50) .. "AA"
    local q, w = stream.pipe()
    w:write(text)
    _, err = tap.throws(function() q:readuntil("AAA", { max = 20 }) end,
      "LimitOverrun")
    tap.like(tostring(err), "no separator was found")
    tap.is(err.consumed, 50, "not what may begin a separator")
    tap.is(q:buffered(), 52)
    tap.is(#q:readexactly(err.consumed), 50)
    w:write("A")
    tap.is(q:readuntil("AAA", { max = 0 }), "AAA")
    w:close()
  end)

tap.test("the limit of readuntil does not count the separator", function()
  for _, sep in ipairs { "\n", "\r\n\r\n" } do
    local fits <close> = reader_of("1234567" .. sep)
    tap.is(fits:readuntil(sep, { max = 7 }), "1234567" .. sep)
    local over <close> = reader_of("12345678" .. sep)
    tap.throws(function() over:readuntil(sep, { max = 7 }) end, "LimitOverrun")
    tap.is(over:read(), "12345678" .. sep)
  end
  local r <close> = reader_of(("x"):rep(101) .. ";")
  r.max_line = 100
  tap.throws(function() r:readuntil(";") end, "longer than 100 bytes",
    "the default is max_line")
end)

tap.test("readuntil finds a separator beyond the reader's own limit", function()
  local text = ("x"):rep(100000)
  local r <close> = reader_of(text .. ";" .. text .. "\0\1;")
  r.limit = 10
  tap.ok(r:readuntil(";") == text .. ";")
  tap.ok(r:readuntil { "\0\1", "\1\0" } == text .. "\0\1")
  tap.is(r:read(), ";")
end)

tap.test("what a cancelled readuntil has looked at is looked at again for "
  .. "another separator", function()
    local r, w = stream.pipe()
    local function give_up(read, arg)
      tap.throws(function() task.timeout(0.005, read, r, arg) end, "Timeout")
    end
    w:write("a,b;c\nd")
    give_up(r.readuntil, "XYZ")
    tap.is(r:readuntil(","), "a,")
    give_up(r.readuntil, "XYZ")
    tap.is(r:readline(), "b;c")
    give_up(r.readline)
    r:unread("e\n")
    tap.is(r:readline(), "e")
    give_up(r.readuntil, "XYZ")
    w:write("\nXYZ")
    tap.is(r:readline(), "d")
    tap.is(r:readuntil("XYZ"), "XYZ")
    w:close()
  end)

tap.test("wrong separators and options are refused", function()
  local r <close> = reader_of("a;b")
  local wrong = { "", {}, { "" }, { ";", "" }, 5, { 5 }, true,
                  { "1", "2", "3", "4", "5", "6", "7", "8", "9" } }
  for _, sep in ipairs(wrong) do
    tap.throws(function() r:readuntil(sep) end, "UsageError")
  end
  tap.throws(function() r:readuntil() end, "UsageError")
  tap.throws(function() r:readuntil(";", { mx = 5 }) end,
    'unknown option "mx"; did you mean "max"')
  tap.throws(function() r:readuntil(";", { max = -1 }) end, "UsageError")
  tap.throws(function() r:readuntil(";", { max = "5" }) end, "UsageError")
  tap.throws(function() r:readuntil(";", 5) end, "UsageError")
  tap.is(r:readuntil({ "1", "2", "3", "4", "5", "6", "7", ";" }), "a;")
end)

-- Each of the lines is found in a search for two separators, of which one never
-- comes: were the whole buffer searched for that each time, this would take
-- minutes.
tap.test("a separator that never comes makes the others no slower", function()
  local n = 200000
  local p = process.spawn { "seq", tostring(n), stdout = "pipe",
                            limit = 4 << 20 }
  local got = 0
  while got < n do
    if #p.stdout:readuntil { "\0", "\n" } < 2 then break end
    got = got + 1
  end
  tap.is(got, n)
  tap.is(p.stdout:read(), "")
  p:wait()
end)

-- lines of two streams --------------------------------------------------------

tap.test("lines of two readers come from whichever has one", function()
  local p = process.spawn {
    shell = "echo a; echo b >&2; echo c; echo d >&2", stdout = "pipe",
    stderr = "pipe",
  }
  local all = {}
  for source, line in p:lines() do all[#all + 1] = source .. ":" .. line end
  table.sort(all)
  tap.is_deeply(all, { "stderr:b", "stderr:d", "stdout:a", "stdout:c" })
  p:wait()
end)

tap.test("closing one of two readers leaves the other to others", function()
  local r1, w1 = stream.pipe()
  local r2, w2 = stream.pipe()
  local both = task.spawn(function() r1:_either(r2) end)
  tap.eventually(function() return both.state == "waiting" end)
  tap.throws(function() r2:read(1) end, "Busy")
  r1:close()
  local other = task.spawn(function() return r2:read(1) end)
  tap.eventually(function() return other.state == "waiting" end)
  both:join()
  w2:write("x")
  tap.is(other:join(), "x", "a task that reads it now is woken")
  w1:close()
end)

tap.done()
