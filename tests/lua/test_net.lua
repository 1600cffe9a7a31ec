-- Connecting, listening, talking: TCP and Unix sockets, both ends ours.

local core_os = require "luvisor.core.os"
local net = require "luvisor.net"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local TMP <const> = os.getenv "TMPDIR" or "/tmp"
local NAME <const> = "@luvisor-test-net-" .. core_os.getpid()

-- Each kind of socket: what to listen at, and what to connect to then.
local kinds = {
  { "a TCP socket", { host = "127.0.0.1", port = 0 } },
  { "a TCP socket over IPv6", { host = "::1", port = 0 } },
  { "a Unix socket", { path = TMP .. "/socket" } },
  { "an abstract Unix socket", { path = NAME } },
}

local function is_missing(where)
  if where.host ~= "::1" then return false end
  return not pcall(function() net.listen(where):close() end)
end

local function to(listener)
  local at = listener.address
  return { path = at.path, host = at.host, port = at.port }
end

local Both = {}
function Both:__close()
  for _, socket in ipairs(self) do socket:close() end
end

-- Both ends of a new connection, and what closes them.
local function pair(where)
  local listener <close> = net.listen(where)
  local accepting = task.spawn(listener.accept, listener)
  local client = net.connect(to(listener))
  local server = accepting:join()
  return client, server, setmetatable({ client, server }, Both)
end

local function for_each_kind(name, fn)
  for _, kind in ipairs(kinds) do
    tap.test(name:format(kind[1]), function()
      if is_missing(kind[2]) then tap.skip "there is no IPv6 here" end
      fn(kind[2])
    end)
  end
end

for_each_kind("what is written to %s comes out at the other end",
function(where)
  local a, b, _ <close> = pair(where)
  a:write("hello\n", "wor")
  a:write "ld\n"
  tap.is(b:readline(), "hello")
  tap.is(b:readline(), "world")
  b:writelines { "one ", "two" }
  tap.is(a:readexactly(7), "one two")
  tap.is(a:at_eof(), false)
end)

for_each_kind("write_eof ends one direction of %s, the other goes on",
function(where)
  local a, b, _ <close> = pair(where)
  a:write "question"
  a:write_eof()
  a:write_eof()
  tap.is(b:read(), "question", "to the end")
  b:write "answer"
  b:close()
  tap.is(a:read(), "answer")
  tap.throws(function() a:write "more" end, "Closed")
end)

for_each_kind("closing the writer of %s is write_eof", function(where)
  local a, b, _ <close> = pair(where)
  a.writer:close()
  tap.is(b:read(1), nil)
  b:write "x"
  tap.is(a.reader:read(1), "x")
end)

for_each_kind("close of %s loses nothing that was written", function(where)
  local a, b = pair(where)
  local _ <close> = b
  local data = ("0123456789"):rep(200000)
  local writing = task.spawn(function()
    a:write(data)
    a:close()
  end)
  tap.ok(b:read() == data, "all of it came")
  writing:join()
end)

