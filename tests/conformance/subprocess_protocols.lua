-- After CPython's test_subprocess.py: transports of processes, and what
-- protocols hear.

local asyncio = require "luvisor.asyncio"
local signal = require "luvisor.signal"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local PIPE <const> = asyncio.subprocess.PIPE

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- A protocol that notes what it hears, and a Future that is done at the end.
local function recorder(more)
  local p = { log = {}, data = { "", "" },
              ended = asyncio.get_running_loop():create_future() }
  local function note(name)
    return function(self, fd, value)
      local has_fd = math.type(fd) == "integer"
      self.log[#self.log + 1] = has_fd and name .. ":" .. fd or name
      if name == "data" then self.data[fd] = self.data[fd] .. value end
      if name == "lost pipe" then self.errors = value end
    end
  end
  p.connection_made, p.process_exited = note "made", note "exited"
  p.pipe_data_received = note "data"
  p.pipe_connection_lost = note "lost pipe"
  p.connection_lost = function(self, err)
    self.log[#self.log + 1] = "lost"
    self.ended:set_result(err == nil)
  end
  for name, fn in pairs(more or {}) do p[name] = fn end
  return p
end

local function exec(protocol, ...)
  local loop = asyncio.get_running_loop()
  return loop:subprocess_exec(function() return protocol end, ...)
end

local function shell(protocol, ...)
  local loop = asyncio.get_running_loop()
  return loop:subprocess_shell(function() return protocol end, ...)
end

local function place(log, entry)
  for i, at in ipairs(log) do
    if at == entry then return i end
  end
end

test("test_proc_exited: after the end nobody can be signalled, and the code is "
  .. "kept", function()
  local protocol = recorder()
  local transport, got = shell(protocol, "exit 6")
  tap.is(got, protocol)
  tap.is(protocol.log[1], "made", "before it returns")
  tap.is(protocol.ended:await(), true, "connection_lost(nil)")
  tap.is(transport:get_returncode(), 6)
  tap.ok(place(protocol.log, "exited"))
  tap.is(transport:is_closing(), false)
  for _, call in ipairs { "terminate", "kill", "send_signal" } do
    tap.throws(function() transport[call](transport, "TERM") end,
      asyncio.ProcessLookupError)
  end
  transport:close()
  tap.is(transport:is_closing(), true)
end)

test("test_subprocess_repr: a transport shows how it is", function()
  local protocol = recorder()
  local transport = exec(protocol, "sh", "-c", "read go; exit 6",
    { stdout = "null", stderr = "null" })
  local pid = transport:get_pid()
  tap.like(tostring(transport),
    ("^<SubprocessTransport pid=%d running stdin=<Write"):format(pid))
  transport:get_pipe_transport(0):write "go\n"
  protocol.ended:await()
  tap.like(tostring(transport),
    ("^<SubprocessTransport pid=%d returncode=6"):format(pid))
  transport:close()
  tap.like(tostring(transport), "^<SubprocessTransport closed pid=")
end)

test("test_subprocess_protocol_events: all events come, in the order of each "
  .. "pipe", function()
  for _ = 1, 10 do
    local protocol = recorder()
    local transport = shell(protocol, "printf stdout; printf stderr >&2",
      { stdin = "inherit" })
    protocol.ended:await()
    local log = protocol.log
    tap.is(protocol.data[1], "stdout")
    tap.is(protocol.data[2], "stderr")
    for fd = 1, 2 do
      tap.ok(place(log, "data:" .. fd) < place(log, "lost pipe:" .. fd))
    end
    tap.is(log[1], "made")
    tap.ok(place(log, "exited"))
    tap.is(log[#log], "lost", "last")
    tap.is(#log, 7)
    transport:close()
  end
end)

test("rule S1: by default all three are pipes", function()
  local protocol = recorder()
  local transport = exec(protocol, "cat")
  local stdin = transport:get_pipe_transport(0)
  stdin:write "hel"
  stdin:writelines { "l", "o" }
  tap.is(stdin:can_write_eof(), true)
  stdin:write_eof()
  tap.is(stdin:is_closing(), true)
  protocol.ended:await()
  tap.is(protocol.data[1], "hello")
  tap.is(transport:get_pipe_transport(3), nil)
  tap.is(transport:get_extra_info "subprocess".pid, transport:get_pid())
  tap.is(transport:get_extra_info("nothing", 5), 5)
  transport:close()
end)

test("rule S15: connection_made may wait, and nothing overtakes it", function()
  local protocol = recorder()
  local made = protocol.connection_made
  protocol.connection_made = function(self)
    asyncio.sleep(0.02)
    made(self)
  end
  local transport = exec(protocol, "echo", "x")
  protocol.ended:await()
  tap.is(protocol.log[1], "made")
  tap.is(protocol.data[1], "x\n")
  transport:close()
end)

test("rule S13: a child whose connection_made is cancelled is killed",
function()
  local transport
  local task = asyncio.create_task(exec, {
    connection_made = function(_, made)
      transport = made
      asyncio.sleep(600)
    end,
  }, "sleep", "600")
  tap.eventually(function() return transport end)
  task:cancel()
  tap.throws(function() task:await() end, asyncio.CancelledError)
  tap.is(transport:_wait(), -signal.number "KILL")
end)

test("rule S24: the loss of stdin is told when the child closes it", function()
  local protocol = recorder()
  local transport = shell(protocol, "exec <&-; echo closed; exec sleep 600")
  tap.eventually(function() return place(protocol.log, "lost pipe:0") end)
  tap.is(protocol.errors, nil, "nothing was left to write: it is no error")
  tap.is(transport:get_pipe_transport(0):is_closing(), true)
  tap.is(place(protocol.log, "exited"), nil)
  transport:kill()
  protocol.ended:await()
  tap.is(transport:get_returncode(), -signal.number "KILL")
  transport:close()
end)

test("pause_reading and resume_reading: nothing comes meanwhile, and nothing "
  .. "is lost", function()
  local protocol, stdout = recorder(), nil
  local size = 0
  protocol.pipe_data_received = function(_, _, data)
    size = size + #data
    stdout:pause_reading()
    tap.is(stdout:is_reading(), false)
    stdout:pause_reading()
  end
  protocol.connection_made = function(_, transport)
    stdout = transport:get_pipe_transport(1)
  end
  local transport = exec(protocol, "head", "-c", "1000000", "/dev/zero")
  while not protocol.ended:done() do
    local before = size
    if not stdout:is_reading() then
      asyncio.sleep(0.001)
      tap.is(size, before, "paused")
      stdout:resume_reading()
    end
    asyncio.sleep(0.001)
  end
  tap.is(size, 1000000)
  transport:close()
end)

test("pause_writing and resume_writing come when stdin is full, and not any "
  .. "more", function()
  local protocol, log = recorder(), {}
  protocol.pause_writing = function() log[#log + 1] = "pause" end
  protocol.resume_writing = function() log[#log + 1] = "resume" end
  local from, to = stream.pipe()
  local transport = shell(protocol,
    ("read go < /proc/self/fd/%d; exec cat >/dev/null"):format(from:fileno()),
    { pass_fds = { from } })
  local stdin = transport:get_pipe_transport(0)
  stdin:write(("x"):rep(1024 * 1024))
  stdin:write "more"
  tap.is_deeply(log, { "pause" })
  tap.ok(stdin:get_write_buffer_size() > 0)
  to:write "go\n"
  tap.eventually(function() return log[2] == "resume" end)
  stdin:close()
  protocol.ended:await()
  tap.is_deeply(log, { "pause", "resume" })
  transport:close()
  from:close()
  to:close()
end)

test("rule S14: close ends it all, in order", function()
  local protocol = recorder()
  local transport = exec(protocol, "sleep", "600")
  transport:close()
  protocol.ended:await()
  local log = protocol.log
  tap.is(log[1], "made")
  tap.is(log[#log], "lost")
  tap.is(#log, 6)
end)

test("what a callback raises goes to the exception handler, and the rest goes "
  .. "on", function()
  local loop, contexts = asyncio.get_running_loop(), {}
  loop:set_exception_handler(function(_, context)
    contexts[#contexts + 1] = context
  end)
  local protocol = recorder()
  protocol.pipe_data_received = function() error "oops" end
  local transport = exec(protocol, "echo", "x")
  protocol.ended:await()
  tap.is(#contexts, 1)
  tap.like(tostring(contexts[1].exception), "oops")
  tap.is(contexts[1].protocol, protocol)
  transport:close()
end)

test("a protocol can be another one from now on", function()
  local first, second = recorder(), recorder()
  local transport = exec(first, "sh", "-c", "echo x; read go")
  transport:set_protocol(second)
  tap.is(transport:get_protocol(), second)
  transport:get_pipe_transport(0):write "go\n"
  second.ended:await()
  tap.is_deeply(first.log, { "made" })
  tap.is(second.data[1], "x\n")
  transport:close()
end)

test("a failed start calls no protocol", function()
  local protocol = recorder()
  tap.throws(function() exec(protocol, "/no/such/program") end, "ENOENT")
  tap.throws(function()
    asyncio.subprocess_exec("no factory", "true")
  end, "protocol factory")
  tap.is_deeply(protocol.log, {})
end)

test("a Process has a transport, too", function()
  local p = asyncio.create_subprocess_exec("sleep", "600",
    { stdin = PIPE, stdout = PIPE })
  local transport = p._transport
  tap.is(transport:get_pid(), p.pid)
  tap.is(transport:get_pipe_transport(0), p.stdin.transport)
  transport:get_pipe_transport(1):close()
  tap.is(p.stdout:read(), "", "closed is the end")
  transport:close()
  tap.is(p:wait(), -signal.number "KILL")
  tap.is(p.stdin:is_closing(), true)
end)

test("test_warns: there is one way to watch children, and no other to choose",
function()
  for _, name in ipairs { "MultiLoopChildWatcher", "SafeChildWatcher",
                          "FastChildWatcher", "get_child_watcher",
                          "set_child_watcher" } do
    tap.is(asyncio[name], nil, name)
  end
end)

tap.done()
