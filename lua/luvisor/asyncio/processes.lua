--- Processes with a transport and a protocol: loop.subprocess_exec.
-- @module luvisor.asyncio

local core_task = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local handles = require "luvisor.process.handle"
local protocols = require "luvisor.asyncio.protocols"
local spawnopts = require "luvisor.asyncio.spawnopts"
local transports = require "luvisor.asyncio.transports"
local writepipes = require "luvisor.asyncio.writepipes"

local M = { loop = {} } -- loop: the methods of a Loop

local REAPED_ELSEWHERE <const> = 255

--- The transport of a process.
-- @type SubprocessTransport
local Transport = transports.class "SubprocessTransport"
M.Transport = Transport

local warned = setmetatable({}, { __mode = "k" })

--- How a process ended: its code, -N for signal N, 255 if nobody can know; nil
-- while it runs. (asyncio rule S6)
-- @local
function M.returncode(process)
  local status = process.status
  if not status then return nil end
  if status.returncode then return status.returncode end
  if not warned[process] then
    warned[process] = true
    io.stderr:write(("luvisor: warning: %s (pid %d) was reaped by somebody "
      .. "else: its return code is taken for 255\n"):format(process.name,
      process.pid))
  end
  return REAPED_ELSEWHERE
end

--- @function SubprocessTransport:get_pid
-- @treturn integer
function Transport:get_pid()
  return self._process.pid
end

--- @function SubprocessTransport:get_returncode
-- @treturn ?integer nil while it runs, as far as the protocol has heard
function Transport:get_returncode()
  return M.returncode(self._process)
end

--- The transport of one of its pipes.
-- @function SubprocessTransport:get_pipe_transport
-- @tparam integer fd 0, 1 or 2
-- @return a WriteTransport or ReadTransport; nil: it is no pipe
function Transport:get_pipe_transport(fd)
  return self._pipes[fd]
end

--- Send a signal.
-- @function SubprocessTransport:send_signal
-- @param signal "TERM", "SIGTERM" or 15
-- @raise NoProcess: it has ended
function Transport:send_signal(signal)
  self._process:send_signal(signal)
end

--- @function SubprocessTransport:terminate
function Transport:terminate()
  self._process:terminate()
end

--- @function SubprocessTransport:kill
function Transport:kill()
  self._process:kill()
end

--- @function SubprocessTransport:is_closing
-- @treturn boolean
function Transport:is_closing()
  return self._closed or false
end

--- Close the pipes, and kill the process if it runs. Never waits; twice is
-- harmless. (asyncio rule S14)
-- @function SubprocessTransport:close
function Transport:close()
  if self._closed then return end
  self._closed = true
  for _, pipe in pairs(self._pipes) do pipe:close() end
  if self._process.status then return end
  local ok, err = pcall(self._process.kill, self._process)
  self._process._is_killed = ok -- it may be dropped before it is reaped
  local gone = ok or err:is "NoProcess" or err:is "EPERM"
  if not gone then error(err, 0) end
end

Transport.__close = Transport.close

-- As Process.wait of asyncio, which ported code calls on transports, too.
function Transport:_wait()
  self._process:wait()
  return self:get_returncode()
end

function Transport:__tostring()
  local code = self:get_returncode()
  local text = ("<SubprocessTransport%s pid=%d %s"):format(
    self._closed and " closed" or "", self:get_pid(),
    code and "returncode=" .. code or "running")
  for fd, name in pairs { [0] = "stdin", "stdout", "stderr" } do
    local pipe = self._pipes[fd]
    if pipe then text = ("%s %s=%s"):format(text, name, tostring(pipe)) end
  end
  return text .. ">"
end

-- ---- telling the protocol ----

-- After the exit and the loss of each pipe.
local function look_for_end(self)
  self._left = self._left - 1
  if self._left == 0 then self:_lose() end
end

-- What the pipe of one descriptor tells.
local Pipe = {}
Pipe.__index = Pipe

--- @local
function Pipe:data_received(data)
  self.owner:_call("pipe_data_received", self.fd, data)
