-- Connecting: what fails and how, what is cancelled, many addresses, peers
-- that are not ours.

local core = require "luvisor.core.net"
local net = require "luvisor.net"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local TMP <const> = os.getenv "TMPDIR" or "/tmp"
local PID <const> = require "luvisor.core.os".getpid()
local NAME <const> = "@luvisor-test-connect-" .. PID

-- A port of this machine at which nobody listens.
local function free_port()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  return listener.address.port
end

-- A listener that takes no more connections: whoever connects now waits. (The
-- kernel queues one more than it was told.)
local function full_listener()
  local listener = net.listen { host = "127.0.0.1", port = 0, backlog = 1 }
  local at, inside = listener.address, {}
  for i = 1, 2 do
    inside[i] = net.connect { host = at.host, port = at.port }
  end
  return listener, inside
end

local function close_all(list)
  for _, one in ipairs(list) do one:close() end
end

-- For the length of fn the name "several" has these addresses.
local function with_addresses(list, fn)
  local resolve = core.resolve
  core.resolve = function(host, port)
    if host ~= "several" then return resolve(host, port) end
    local found = {}
    for i, one in ipairs(list) do
      found[i] = resolve(one.host, one.port)[1]
    end
    return found
  end
  local _ <close> = setmetatable({}, {
    __close = function() core.resolve = resolve end,
  })
  fn { host = "several", port = 1 }
end

-- A program in Python that is given these arguments; its stdout is a pipe.
local function python(source, ...)
  return process.spawn { "python3", "-c", "import socket, struct, sys\n"
    .. source, ..., stdin = "pipe", stdout = "pipe" }
end

-- Wrong use -------------------------------------------------------------------

tap.test("options are checked, and the one that was meant is named",
function()
  local wrong = {
    { { prt = 80 }, 'unknown option "prt"; did you mean "port"%?' },
    { {}, "expected path, or host and port" },
    { { host = "x" }, "expected path, or host and port" },
    { { path = "x", port = 1 }, "not both" },
    { { path = "" }, "path must be a string that is not empty" },
    { { path = "a\0b" }, "zero byte" },
    { { host = "", port = 1 }, "host must be" },
    { { port = "80" }, "port must be a port" },
    { { port = 65536 }, "from 0 to 65535" },
    { { port = 1.5 }, "port must be" },
    { "127.0.0.1:80", "expected a table" },
  }
  for _, one in ipairs(wrong) do
    for name, fn in pairs { connect = net.connect, listen = net.listen } do
      local _, err = tap.throws(function() fn(one[1]) end, "UsageError")
      tap.like(tostring(err), one[2])
      tap.like(tostring(err), "^" .. name .. ": ")
    end
  end
  tap.throws(function() net.connect { port = 1, mode = "600" } end, "mode")
  tap.throws(function() net.listen { port = 1, mode = "600" } end, "is none")
  tap.throws(function() net.listen { path = "@x", mode = "6" } end, "is none")
  tap.throws(function() net.listen { path = "x", mode = "9" } end, "mode must")
  tap.throws(function() net.listen { port = 0, backlog = 0 } end, "backlog")
  tap.throws(function() net.connect() end, "UsageError")
end)

-- Failures --------------------------------------------------------------------

tap.test("a refused connection says where", function()
  local port = free_port()
  local _, err = tap.throws(function()
    net.connect { host = "127.0.0.1", port = port }
  end, "ECONNREFUSED")
  tap.is(err.kind, "OSError")
  tap.is(err.op, "connect")
  tap.is(err.subject, "127.0.0.1:" .. port)
  tap.is(tostring(err), ("connect 127.0.0.1:%d: Connection refused "
    .. "(ECONNREFUSED)"):format(port))
  _, err = tap.throws(function() net.connect { path = NAME } end,
    "ECONNREFUSED")
  tap.is(err.subject, NAME)
  tap.throws(function() net.connect { path = TMP .. "/none" } end, "ENOENT")
  tap.throws(function() net.connect { path = TMP } end, "ECONNREFUSED")
end)