for_each_kind("many bytes go through %s in both directions at once",
function(where)
  local a, b, _ <close> = pair(where)
  local data = ("x"):rep(3000000)
  local function send(socket)
    socket:write(data)
    socket:write_eof()
  end
  local sending = { task.spawn(send, a), task.spawn(send, b) }
  local receiving = task.spawn(a.read, a)
  tap.is(#b:read(), #data)
  tap.is(#receiving:join(), #data)
  for _, t in ipairs(sending) do t:join() end
end)

for_each_kind("a slow reader of %s makes the writer wait", function(where)
  local a, b, _ <close> = pair(where)
  local writing = task.spawn(a.write, a, ("x"):rep(20000000))
  tap.is(#b:readexactly(1000), 1000)
  tap.is(writing.state, "waiting")
  local n = 1000
  while n < 20000000 do n = n + #b:read(1000000) end
  writing:join()
  a:drain()
  tap.is(a:pending(), 0)
end)

for_each_kind("each end of %s knows both addresses", function(where)
  local listener <close> = net.listen(where)
  local accepting = task.spawn(listener.accept, listener)
  local a <close> = net.connect(to(listener))
  local b <close> = accepting:join()
  tap.is(tostring(a.peer), tostring(listener.address))
  tap.is(tostring(b.address), tostring(listener.address))
  tap.is(tostring(b.peer), tostring(a.address))
  tap.is(b.peer.path, nil)
  tap.is(a.peer.path, where.path)
  tap.is(a.peer.host, where.host)
  tap.is(listener.address.port ~= 0, true, "the real port")
end)

tap.test("addresses read as a person writes them", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  tap.is(listener.address.family, "ipv4")
  tap.like(tostring(listener.address), "^127%.0%.0%.1:%d+$")
  tap.like(tostring(listener), "^listener %(127%.0%.0%.1:%d+%)$")
  local unix <close> = net.listen { path = NAME }
  tap.is(unix.address.family, "unix")
  tap.is(tostring(unix.address), NAME)
  tap.is_deeply(unix.addresses, { unix.address })
  local accepting = task.spawn(unix.accept, unix)
  local a <close> = net.connect { path = NAME }
  local b <close> = accepting:join()
  tap.is(tostring(a), "socket (a socket without a name, to "
    .. NAME .. ")")
  tap.is(tostring(b.peer), "a socket without a name")
end)

tap.test("without a host we listen at every address", function()
  local listener <close> = net.listen { port = 0 }
  local ports = {}
  for _, address in ipairs(listener.addresses) do
    ports[address.port] = true
    local host = address.family == "ipv6" and "::1" or "127.0.0.1"
    local accepting = task.spawn(listener.accept, listener)
    local a <close> = net.connect { host = host, port = address.port }
    local b <close> = accepting:join()
    tap.is(b.address.host, host)
    tap.is(a.peer.host, host)
  end
  local port = next(ports)
  tap.is(next(ports, port), nil, "one port for all")
end)

tap.test("a host is given by name as well", function()
  local listener <close> = net.listen { host = "localhost", port = 0 }
  local accepting = task.spawn(listener.accept, listener)
  local a <close> = net.connect {
    host = "localhost", port = listener.address.port,
  }
  local b <close> = accepting:join()
  a:write "x"
  tap.is(b:read(1), "x")
  accepting = task.spawn(listener.accept, listener)
  local c <close> = net.connect { port = listener.address.port }
  local d <close> = accepting:join()
  tap.is(c.address.port, d.peer.port, "localhost is meant without one")
end)

tap.test("a Unix peer's process, user and group are known", function()
  local listener <close> = net.listen { path = TMP .. "/socket" }
  local p <close> = process.spawn { "python3", "-c", [[
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.recv(1)]], TMP .. "/socket" }
  local conn <close> = listener:accept()
  tap.is(conn.peer.pid, p.pid)
  tap.is(conn.peer.uid, tonumber(process.capture { "id", "-u" }))
  tap.is(conn.peer.gid, tonumber(process.capture { "id", "-g" }))
  conn:write "x"
  p:wait()
end)

tap.test("a Unix client knows who listens", function()
  local p <close> = process.spawn { "python3", "-c", [[
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print(flush=True)
s.accept()[0].recv(1)]], TMP .. "/other", stdout = "pipe" }
  p.stdout:readline()
  local conn <close> = net.connect { path = TMP .. "/other" }
  tap.is(conn.peer.pid, p.pid)
  conn:write "x"
  p:wait()
  os.remove(TMP .. "/other")
end)

tap.test("copy_to moves bytes from a socket to a pipe and back", function()
  local a, b, _ <close> = pair { path = NAME }
  local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  local data = ("abc"):rep(500000)
  local tasks = {
    task.spawn(function() a:write(data) a:write_eof() end),
    task.spawn(function() b:copy_to(p.stdin, { close = true }) end),
    task.spawn(function()
      p.stdout:copy_to(b.writer)
      b:write_eof()
    end),
  }
  tap.ok(a:read() == data, "all came back")
  for _, t in ipairs(tasks) do t:join() end
  p:wait()
end)

tap.test("a child may have the socket as its standard streams", function()
  local a, b = pair { host = "127.0.0.1", port = 0 }
  local _ <close> = a
  local p <close> = process.spawn {
    "sh", "-c", "read x; echo got $x; sleep 0.01; echo more",
    stdin = b, stdout = b,
  }
  b:close()
  a:write "this\n"
  tap.is(a:readline(), "got this")
  tap.is(a:readline(), "more", "though our end is closed")
  p:wait()
  tap.is(a:read(1), nil, "the end comes when the child has closed it, too")
end)

tap.test("sockets are not inherited, and do not block", function()
  local a, b, _ <close> = pair { host = "127.0.0.1", port = 0 }
  local listener <close> = net.listen { path = NAME }
  local out = process.capture { shell = "ls -l /proc/self/fd" }
  tap.is(out:find "socket:", nil)
  for _, socket in ipairs { a, b } do
    local flags = process.capture { "cat", ("/proc/%d/fdinfo/%d"):format(
      core_os.getpid(), socket:fileno()) }
    tap.like(flags, "flags:%s+0?2004002", "O_CLOEXEC and O_NONBLOCK")
  end
  tap.is(listener.address.path, NAME)
end)

tap.test("small writes are sent at once", function()
  local a, b, _ <close> = pair { host = "127.0.0.1", port = 0 }
  local p = process.run { "python3", "-c", [[
import socket
for fd in (0, 1):
    s = socket.socket(fileno=fd)
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    s.detach()]], stdin = a, stdout = b }
  tap.is(p.ok, true)
end)

tap.test("a socket is a Duplex: limit, max_line, lines, unread", function()
  local a, b, _ <close> = pair { path = NAME }
  b.max_line = 10
  tap.is(b.max_line, 10)
  tap.is(b.limit, 256 * 1024)
  a:write(("x"):rep(20), "\n")
  tap.throws(function() b:readline() end, "LimitOverrun")
  b.max_line = 100
  tap.is(#b:readline(), 20)
  b:unread "1\n2\n"
  a:write_eof()
  local lines = {}
  for line in b:lines() do lines[#lines + 1] = line end
  tap.is_deeply(lines, { "1", "2" })
end)

tap.test("abort drops what the kernel has not taken", function()
  local a, b = pair { path = NAME }
  local _ <close> = b
  local writing = task.spawn(pcall, a.write, a, ("x"):rep(10000000))
  tap.eventually(function() return writing.state == "waiting" end)
  a:abort()
  local ok, err = writing:join()
  tap.ok(not ok and err:is "Closed", "who writes is told")
  tap.ok(#b:read() < 10000000)
end)

tap.test("<close> closes both ways", function()
  local kept
  do
    local a, b = pair { path = NAME }
    local _ <close> = a
    kept = b
  end
  tap.is(kept:read(), "")
  kept:close()
  kept:close()
  tap.throws(function() kept:read() end, "Closed")
end)

tap.done()
