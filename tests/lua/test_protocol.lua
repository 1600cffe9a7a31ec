-- Protocols: told what a process does. (asyncio rules S14, S15)

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- A protocol that notes its calls, as "name" or "name:fd", and the data.
local function recorder(more)
  local log, data = {}, {}
  local protocol = {
    connection_made = function() log[#log + 1] = "made" end,
    pipe_data_received = function(_, fd, bytes)
      log[#log + 1] = "data:" .. fd
      data[fd] = (data[fd] or "") .. bytes
    end,
    pipe_connection_lost = function(_, fd, err)
      log[#log + 1] = "lost:" .. fd
      tap.is(err, nil)
    end,
    process_exited = function() log[#log + 1] = "exited" end,
    connection_lost = function() log[#log + 1] = "lost" end,
  }
  for name, fn in pairs(more or {}) do protocol[name] = fn end
  return protocol, log, data
end

-- Runs it to the end of its protocol.
local function follow(opts, before_end)
  return task.nursery(function()
    local p = process.spawn(opts)
    if before_end then before_end(p) end
    return p
  end)
end

local function place(log, entry)
  for i, at in ipairs(log) do
    if at == entry then return i end
  end
end

local function count(log, entry)
  local n = 0
  for _, at in ipairs(log) do n = n + (at == entry and 1 or 0) end
  return n
end

tap.test("all events come, in an order that can be relied on", function()
  for _ = 1, 20 do
    local protocol, log, data = recorder()
    local p = follow({
      "sh", "-c", "echo out; echo err >&2; cat >&2; exit 3",
      stdin = "pipe", stdout = "pipe", stderr = "pipe", protocol = protocol,
    }, function(p)
      p.stdin:write "input"
      p.stdin:close()
    end)
    tap.is(log[1], "made")
    tap.is(log[#log], "lost")
    for _, entry in ipairs { "made", "exited", "lost:0", "lost:1", "lost:2",
                             "lost" } do
      tap.is(count(log, entry), 1, entry .. " once")
    end
    tap.ok(place(log, "data:1") < place(log, "lost:1"))
    tap.ok(place(log, "data:2") < place(log, "lost:2"))
    tap.is(data[1], "out\n")
    tap.is(data[2], "err\ninput")
    tap.is(p.returncode, 3)
    p:close()
  end
end)

tap.test("connection_made is called before spawn returns", function()
  local made
  local protocol = { connection_made = function(p) made = p end }
  local p = follow({ "true", protocol = protocol }, function(p)
    tap.is(made, p)
  end)
  tap.is(p.status.ok, true, "every callback may be left out")
end)

tap.test("what came before connection_made returns is told after it",
function()
  local protocol, log, data = recorder()
  protocol.connection_made = function()
    task.sleep(0.02)
    log[#log + 1] = "made"
  end
  follow { "echo", "x", stdout = "pipe", protocol = protocol }
  tap.is(log[1], "made")
  tap.is(data[1], "x\n")
end)

tap.test("without pipes there are an exit and a loss", function()
  local protocol, log = recorder()
  follow { "true", protocol = protocol }
  tap.is_deeply(log, { "made", "exited", "lost" })
end)

tap.test("connection_lost waits for a pipe that a grandchild holds",
function()
  local protocol, log, data = recorder()
  follow { "sh", "-c", "(sleep 0.05; echo late) & exit 1", stdout = "pipe",
           protocol = protocol }
  tap.is_deeply(log, { "made", "exited", "data:1", "lost:1", "lost" })
  tap.is(data[1], "late\n")
end)

tap.test("other descriptors are followed, too", function()
  local protocol, log, data = recorder()
  local p = follow { "sh", "-c", "echo three >&3; echo five >&5",
                     fds = { [3] = "pipe", [5] = "pipe" },
                     protocol = protocol }
  tap.is(data[3], "three\n")
  tap.is(data[5], "five\n")
  tap.is(count(log, "lost:3") + count(log, "lost:5"), 2)
  tap.is(log[#log], "lost")
  p:close()
end)

tap.test("a terminal is descriptor 1", function()
  local protocol, log, data = recorder()
  local p = follow { "echo", "x", pty = true, protocol = protocol }
  tap.is(data[1], "x\r\n")
  tap.is(count(log, "lost:1"), 1)
  p:close()
end)

tap.test("a callback may wait: the pipe then waits for it", function()
  local size = 0
  follow { "head", "-c", "2000000", "/dev/zero", stdout = "pipe", protocol = {
    pipe_data_received = function(_, _, data)
      task.checkpoint()
      size = size + #data
    end,
  } }
  tap.is(size, 2000000)
end)

tap.test("closing the process from a callback ends it all in order",
function()
  local protocol, log = recorder()
  protocol.pipe_data_received = function(p, fd)
    if count(log, "data:" .. fd) == 0 then
      log[#log + 1] = "data:" .. fd
      p:close()
    end
  end
  local p = follow { "yes", stdout = "pipe", protocol = protocol }
  tap.is(p.status.signal, "TERM")
  tap.is(log[2], "data:1")
  tap.is(count(log, "lost:1"), 1)
  tap.is(count(log, "exited"), 1)
  tap.is(log[#log], "lost")
end)

tap.test("closing the process before it is followed is in order, too",
function()
  local protocol, log = recorder()
  follow({ "sleep", "600", stdin = "pipe", stdout = "pipe", stderr = "pipe",
           protocol = protocol }, function(p) p:close() end)
  tap.is(log[1], "made")
  tap.is(log[#log], "lost")
  tap.is(#log, 6)
end)

tap.test("an error in a callback is raised in the nursery", function()
  for _, name in ipairs { "pipe_data_received", "pipe_connection_lost",
                          "process_exited", "connection_lost" } do
    local p
    tap.throws(function()
      follow({ "echo", "x", stdout = "pipe", protocol = {
        [name] = function() error("in " .. name) end,
      } }, function(q) p = q end)
    end, "in " .. name)
    p:close()
  end
end)

tap.test("an error object in a callback is raised, too", function()
  local errors = require "luvisor.error"
  local p
  tap.throws(function()
    follow({ "echo", "x", stdout = "pipe", protocol = {
      pipe_data_received = function()
        errors.raise { kind = "Closed", message = "mine" }
      end,
    } }, function(q) p = q end)
  end, "Closed")
  p:close()
end)

tap.test("an error in connection_made leaves no process", function()
  tap.throws(function()
    process.spawn { "sleep", "600", stdout = "pipe", protocol = {
      connection_made = function() error "no" end,
    } }
  end, "no")
end)

tap.test("a wrong protocol is refused before anything is started", function()
  for _, protocol in ipairs { { connection_mad = print },
                              { connection_made = 1 }, 1 } do
    tap.throws(function()
      process.spawn { "sleep", "600", protocol = protocol }
    end, "UsageError")
  end
end)

tap.test("cancelling the nursery leaves the process", function()
  local p
  task.nursery(function(n)
    p = process.spawn { "sleep", "600", stdout = "pipe", protocol = {} }
    n:cancel()
  end)
  tap.is(p.status, nil)
  p:close()
end)

tap.done()
