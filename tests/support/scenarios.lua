--- What a program does in its everyday life, each a function that waits, cleans
-- up after itself and returns the same value each time.
-- local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")
-- For the tests of tests/fault.

local asyncio = require "luvisor.asyncio"
local fault = require "luvisor.fault"
local fs = require "luvisor.fs"
local net = require "luvisor.net"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local stream = require "luvisor.stream"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = {}

local TEXT <const> = ("0123456789abcde\n"):rep(10000) -- more than a pipe holds

function M.run()
  return process.run { "cat", input = TEXT }.stdout
end

-- A failure is part of it.
function M.run_failing()
  local ok, err = pcall(process.run, { "/bin/sh", "-c", "echo out; exit 3" })
  if ok or err.kind ~= "ExitError" then error(err, 0) end
  return err.stdout .. err.status.code
end

function M.run_feeder()
  local n = 3
  return process.run { "/bin/cat", input = function()
    n = n - 1
    return n >= 0 and tostring(n) or nil
  end }.stdout
end

function M.run_attributes()
  return process.capture {
    "/bin/sh", "-c", "umask; pwd; ulimit -c; read x <&3; echo $x",
    fds = { [3] = { file = "/proc/self/comm" } }, cwd = "/", umask = 18,
    nice = 1, limits = { core = 0 }, env = { A = "b" }, stderr = "stdout",
    session = true, no_new_privs = true, cpu_affinity = { 0 },
    oom_score_adj = 500, pdeathsig = "KILL",
  }
end

function M.run_timeout()
  local ok, err = pcall(process.run,
    { "/bin/sleep", "60", timeout = 0.005, stop = { grace = 0.02 } })
  if ok or err.kind ~= "Timeout" then error(err, 0) end
  return err.status.signal ~= nil
end

function M.pipeline()
  local pl <close> = process.pipeline {
    { "/usr/bin/printf", "b\\na\\n" }, { "/usr/bin/sort" }, { "/bin/cat" },
    stdout = "pipe",
  }
  local result = pl:communicate()
  return tostring(result.ok) .. result.stdout
end

function M.stop()
  local p <close> = process.spawn {
    "/bin/sleep", "60", stop = { grace = 0.02 },
  }
  return p:stop().signal ~= nil
end

-- TERM does not end it.
function M.stop_stubborn()
  local p <close> = process.spawn {
    "/bin/sh", "-c", "trap '' TERM; echo; exec sleep 60", stdout = "pipe",
    stop = { grace = 0.001 },
  }
  p.stdout:readline()
  return p:stop().signal
end