end

--- @local
function Pipe:connection_lost(err)
  self.owner:_call("pipe_connection_lost", self.fd, err)
  look_for_end(self.owner)
end

--- @local
function Pipe:pause_writing()
  self.owner:_call "pause_writing"
end

--- @local
function Pipe:resume_writing()
  self.owner:_call "resume_writing"
end

-- What the task that waits for the end does.
local function await_exit(self)
  self._process:wait()
  self:_call "process_exited"
  look_for_end(self)
end

local function add_pipe(self, fd, make, s)
  if not s then return end
  local protocol = setmetatable({ owner = self, fd = fd }, Pipe)
  self._pipes[fd] = make(self._loop, s, protocol, { pipe = s })
  self._left = self._left + 1
end

-- A connection_made that waits may be cancelled: then nobody gets the
-- transport. (asyncio rule S13)
local Unfinished = {}

function Unfinished:__close(err)
  if err ~= nil then self.transport:close() end
end

local function connect(loop, process, protocol)
  process._waits_unread = false
  local self = setmetatable({
    _loop = loop, _process = process, _protocol = protocol,
    _pipes = {}, _left = 1, _extra = { subprocess = process },
  }, Transport)
  add_pipe(self, 0, writepipes.write_pipe, process.stdin)
  add_pipe(self, 1, transports.read_pipe, process.stdout)
  add_pipe(self, 2, transports.read_pipe, process.stderr)
  local _ <close> = setmetatable({ transport = self }, Unfinished)
  self:_call("connection_made", self)
  for fd = 0, 2 do
    if self._pipes[fd] then transports.start(self._pipes[fd]) end
  end
  protocols.start(self._loop, await_exit, self)
  return self, protocol
end

--- The transport of a process whose streams are read and written directly.
-- @local
function M.direct(process)
  return setmetatable({
    _process = process, _protocol = {}, _extra = { subprocess = process },
    _pipes = {},
  }, Transport)
end

--- A cancellation that is due is raised before there is a child to kill.
-- (asyncio rule S13)
-- @local
function M.spawn(opts)
  if core_task.is_cancelled() then core_task.raise_cancelled() end
  return handles.start(opts)
end

--- Start a program, and tell a protocol what it does. stdin, stdout and stderr
-- are pipes unless options say otherwise.
-- The protocol's connection_made(transport) is called first; for each pipe
-- pipe_data_received(fd, data), then pipe_connection_lost(fd, exc);
-- process_exited() at any time between; connection_lost(nil) last, once.
-- (asyncio rule S15)
-- @function asyncio.subprocess_exec
-- @tparam function protocol_factory makes the protocol
-- @tparam string program
-- @param ... arguments; then options, as create_subprocess_exec has them
-- @treturn SubprocessTransport
-- @return the protocol
-- @raise SpawnError, UsageError
function M.subprocess_exec(protocol_factory, ...)
  return M.loop.subprocess_exec(current.loop(), protocol_factory, ...)
end

function M.loop.subprocess_exec(loop, protocol_factory, ...)
  local opts = spawnopts.exec("subprocess_exec", spawnopts.piped, ...)
  local protocol = protocols.make("subprocess_exec", protocol_factory)
  return connect(loop, M.spawn(opts), protocol)
end

--- The same for a command line of /bin/sh.
-- @function asyncio.subprocess_shell
-- @tparam function protocol_factory
-- @tparam string command
-- @tparam[opt] table options
-- @treturn SubprocessTransport
-- @return the protocol
-- @raise SpawnError, UsageError
function M.subprocess_shell(protocol_factory, command, options)
  return M.loop.subprocess_shell(current.loop(), protocol_factory, command,
    options)
end

function M.loop.subprocess_shell(loop, protocol_factory, command, options)
  local opts = spawnopts.shell("subprocess_shell", spawnopts.piped, command,
    options)
  local protocol = protocols.make("subprocess_shell", protocol_factory)
  return connect(loop, M.spawn(opts), protocol)
end


return M
