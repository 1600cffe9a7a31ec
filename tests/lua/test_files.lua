local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- Let a new task run until it waits, or has ended.
local function start(t)
  while t.state == "ready" do task.checkpoint() end
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

-- How many of our descriptors are non-blocking.
local function nonblocking()
  local n = 0
  for fd = 0, 100 do
    local file <close> = io.open("/proc/self/fdinfo/" .. fd)
    local flags = file and file:read("a"):match("flags:%s*(%d+)")
    if flags and tonumber(flags, 8) & 2048 ~= 0 then n = n + 1 end
  end
  return n
end

-- opening ---------------------------------------------------------------------

tap.test("a Lua file can be read and written as a stream", function()
  with_file(function(name)
    local out = io.open(name, "w")
    out:write("written by Lua\n")
    local w = stream.open(out, "w")
    w:write("and by us\n")
    w:drain()
    tap.is(read_file(name), "written by Lua\nand by us\n", "in this order")
    w:close()
    out:write("and by Lua again\n")
    out:close()
    local file = io.open(name)
    local r = stream.open(file)
    tap.is(r:readline(), "written by Lua")
    tap.is(r:readline(), "and by us")
    tap.is(r:read(), "and by Lua again\n")
    tap.ok(r:at_eof())
    r:close()
    tap.is(file:read(0), nil, "they share the offset")
    file:close()
  end)
end)

tap.test("a stream goes on when the Lua file is closed, and the other way",
  function()
    with_file(function(name)
      write_file(name, "abc")
      local file = io.open(name)
      local r = stream.open(file, "r")
      file:close()
      tap.is(r:read(), "abc")
      r:close()
      file = io.open(name)
      stream.open(file):close()
      tap.is(file:read("a"), "abc")
      file:close()
    end)
  end)

tap.test("what cannot be opened is refused", function()
  tap.throws(function() stream.open(12345) end, "EBADF")
  tap.throws(function() stream.open(12345, "w") end, "descriptor 12345")
  for _, wrong in ipairs { -1, 1.5, "1", {}, true, 1 << 40 } do
    tap.throws(function() stream.open(wrong) end, "UsageError")
  end
  tap.throws(function() stream.open() end, "UsageError")
  tap.throws(function() stream.open(1, "x") end, 'is "r", "w" or "rw"')
  tap.throws(function() stream.open(1, 5) end, "UsageError")
  local file = io.open("/dev/null")
  file:close()
  tap.throws(function() stream.open(file) end, "the file is closed")
end)

tap.test("a descriptor is opened only for what it is open for itself",
  function()
    local file <close> = io.open("/dev/null")
    tap.throws(function() stream.open(file, "w") end, "EBADF")
    tap.throws(function() stream.open(file, "rw") end, "EBADF")
    local r, w = stream.pipe()
    tap.throws(function() stream.open(r:fileno(), "w") end, "EBADF",
      "it would be the other end of the pipe")
    tap.throws(function() stream.open(w:fileno(), "r") end, "EBADF")
    stream.open(r:fileno(), "r"):close()
    stream.open(w:fileno(), "w"):close()
  end)

tap.test("a directory can be opened, but not read", function()
  local file <close> = io.open("/proc")
  local r <close> = stream.open(file)
  tap.throws(function() r:read(1) end, "EISDIR")
  tap.throws(function() r:read() end, "EISDIR", "and again")
  tap.ok(not r:at_eof(), "that is no end")
end)

tap.test("devices that are always ready can be read", function()
  local file <close> = io.open("/dev/zero")
  local r <close> = stream.open(file)
  tap.is(r:readexactly(100000), ("\0"):rep(100000))
  tap.ok(r:buffered() <= r.limit)
end)

tap.test("a FIFO is read and written without being made non-blocking",
  function()
    local name = os.tmpname()
    os.remove(name)
    process.run { "mkfifo", name }
    local before = nonblocking()
    local file = io.open(name, "r+")
    local r, w = stream.open(file, "r"), stream.open(file, "w")
    local reading = task.spawn(function() return r:readline() end)
    waits(reading)
    tap.is(nonblocking() - before, 2, "the streams are, the file is not")
    w:write("through the FIFO\n")
    tap.is(reading:join(), "through the FIFO")
    r:close() -- it would read ahead
    local p = process.spawn { "sh", "-c", "cat <" .. name, stdout = "pipe" }
    w:write("for the child\n")
    tap.is(p.stdout:readline(), "for the child")
    p:kill()
    p:wait()
    file:close()
    w:close()
    os.remove(name)
  end)

-- reading files ---------------------------------------------------------------

local lines = {}
for i = 1, 50000 do lines[i] = "line " .. i end
local text = table.concat(lines, "\n") .. "\n"

tap.test("a big file comes whole, by lines and by bytes", function()
  with_file(function(name)
    write_file(name, text)
    for _, limit in ipairs { 262144, 1000 } do
      local file <close> = io.open(name)
      local r <close> = stream.open(file)
      r.limit = limit
      local i = 0
      for line in r:lines() do
        i = i + 1
        if line ~= lines[i] then break end
      end
      tap.is(i, 50000)
    end
    local file <close> = io.open(name)
    local r <close> = stream.open(file)
    tap.ok(r:read() == text)
  end)
end)