function M.lines()
  local p <close> = process.spawn {
    "/bin/sh", "-c", "echo a; echo b >&2; echo c",
    stdout = "pipe", stderr = "pipe",
  }
  local seen = {}
  for source, line in p:lines() do seen[#seen + 1] = source .. line end
  p:wait()
  table.sort(seen)
  return table.concat(seen, " ")
end

function M.pty()
  local p <close> = process.spawn { "/bin/cat", pty = { echo = false } }
  p.tty:write "x\n"
  local line = p.tty:readline()
  p.tty:write "\4"
  p:wait()
  return line
end

function M.adopt()
  local p <close> = process.spawn { "/bin/sleep", "60" }
  local same <close> = process.adopt(p.pid)
  p:kill()
  same:wait()
  return p:wait().signal
end

local Both = { __close = function(both)
  both[1]:close()
  both[2]:close()
end }

-- A Reader, a Writer, and what closes both.
local function pipe()
  local r, w = stream.pipe()
  return r, w, setmetatable({ r, w }, Both)
end

local function write_and_close(w, text)
  w:write(text)
  w:drain()
  w:close()
end

function M.pipe()
  local r, w, _ <close> = pipe()
  return task.gather(function() return r:read() end,
    function() write_and_close(w, TEXT) end)
end

function M.pipe_lines()
  local r, w, _ <close> = pipe()
  local n = 0
  task.gather(function() write_and_close(w, TEXT:sub(1, 4096)) end, function()
    for line in r:lines() do n = n + #line end
  end)
  return n
end

function M.copy()
  local from, w, _ <close> = pipe()
  local r, to, _ <close> = pipe()
  local text = nil
  task.gather(function() write_and_close(w, TEXT) end,
    function() from:copy_to(to, { close = true }) end,
    function() text = r:read() end)
  return text
end

-- Our own file descriptors, which others may share: of a file,
function M.file()
  local f <close> = assert(io.tmpfile())
  local w <close> = stream.open(f, "w")
  w:write(TEXT)
  w:drain()
  w:close()
  f:seek "set"
  local r <close> = stream.open(f)
  return r:read()
end

-- and of a socket.
function M.socket()
  local a, b = -1, -1
  local _ <close> = setmetatable({}, { __close = function()
    fault.close(a)
    fault.close(b)
  end })
  a, b = fault.socketpair()
  local r <close> = stream.open(a)
  local w <close> = stream.open(b, "w")
  return task.gather(function() return r:readexactly(#TEXT) end,
    function() w:write(TEXT) end)
end

function M.signals()
  local heard <close> = signal.listen { "USR1" }
  signal.send(require("luvisor.core.os").getpid(), "USR1")
  return heard()
end

function M.tasks()
  local queue, total = sync.queue(2), 0
  task.nursery(function(n)
    n:spawn(function()
      for item in queue do total = total + item end
    end)
    for i = 1, 5 do queue:put(i) end
    queue:close()
    n:start(function(started)
      started()
      task.timeout(5, task.checkpoint)
    end)
  end)
  local limited = task.move_on(0.001, task.sleep, 60)
  return total .. tostring(limited)
end

-- One fails, the others are cancelled.
function M.failing_task()
  local ok, err = pcall(task.gather,
    function() task.sleep(60) end,
    function()
      task.checkpoint()
      error("on purpose", 0)
    end)
  if ok or err ~= "on purpose" then error(err, 0) end
  return err
end

function M.generator()
  local next_one = coroutine.wrap(function()
    task.nursery(function(n)
      n:spawn(task.checkpoint)
      for i = 1, 3 do
        task.checkpoint()
        coroutine.yield(i)
      end
    end)
  end)
  local sum = 0
  for i in next_one do sum = sum + i end
  return sum
end

-- Writes a line to whoever connects; the line that comes to the client.
local function serve(where)
  local listener <close> = net.listen(where)
  local at = listener.address
  local to = { path = at.path, host = at.host, port = at.port }
  local line = nil
  task.gather(function()
    local socket <close> = listener:accept()
    socket:write "hello\n"
    socket:drain()
    socket:readline() -- to the end: the client has read it
  end, function()
    local socket <close> = net.connect(to)
    line = socket:readline()
  end)
  return line
end

function M.tcp()
  return serve { host = "127.0.0.1", port = 0 }
end

function M.unix()
  return serve { path = M.folder .. "/socket" }
end

-- Where the scenarios below work; made for a test, and empty after each.
M.folder = "/nonexistent"

local function in_folder(name)
  return M.folder .. "/" .. name
end

function M.files()
  local a, b <const> = in_folder "a", in_folder "b"
  fs.write_file(a, "one\n")
  fs.write_file(a, "two\n", { append = true, mode = "600" })
  fs.rename(a, b)
  fs.symlink("b", a)
  fs.chmod(b, "640")
  local text = fs.read_file(fs.realpath(a)) .. fs.readlink(a)
  return text .. fs.stat(a).type .. fs.lstat(a).type
end

function M.atomic_file()
  local path <const> = in_folder "a"
  fs.write_file(path, "one\n", { atomic = true, mode = "600" })
  fs.write_file(path, "two\n", { atomic = true })
  return fs.read_file(path)
end

function M.folders()
  local path <const> = fs.mkdtemp { dir = M.folder }
  fs.mkdir(path .. "/a/b", { parents = true })
  fs.write_file(path .. "/a/c", "")
  local names = {}
  for _, entry in ipairs(fs.scandir(path .. "/a")) do
    names[#names + 1] = entry.name
  end
  table.sort(names)
  fs.remove(path, { recursive = true })
  return table.concat(names, " ") .. tostring(fs.exists(path))
end

function M.watch()
  local watch <close> = fs.watch(M.folder, { events = { "written" } })
  fs.write_file(in_folder "a", "x")
  return watch:next().name
end

function M.asyncio()
  return asyncio.run(function()
    local p = asyncio.create_subprocess_exec("/bin/cat",
      { stdin = asyncio.subprocess.PIPE, stdout = asyncio.subprocess.PIPE })
    local queue = asyncio.Queue(1)
    local results = asyncio.gather(
      function() return (p:communicate "hello") end,
      function() queue:put(1) end,
      { asyncio.wait_for, function() return queue:get() end, 5 })
    return results[1] .. results[3]
  end)
end

--- Those that need memory for more than Lua's own things.
M.every = {
  "run", "run_failing", "run_feeder", "run_attributes", "run_timeout", "pipe",
  "pipe_lines", "copy", "file", "socket", "pipeline", "stop", "stop_stubborn",
  "lines", "pty", "adopt", "tcp",
}

return M
