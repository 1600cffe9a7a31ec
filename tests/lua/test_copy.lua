local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- A Reader of these bytes, at whose end is the end.
local function reader_of(bytes)
  local r, w = stream.pipe()
  task.spawn(function()
    pcall(w.write, w, bytes)
    w:close()
  end)
  return r
end

-- A task that reads all of r.
local function read_all(r)
  return task.spawn(function() return r:read() end)
end

local function with_file(fn)
  local name = os.tmpname()
  local ok, err = pcall(fn, name)
  os.remove(name)
  if not ok then error(err, 0) end
end

local function write_file(name, text)
  local file <close> = assert(io.open(name, "w"))
  file:write(text)
end

local function read_file(name)
  local file <close> = assert(io.open(name))
  return file:read("a")
end

-- Bytes that this thread has read and written. (A process' own file counts
-- those of its children, too, when they are reaped.)
local function moved_by_us()
  local file <close> = io.open("/proc/thread-self/io")
  local text = file:read("a")
  return text:match("rchar: (%d+)") + text:match("wchar: (%d+)")
end

tap.test("copy_to moves all to the end and returns how much that was",
  function()
    local r, w = stream.pipe()
    local all = read_all(r)
    tap.is(reader_of("one\ntwo"):copy_to(w), 7)
    w:write("!")
    tap.is(reader_of(""):copy_to(w), 0, "nothing is nothing")
    w:close()
    tap.is(all:join(), "one\ntwo!", "the writer is open until it is closed")
  end)

tap.test("with close, the writer is closed at the end", function()
  local r, w = stream.pipe()
  local all = read_all(r)
  tap.is(reader_of("abc"):copy_to(w, { close = true }), 3)
  tap.ok(w:is_closing())
  tap.is(all:join(), "abc")
  local _, open = stream.pipe()
  reader_of(""):copy_to(open, { close = false })
  tap.ok(not open:is_closing())
end)

tap.test("what was read ahead is copied first", function()
  local r, w = stream.pipe()
  local text = ("0123456789"):rep(100000)
  local all = read_all(r)
  local source = reader_of("first\n" .. text)
  tap.is(source:readline(), "first")
  source:unread("again ")
  tap.is(source:copy_to(w, { close = true }), 1000006)
  tap.ok(all:join() == "again " .. text)
end)

tap.test("between children the bytes are moved by the kernel", function()
  local from = process.spawn { "head", "-c", "50000000", "/dev/zero",
                               stdout = "pipe" }
  local to = process.spawn { "wc", "-c", stdin = "pipe", stdout = "pipe" }
  local before = moved_by_us()
  tap.is(from.stdout:copy_to(to.stdin, { close = true }), 50000000)
  tap.ok(moved_by_us() - before < 1000000, "we have not seen them")
  tap.is(to.stdout:read(), "50000000\n")
  from:wait()
  to:wait()
end)

tap.test("a reader that was only copied from has read nothing ahead",
  function()
    local r, w = stream.pipe()
    local source, feed = stream.pipe()
    local copying = task.spawn(function() source:copy_to(w) end)
    feed:write("abc")
    tap.is(r:read(3), "abc")
    copying:cancel()
    pcall(copying.join, copying)
    feed:write("for the child")
    feed:close()
    tap.is(process.capture { "cat", stdin = source }, "for the child")
  end)

tap.test("a fast child is held back by a slow one", function()
  local from <close> = process.spawn { "cat", "/dev/zero", stdout = "pipe" }
  local to <close> = process.spawn { "sleep", "1000", stdin = "pipe" }
  local copying = task.spawn(function() from.stdout:copy_to(to.stdin) end)
  local function written()
    local file <close> = io.open(("/proc/%d/io"):format(from.pid))
    return tonumber(file:read("a"):match("wchar: (%d+)"))
  end
  local seen = 0
  tap.eventually(function()
    local now = written()
    local same = now == seen and now > 0
    seen = now
    return same
  end)
  tap.ok(seen <= 8 << 20, "no more than pipes and buffers hold")
  tap.is(from.stdout:buffered(), 0)
  copying:cancel()
end)

-- files -----------------------------------------------------------------------

local text = ("0123456789abcdef"):rep(100000)

