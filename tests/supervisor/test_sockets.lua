-- Sockets that luvisor opens once and passes on, as systemd does.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local net = require "luvisor.net"
local tap = require "luvisor.tap"

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local servers = dofile(SOURCE .. "/tests/support/servers.lua")
local with = services.with

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

-- Answers each connection on any of them with its environment and its pid.
local SERVER <const> = [[
import os, select, socket
n = int(os.environ["LISTEN_FDS"])
assert os.environ["LISTEN_PID"] == str(os.getpid())
socks = [socket.socket(fileno=fd) for fd in range(3, 3 + n)]
while True:
    for s in select.select(socks, [], [])[0]:
        conn, _ = s.accept()
        conn.sendall(("%d %d %s\n" % (socks.index(s), os.getpid(),
            os.environ["LISTEN_FDNAMES"])).encode())
        conn.close()
]]

local function server(sockets, more)
  local spec = { command = { "python3", "-c", SERVER }, sockets = sockets,
                 backoff = { initial = 0.01 } }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

local function ask(where)
  local conn <close> = net.connect(where)
  local index, pid, names = conn:readline():match "^(%d+) (%d+) (.*)$"
  return tonumber(index), tonumber(pid), names
end

tap.test("they are at 3 and on, in their order, with LISTEN_*", function()
  local port, path = servers.free_port(), TMP .. "/a.sock"
  with({ web = server { "127.0.0.1:" .. port, path } }, function(sup)
    sup:start "web"
    local pid = sup:status("web").pid
    is_deeply({ ask { host = "127.0.0.1", port = port } },
      { 0, pid, "web:web" })
    is_deeply({ ask { path = path } }, { 1, pid, "web:web" })
  end)
  ok(not fs.exists(path), "the file of the Unix socket is removed")
end)

tap.test("a plain blocking accept works, and nothing else is inherited",
  function()
    local path = TMP .. "/a.sock"
    with({ web = { sockets = { path }, command = { "python3", "-c", [[
import os, socket
s = socket.socket(fileno=3)
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
while True:
    conn, _ = s.accept()
    conn.sendall((" ".join(map(str, fds)) + "\n").encode())
    conn.close()
]] } } }, function(sup)
      sup:start "web"
      local conn <close> = net.connect { path = path }
      like(conn:readline(), "^0 1 2 3 ?%d*$")
    end)
  end)

tap.test("kept over restarts: who connects meanwhile waits, and is served",
  function()
    local port = servers.free_port()
    local where = { host = "127.0.0.1", port = port }
    with({ web = server({ "127.0.0.1:" .. port },
      { backoff = { initial = 0.2 } }) }, function(sup)
      sup:start "web"
      local _, first = ask(where)
      local before = #require "luvisor.core.os".fds()
      sup:signal("web", "KILL")
      local inst = sup:find("web")[1]
      inst:wait_until(function(i) return i.state == "backoff" end)
      local _, second = ask(where)
      ok(second ~= first)
      sup:restart "web"
      local _, third = ask(where)
      ok(third ~= second)
      sup:stop "web"
      local conn <close> = net.connect(where)
      sup:start "web"
      like(conn:readline(), "^0 ", "also while it was stopped by hand")
      conn:close()
      tap.eventually(function()
        return #require "luvisor.core.os".fds() <= before
      end, 30, "none is opened twice")
    end)
  end)

tap.test("a port in use is one clear error, tried again as its policy says",
  function()
    local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
    local port = listener.address.port
    with({ web = server({ TMP .. "/a.sock", "127.0.0.1:" .. port },
      { restart = "never" }) }, function(sup)
      local _, err = pcall(sup.start, sup, "web")
      is(tostring(err), ("web is failed: cannot listen at 127.0.0.1:%d: it is "
        .. "in use"):format(port))
      ok(not fs.exists(TMP .. "/a.sock"), "none is open then")
      listener:close()
      sup:start "web"
      is((ask { host = "127.0.0.1", port = port }), 1, "all, or none")
    end)
  end)

tap.test("a stale socket file is replaced, a file that is none is not",
  function()
    local path = TMP .. "/a.sock"
    lv.process.run { "python3", "-c", ([[
import socket
s = socket.socket(socket.AF_UNIX)
s.bind("%s")]]):format(path) }
    ok(fs.exists(path))
    with({ web = server { path } }, function(sup)
      sup:start "web"
      is((ask { path = path }), 0)
    end)
    fs.write_file(path, "mine")
    with({ web = server({ path }, { restart = "never" }) }, function(sup)
      tap.throws(function() sup:start "web" end, "cannot listen at .*a.sock")
    end)
    is(fs.read_file(path), "mine")
    os.remove(path)
  end)

tap.test("a host with two addresses gives two", function()
  local addresses = {}
  local port = servers.free_port()
  pcall(function()
    local listener <close> = net.listen { host = "localhost", port = port }
    addresses = listener.addresses
  end)
  with({ web = server { "localhost:" .. port } }, function(sup)
    sup:start "web"
    local _, _, names = ask { host = "127.0.0.1", port = port }
    is(names, addresses[2] and "web:web" or "web")
  end)
end)

tap.test("apply: others are opened, those that are gone are closed", function()
  local path, other = TMP .. "/a.sock", TMP .. "/b.sock"
  with({ web = server { path }, gone = server { TMP .. "/c.sock" } },
    function(sup)
      sup:start "web"
      sup:start "gone"
      local inode = fs.stat(path).ino
      sup:apply(services.config { web = server { other, path } })
      sup:wait("web", "running", 30)
      is((ask { path = other }), 0)
      is((ask { path = path }), 1)
      is(fs.stat(path).ino, inode, "the same is kept")
      ok(not fs.exists(TMP .. "/c.sock"))
      sup:apply(services.config { web = server { other } })
      sup:wait("web", "running", 30)
      is((ask { path = other }), 0)
      ok(not fs.exists(path))
    end)
end)

tap.test("a function and instances cannot have them, nor ready its fd",
  function()
    local function refused(spec, why)
      tap.throws(function() services.with({ a = spec }, function() end) end,
        why)
    end
    refused({ run = function() end, sockets = { ":0" } }, "sockets: is for")
    refused(server({ "/x/y" }, { instances = 2 }), "sockets: ")
    refused(server({ "/x/y" }, { ready = { fd = 3 } }), "ready.fd: ")
    services.clean()
  end)

tap.done()