tap.test("a path that the kernel cannot take is refused", function()
  local long = ("x"):rep(108)
  for name, fn in pairs { connect = net.connect, listen = net.listen } do
    local _, err = tap.throws(function() fn { path = long } end,
      "ENAMETOOLONG")
    tap.is(err.op, name)
    tap.is(err.subject, long)
  end
  local longest = NAME .. ("x"):rep(108 - #NAME)
  local listener <close> = net.listen { path = longest }
  local conn <close> = net.connect { path = listener.address.path }
  tap.is(conn.peer.path, longest)
end)

tap.test("a host that is not there has its own code", function()
  local _, err = tap.throws(function()
    net.connect { host = "no.such.host.invalid", port = 1 }
  end, "OSError")
  tap.is(err.op, "resolve")
  tap.is(err.subject, "no.such.host.invalid")
  tap.like(err.code, "^EAI_")
  tap.like(tostring(err), "^resolve no.such.host.invalid: ")
  tap.throws(function()
    net.listen { host = "no.such.host.invalid", port = 0 }
  end, "OSError")
end)

-- Several addresses -----------------------------------------------------------

tap.test("the next address is tried when one refuses", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local refusing = { host = "127.0.0.1", port = free_port() }
  with_addresses({ refusing, refusing, listener.address }, function(where)
    local conn <close> = net.connect(where)
    tap.is(conn.peer.port, listener.address.port)
  end)
end)

tap.test("the next address is tried when one does not answer", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local full <close>, inside = full_listener()
  with_addresses({ full.address, listener.address }, function(where)
    local conn <close> = net.connect(where)
    tap.is(conn.peer.port, listener.address.port)
  end)
  close_all(inside)
end)

tap.test("where none answers all errors are told", function()
  local a, b = free_port(), free_port()
  local list = { { host = "127.0.0.1", port = a },
                 { host = "127.0.0.2", port = b } }
  with_addresses(list, function(where)
    local _, err = tap.throws(function() net.connect(where) end,
      "ECONNREFUSED")
    tap.is(err.kind, "OSError")
    tap.is(err.subject, "several:1")
    tap.is(#err.errors, 2)
    tap.is(err.errors[2].subject, "127.0.0.2:" .. b)
    tap.is(err.errors[1].subject, "127.0.0.1:" .. a)
    tap.like(tostring(err), "^connect several:1: Connection refused "
      .. "%(ECONNREFUSED%)")
  end)
end)

-- Cancelling ------------------------------------------------------------------

tap.test("a connection that is not made in time leaves nothing", function()
  local full <close>, inside = full_listener()
  local where = { host = "127.0.0.1", port = full.address.port }
  tap.throws(function() task.timeout(0.01, net.connect, where) end, "Timeout")
  local t = task.spawn(net.connect, where)
  tap.eventually(function() return t.state == "waiting" end)
  t:cancel()
  tap.throws(function() t:join() end, "Cancelled")
  with_addresses({ where, { host = "127.0.0.2", port = 1 }, where },
  function(several)
    tap.is(task.move_on(0.01, net.connect, several), false)
  end)
  close_all(inside)
end)

tap.test("a full backlog of a Unix socket is waited for", function()
  local listener <close> = net.listen { path = NAME, backlog = 1 }
  local inside = {}
  while true do
    local made, conn = task.move_on(0.01, net.connect, { path = NAME })
    if not made then break end
    inside[#inside + 1] = conn
  end
  tap.ok(#inside > 0, #inside .. " found room")
  local late = task.spawn(net.connect, { path = NAME })
  tap.eventually(function() return late.state == "waiting" end)
  for _ = 1, #inside do listener:accept():close() end
  local b <close> = late:join()
  local a <close> = listener:accept()
  b:write "x"
  tap.is(a:read(1), "x")
  close_all(inside)
end)

tap.test("a lookup can be cancelled at any point", function()
  for steps = 0, 10 do
    local t = task.spawn(pcall, net.connect,
      { host = "no.such.host.invalid", port = 1 })
    for _ = 1, steps do task.checkpoint() end
    t:cancel()
    local joined, ok, err = pcall(t.join, t)
    tap.ok(not joined and ok:is "Cancelled" or not ok and err.op == "resolve")
  end
end)

tap.test("a connect cancelled at any point leaves nothing", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local good = listener.address
  local bad = { host = "127.0.0.1", port = free_port() }
  with_addresses({ bad, good, good }, function(where)
    for steps = 0, 12 do
      local t = task.spawn(net.connect, where)
      for _ = 1, steps do task.checkpoint() end
      t:cancel()
      local ok, conn = pcall(t.join, t)
      if ok then conn:close() end
    end
    tap.ok(true)
  end)
end)

-- Peers in Python -------------------------------------------------------------

tap.test("a server in Python is talked to", function()
  local p <close> = python [[
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
data = b""
while piece := c.recv(65536): data += piece
c.sendall(data.upper())
c.close()]]
  local conn <close> = net.connect {
    host = "127.0.0.1", port = tonumber(p.stdout:readline()),
  }
  conn:write(("hello "):rep(100000))
  conn:write_eof()
  tap.ok(conn:read() == ("HELLO "):rep(100000), "all came back")
  p:wait()
end)

tap.test("clients in Python are served", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local serving = task.spawn(function()
    for conn in listener do
      task.spawn(function()
        local _ <close> = conn
        for line in conn:lines() do conn:write(line:reverse(), "\n") end
      end)
    end
  end)
  local p <close> = python([[
socks = [socket.create_connection(("127.0.0.1", int(sys.argv[1])))
         for i in range(50)]
for i, s in enumerate(socks): s.sendall(b"abc%d\n" % i)
print(all(s.makefile().readline() == f"abc{i}\n"[-2::-1] + "\n"
          for i, s in enumerate(socks)))]], tostring(listener.address.port))
  tap.is(p.stdout:read(), "True\n")
  p:wait()
  listener:close()
  serving:join()
end)

-- A connection to a peer that does this with its end of it.
local function peer(listener, ending)
  return python([[
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
]] .. ending .. [[
print(flush=True)
sys.stdin.read()]], tostring(listener.address.port))
end

local RESET <const> = [[
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
]]

tap.test("a reset is an error to who reads, after what came before",
function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local p <close> = peer(listener, RESET)
  p.stdout:readline()
  local conn <close> = listener:accept()
  local _, err = tap.throws(function() conn:read() end, "ECONNRESET")
  tap.is(err.kind, "OSError")
  tap.is(err.op, "read")
end)

tap.test("a reset is BrokenPipe to who writes", function()
  local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
  local p <close> = peer(listener, RESET)
  p.stdout:readline()
  local conn <close> = listener:accept()
  local _, err = tap.throws(function()
    for _ = 1, 10 do conn:write "x" end
  end, "BrokenPipe")
  tap.ok(err:is "ECONNRESET" or err:is "EPIPE", err.code)
end)

tap.test("a peer that has gone is BrokenPipe to who goes on writing",
function()
  local listener <close> = net.listen { path = NAME }
  local a = net.connect { path = NAME }
  local b <close> = listener:accept()
  a:close()
  local _, err = tap.throws(function() b:write "x" end, "BrokenPipe")
  tap.is(err.code, "EPIPE")
  tap.is(b:read(), "")
end)

tap.test("a peer that reads no more wakes who waits in a write", function()
  local listener <close> = net.listen { path = NAME }
  local a = net.connect { path = NAME }
  local b <close> = listener:accept()
  local writing = task.spawn(pcall, b.write, b, ("x"):rep(5000000))
  tap.eventually(function() return writing.state == "waiting" end)
  a:close()
  local ok, err = writing:join()
  tap.ok(not ok and err:is "BrokenPipe")
end)

tap.done()