tap.test("a file is copied to a pipe, and a pipe to a file", function()
  with_file(function(name)
    write_file(name, text)
    local r, w = stream.pipe()
    local all = read_all(r)
    local file = io.open(name)
    local source <close> = stream.open(file, "r")
    tap.is(source:copy_to(w, { close = true }), #text)
    tap.ok(all:join() == text)
    file:close()
  end)
  with_file(function(name)
    local file = io.open(name, "w")
    local target <close> = stream.open(file, "w")
    tap.is(reader_of(text):copy_to(target), #text)
    tap.ok(read_file(name) == text, "all of it is there")
    tap.is(reader_of("more"):copy_to(target), 4)
    tap.is(#read_file(name), #text + 4)
    file:close()
  end)
end)

tap.test("a file is copied to a file, and appended to one", function()
  with_file(function(name)
    write_file(name, text)
    with_file(function(other)
      for i = 1, 2 do
        local from, to = io.open(name), io.open(other, "a")
        local source <close> = stream.open(from, "r")
        local target <close> = stream.open(to, "w")
        tap.is(source:copy_to(target), #text)
        tap.ok(read_file(other) == text:rep(i))
        from:close()
        to:close()
      end
    end)
  end)
end)

tap.test("files that have no size, and /dev/null, can be copied", function()
  local from, to = io.open("/proc/self/status"), io.open("/dev/null", "w")
  local r, w = stream.pipe()
  local all = read_all(r)
  local source <close> = stream.open(from, "r")
  tap.ok(source:copy_to(w, { close = true }) > 0)
  tap.like(all:join(), "^Name:")
  local target <close> = stream.open(to, "w")
  tap.is(reader_of(text):copy_to(target), #text)
  from:close()
  to:close()
end)

tap.test("a terminal can be copied from and to", function()
  local p = process.spawn { "sh", "-c", "echo ready; read x; echo got $x",
                            pty = { echo = false } }
  local r, w = stream.pipe()
  local all = read_all(r)
  tap.is(p.tty:readline(), "ready\r")
  tap.is(reader_of("a line\n"):copy_to(p.tty), 7, "a Duplex is a target")
  p.tty:copy_to(w, { close = true })
  tap.is(all:join(), "got a line\r\n")
  p:wait()
  p:close()
end)

-- cancelling, closing, failing ------------------------------------------------

tap.test("a cancelled copy can be taken up again, and nothing is lost",
  function()
    local from = process.spawn { "seq", "300000", stdout = "pipe" }
    local r, w = stream.pipe()
    local cancelled = 0
    local copying = task.spawn(function()
      repeat
        local ok = task.move_on(0.001, from.stdout.copy_to, from.stdout, w)
        if not ok then cancelled = cancelled + 1 end
      until ok
      w:close()
    end)
    local bytes = {}
    for piece in r:chunks(10000) do
      bytes[#bytes + 1] = piece
      if #bytes < 20 then task.sleep(0.001) end
    end
    copying:join()
    local all = table.concat(bytes)
    tap.is(#all, 1988895)
    tap.is(all:sub(-14), "299999\n300000\n")
    tap.ok(cancelled > 0, "it was cancelled now and then")
    from:wait()
  end)

tap.test("a copy cancelled before its first turn has moved nothing", function()
  local source, r, w = reader_of("abc"), stream.pipe()
  tap.ok(not task.move_on(0, source.copy_to, source, w))
  tap.is(source:copy_to(w, { close = true }), 3)
  tap.is(r:read(), "abc")
end)

tap.test("a copy to nobody raises BrokenPipe", function()
  for _, bytes in ipairs { "short", ("x"):rep(1000000) } do
    local r, w = stream.pipe()
    r:close()
    local _, err = tap.throws(function() reader_of(bytes):copy_to(w) end,
      "BrokenPipe")
    tap.ok(err:is "EPIPE")
  end
  local r, w = stream.pipe()
  local p = process.spawn { "cat", "/dev/zero", stdout = "pipe" }
  local copying = task.spawn(function()
    tap.throws(function() p.stdout:copy_to(w) end, "BrokenPipe")
  end)
  r:readexactly(100000)
  r:close()
  copying:join()
  p:close()
end)

tap.test("closing the reader or the writer of a copy raises Closed", function()
  for _, which in ipairs { "reader", "writer", "writer:abort", "full" } do
    local source, feed = stream.pipe()
    local r, w = stream.pipe()
    if which == "full" then w:write(("."):rep(100000)) end
    local copying = task.spawn(function()
      tap.throws(function() source:copy_to(w) end, "Closed", which)
    end)
    feed:write("abc")
    if which ~= "full" then tap.is(r:read(3), "abc") end
    if which == "reader" or which == "full" then source:close()
    elseif which == "writer" then w:close()
    else w:abort() end
    copying:join()
    if which == "reader" then
      w:write("still open")
      w:close()
      tap.is(r:read(), "still open")
    end
    r:close()
  end
  local source, _, w = reader_of("x"), stream.pipe()
  w:close()
  tap.throws(function() source:copy_to(w) end, "Closed")
  source:close()
  tap.throws(function() source:copy_to(w) end, "Closed")
end)

tap.test("a reader that is copied from is Busy", function()
  local source, feed = stream.pipe()
  local r, w = stream.pipe()
  local copying = task.spawn(function() return source:copy_to(w) end)
  waits(copying)
  tap.throws(function() source:read(1) end, "Busy")
  tap.throws(function() source:copy_to(w) end, "Busy")
  feed:write("abc")
  feed:close()
  tap.is(copying:join(), 3)
  tap.is(source:read(), "")
  w:close()
  r:read()
end)

tap.test("wrong arguments are refused", function()
  local source, _, w = reader_of("x"), stream.pipe()
  tap.throws(function() source:copy_to() end, "expected a Writer")
  tap.throws(function() source:copy_to(source) end, "expected a Writer")
  tap.throws(function() source:copy_to({}) end, "expected a Writer")
  tap.throws(function() source:copy_to(w, { clos = true }) end,
    'did you mean "close"')
  tap.throws(function() source:copy_to(w, { close = 1 }) end, "UsageError")
  tap.throws(function() source:copy_to(w, true) end, "UsageError")
end)

-- one writer, several sources -------------------------------------------------

tap.test("several readers can be copied to one writer", function()
  local r, w = stream.pipe()
  local n, tasks = 200000, {}
  for i = 1, 4 do
    local p = process.spawn { "head", "-c", tostring(n), "/dev/zero",
                              stdout = "pipe" }
    tasks[i] = task.spawn(function()
      tap.is(p.stdout:copy_to(w), n)
      p:wait()
    end)
  end
  local all = read_all(r)
  for _, t in ipairs(tasks) do t:join() end
  w:close()
  tap.is(#all:join(), 4 * n)
end)

tap.test("both outputs of a child can be copied to one writer", function()
  local r, w = stream.pipe()
  local p = process.spawn { shell = "seq 1000; seq 1001 2000 >&2",
                            stdout = "pipe", stderr = "pipe" }
  local all = read_all(r)
  task.nursery(function(n)
    n:spawn(function() p.stdout:copy_to(w) end)
    n:spawn(function() p.stderr:copy_to(w) end)
  end)
  w:close()
  local sum = 0
  for number in all:join():gmatch("%d+") do sum = sum + tonumber(number) end
  tap.is(sum, 2000 * 2001 // 2)
  p:wait()
end)

tap.test("a copy that ends first leaves the others to go on", function()
  for first = 1, 2 do
    local r, w = stream.pipe()
    local sources, feeds, copies = {}, {}, {}
    for i = 1, 2 do
      sources[i], feeds[i] = stream.pipe()
      copies[i] = task.spawn(function() return sources[i]:copy_to(w) end)
      waits(copies[i])
    end
    feeds[first]:write("first ")
    feeds[first]:close()
    tap.is(copies[first]:join(), 6)
    copies[first], sources[first] = nil, nil
    collectgarbage()
    feeds[3 - first]:write("second")
    feeds[3 - first]:close()
    tap.is(copies[3 - first]:join(), 6)
    w:close()
    tap.is(r:read(), "first second")
  end
end)

tap.test("a writer that is copied to can be written to and drained", function()
  local source, feed = stream.pipe()
  local r, w = stream.pipe()
  local copying = task.spawn(function() return source:copy_to(w) end)
  waits(copying)
  local line = ("long"):rep(50000) .. "\n"
  local writing = task.spawn(function()
    w:write(line)
    w:drain()
  end)
  waits(writing)
  feed:write("copied\n")
  local all = read_all(r)
  writing:join()
  feed:close()
  tap.is(copying:join(), 7)
  w:close()
  tap.ok(all:join() == line .. "copied\n",
    "what was written is not cut by what is copied")
end)

tap.test("a copy waits for what others have queued", function()
  local r, w = stream.pipe()
  w:write(("."):rep(65536 + 10000))
  local draining = task.spawn(function() w:drain() end)
  local copying = task.spawn(function()
    return reader_of("end"):copy_to(w, { close = true })
  end)
  waits(copying)
  local all = r:read()
  tap.is(#all, 65536 + 10003)
  tap.is(all:sub(-4), ".end")
  draining:join()
  tap.is(copying:join(), 3)
end)

-- sockets ---------------------------------------------------------------------

-- Run a luvisor script whose descriptors 3 and 4 are a pair of sockets.
local with_sockets = [[
  use Socket; use Fcntl; $^F = 9;
  socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;
  exec @ARGV, fileno($a), fileno($b);
]]

tap.test("sockets are copied from and to, without being made non-blocking",
  function()
    local out = process.capture { "perl", "-e", with_sockets, LUVISOR, "-e", [[
      local process = require "luvisor.process"
      local stream = require "luvisor.stream"
      local task = require "luvisor.task"
      local fds = { tonumber(arg[1]), tonumber(arg[2]) }
      local a, b = stream.open(fds[1], "rw"), stream.open(fds[2], "rw")
      local from = process.spawn { "head", "-c", "3000000", "/dev/zero",
        stdout = "pipe" }
      local to = process.spawn { "wc", "-c", stdin = "pipe", stdout = "pipe" }
      task.nursery(function(n)
        n:spawn(function()
          print(from.stdout:copy_to(a))
          a:write("END")
        end)
        n:spawn(function()
          to.stdin:write(b:readuntil("END", { max = 4000000 }))
          to.stdin:close()
        end)
      end)
      print(to.stdout:read())
      for _, fd in ipairs(fds) do
        local info = io.open("/proc/self/fdinfo/" .. fd):read("a")
        print(tonumber(info:match("flags:%s*(%d+)"), 8) & 2048)
      end
    ]] }
    tap.is(out, "3000000\n3000003\n\n0\n0")
  end)

tap.done()
