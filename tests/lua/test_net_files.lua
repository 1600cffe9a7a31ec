-- The file of a Unix socket that listens: made, replaced, removed.

local net = require "luvisor.net"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"
local TMP <const> = os.getenv "TMPDIR" or "/tmp"
local PATH <const> = TMP .. "/socket"

local function exists(path)
  return process.run { "test", "-e", path, check = { 0, 1 } }.ok
end

-- What a process leaves that was killed while it listened.
local function leave_stale(path)
  process.run { "python3", "-c", [[
import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])]], path }
end

local function permissions(path)
  return process.capture { "stat", "-c", "%a", path }
end

tap.test("the file is there while we listen, and no longer", function()
  local listener = net.listen { path = PATH }
  tap.ok(exists(PATH))
  listener:close()
  tap.ok(not exists(PATH))
  listener:close()
end)

tap.test("the file goes with a listener that nobody closed", function()
  process.run { LUVISOR, "-e",
    ("LISTENER = require 'luvisor.net'.listen { path = %q }"):format(PATH) }
  tap.ok(not exists(PATH))
end)

tap.test("a socket that nobody listens on is replaced", function()
  leave_stale(PATH)
  tap.ok(exists(PATH))
  tap.throws(function() net.connect { path = PATH } end, "ECONNREFUSED")
  local listener <close> = net.listen { path = PATH }
  local a <close> = net.connect { path = PATH }
  local b <close> = listener:accept()
  a:write "x"
  tap.is(b:read(1), "x")
end)

tap.test("a socket that somebody listens on is not", function()
  local listener <close> = net.listen { path = PATH }
  local _, err = tap.throws(function() net.listen { path = PATH } end,
    "EADDRINUSE")
  tap.is(err.op, "listen")
  tap.is(err.subject, PATH)
  listener:accept():close()
  local a <close> = net.connect { path = PATH }
  local b <close> = listener:accept()
  a:write "x"
  tap.is(b:read(1), "x", "it goes on")
end)

tap.test("neither is one whose backlog is full", function()
  local _ <close> = net.listen { path = PATH, backlog = 1 }
  local inside = {}
  while true do
    local made, conn = task.move_on(0.01, net.connect, { path = PATH })
    if not made then break end
    inside[#inside + 1] = conn
  end
  tap.throws(function() net.listen { path = PATH } end, "EADDRINUSE")
  for _, conn in ipairs(inside) do conn:close() end
end)

tap.test("a file that is no socket is left as it is", function()
  do
    local file <close> = assert(io.open(PATH, "w"))
    file:write "precious"
  end
  tap.throws(function() net.listen { path = PATH } end, "EADDRINUSE")
  local file <close> = assert(io.open(PATH))
  tap.is(file:read "a", "precious")
  os.remove(PATH)
end)

tap.test("a link is not followed to what it names", function()
  leave_stale(TMP .. "/other")
  process.run { "ln", "-s", TMP .. "/other", PATH }
  tap.throws(function() net.listen { path = PATH } end, "EADDRINUSE")
  tap.ok(exists(TMP .. "/other"))
  os.remove(PATH)
  os.remove(TMP .. "/other")
end)

tap.test("closing does not remove what another put there meanwhile",
function()
  local first = net.listen { path = PATH }
  os.remove(PATH)
  local second <close> = net.listen { path = PATH }
  first:close()
  local conn <close> = net.connect { path = PATH }
  tap.is(conn.peer.path, PATH)
  tap.ok(exists(second.address.path))
end)

tap.test("mode is the file's, whatever umask says", function()
  for _, mode in ipairs { "600", "0666", 384, "777" } do
    local listener <close> = net.listen { path = PATH, mode = mode }
    local octal = type(mode) == "string" and tonumber(mode, 8) or mode
    tap.is(permissions(PATH), ("%o"):format(octal))
    tap.is(listener.address.path, PATH)
  end
  local result = process.run { LUVISOR, "-e", ([[
local lv = require "luvisor"
local a <close> = lv.net.listen { path = %q, mode = "660" }
local b <close> = lv.net.listen { path = %q }
print(lv.process.capture { "stat", "-c", "%%a", %q, %q })]])
    :format(PATH, PATH .. 2, PATH, PATH .. 2), umask = tonumber("077", 8) }
  tap.is(result.stdout, "660\n700\n")
end)

tap.test("of many that replace one socket at once a single one listens",
function()
  for _ = 1, 3 do
    leave_stale(PATH)
    local script = ([[
local lv = require "luvisor"
local l, err = lv.try(lv.net.listen, { path = %q })
print(l and "mine" or err.code)
lv.stream.stdin:read()]]):format(PATH)
    local all, mine, busy = {}, 0, 0
    for i = 1, 6 do
      all[i] = process.spawn { LUVISOR, "-e", script, stdin = "pipe",
                               stdout = "pipe" }
    end
    for _, p in ipairs(all) do
      local said = p.stdout:readline()
      if said == "mine" then mine = mine + 1 end
      if said == "EADDRINUSE" then busy = busy + 1 end
    end
    tap.is(mine, 1)
    tap.is(busy, 5)
    net.connect { path = PATH }:close()
    for _, p in ipairs(all) do
      p.stdin:close()
      p:wait()
      p:close()
    end
    tap.ok(not exists(PATH))
  end
end)

tap.test("while the directory is locked listening waits", function()
  local lock <close> = process.spawn {
    "python3", "-c", [[
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()]], TMP, stdin = "pipe", stdout = "pipe",
  }
  lock.stdout:readline()
  local listening = task.spawn(net.listen, { path = PATH })
  tap.eventually(function() return listening.state == "waiting" end)
  lock.stdin:close()
  listening:join():close()
  lock:wait()
end)

tap.test("a directory that is not there, or not ours, is named", function()
  local _, err = tap.throws(function()
    net.listen { path = TMP .. "/none/socket" }
  end, "ENOENT")
  tap.is(err.subject, TMP .. "/none/socket")
end)

tap.done()