tap.test("a file is not read ahead of its limit", function()
  with_file(function(name)
    write_file(name, text)
    local file <close> = io.open(name)
    local r <close> = stream.open(file)
    r.limit = 100
    tap.is(#r:read(10), 10)
    task.sleep(0.005)
    tap.is(file:seek("cur", 0) <= 200, true)
    tap.is(r:readexactly(#text - 10), text:sub(11))
  end)
end)

tap.test("a cancelled read of a file loses nothing", function()
  with_file(function(name)
    write_file(name, text)
    local file <close> = io.open(name)
    local r <close> = stream.open(file)
    local got = ""
    local reading = task.spawn(function() got = r:read(10) end)
    start(reading)
    reading:cancel()
    pcall(reading.join, reading)
    tap.ok(got .. r:read() == text)
  end)
end)

tap.test("a reader may be closed while a thread reads for it", function()
  with_file(function(name)
    write_file(name, text)
    for _ = 1, 20 do
      local file = io.open(name)
      local r = stream.open(file)
      local reading = task.spawn(function()
        tap.throws(function() r:readexactly(#text + 1) end, function(err)
          return err:is "Closed" or err:is "IncompleteRead"
        end)
      end)
      start(reading)
      r:close()
      file:close()
      reading:join()
    end
  end)
end)

-- writing files ---------------------------------------------------------------

tap.test("what is written to a file is there, in order, after drain",
  function()
    with_file(function(name)
      local file = io.open(name, "w")
      local w = stream.open(file, "w")
      for i = 1, 50000 do w:write("line ", i, "\n") end
      w:drain()
      tap.is(w:pending(), 0)
      tap.ok(read_file(name) == text)
      w:write(("long "):rep(1 << 20))
      w:write("end")
      w:close()
      w:drain()
      tap.is(#read_file(name), #text + (5 << 20) + 3)
      file:close()
    end)
  end)

tap.test("abort drops what no thread has written yet", function()
  with_file(function(name)
    local file <close> = io.open(name, "w")
    local w = stream.open(file, "w")
    local writing = task.spawn(function()
      tap.throws(function() w:write(("x"):rep(50 << 20)) end, "Closed")
    end)
    start(writing)
    w:abort()
    writing:join()
    tap.throws(function() w:drain() end, "Closed")
  end)
end)

tap.test("a file that cannot grow fails the write that finds it, and the next",
  function()
    with_file(function(name)
      local r = process.run {
        LUVISOR, "-e", [[
          local signal = require "luvisor.signal"
          local stream = require "luvisor.stream"
          signal.ignore("XFSZ")
          local w = stream.open(1, "w")
          local ok, err = pcall(function()
            w:write(("x"):rep(1000))
            w:drain()
            w:write(("x"):rep(200000))
            w:drain()
          end)
          assert(not ok and err:is "OSError")
          for _, method in ipairs { "write", "drain" } do
            ok, err = pcall(w[method], w, "x")
            io.stderr:write(tostring(ok), " ", err.code, "\n")
          end
          io.stderr:write(tostring(w:is_closing()), " ", w:pending(), "\n")
        ]], stdout = { file = name }, limits = { fsize = 100000 },
      }
      tap.is(r.stderr, "false EFBIG\nfalse EFBIG\ntrue 0\n")
      tap.is(r.code, 0)
      tap.is(#read_file(name), 100000)
    end)
  end)

-- Duplex ----------------------------------------------------------------------

tap.test("a Duplex is a Reader and a Writer in one", function()
  local r, w = stream.pipe()
  local d = stream.duplex(r, w)
  d:write("one\n", 2)
  d:writelines { "x", "y" }
  d:drain()
  tap.is(d:pending(), 0)
  tap.is(d:readline(), "one")
  tap.is(d:peek(1), "2")
  tap.is(d:readexactly(2), "2x")
  tap.is(d:buffered(), 1)
  d:unread("ab;")
  tap.is(d:readuntil(";"), "ab;")
  tap.is(d:read(5), "y")
  d.limit, d.max_line = 10, 20
  tap.is(r.limit, 10)
  tap.is(r.max_line, 20)
  tap.is(d.limit, 10)
  d.other = "mine"
  tap.is(d.other, "mine")
  tap.is(d.nothing, nil)
  tap.is(d:fileno(), r:fileno())
  tap.ok(not d:is_closing())
  tap.ok(not d:at_eof())
  tap.like(tostring(d), "^duplex %(reader %(.*writer %(.*%)%)$")
  d:write("a\nb")
  w:close()
  local all = {}
  for line in d:lines() do all[#all + 1] = line end
  for bytes in d:chunks() do all[#all + 1] = bytes end
  tap.is(table.concat(all, " "), "a b")
  d:close()
  d:close()
  tap.throws(function() d:read() end, "Closed")
  tap.throws(function() d:write("x") end, "Closed")
end)

tap.test("leaving a block and abort end both sides of a Duplex", function()
  local r, w = stream.pipe()
  do
    local d <close> = stream.duplex(r, w)
    d:write("x")
  end
  tap.throws(function() r:read() end, "Closed")
  tap.ok(w:is_closing())
  r, w = stream.pipe()
  stream.duplex(r, w):abort()
  tap.throws(function() r:read() end, "Closed")
  tap.ok(w:is_closing())
end)

tap.test("a terminal is read and written by one Duplex", function()
  local p = process.spawn { "sh", "-c", "read x; echo got $x; read y; echo $y",
                            pty = { echo = false } }
  p.tty:write("one\n")
  tap.is(p.tty:readline(), "got one\r")
  p.tty:write("two\n")
  tap.is(p.tty:read(), "two\r\n", "its end is no error")
  tap.ok(p.tty:at_eof())
  tap.ok(p:wait().ok)
  p:close()
end)

tap.done()
