--- Protocols: what is told what a transport does. Any object will do; methods
-- that it lacks are not called. They are called with the protocol first, in
-- order, and may wait: what follows then waits for them.
-- @module luvisor.asyncio

local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local waiters = require "luvisor.waiters"

local M = {}

-- A class whose objects have these methods, and which may be inherited from:
-- `setmetatable(Mine, { __index = asyncio.Protocol })`.
local function class(name, base, init)
  local c = { __name = "luvisor.asyncio." .. name }
  c.__index = c
  return setmetatable(c, {
    __index = base,
    __call = function(_, ...)
      local object = setmetatable({}, c)
      if init then init(object, ...) end
      return object
    end,
  })
end

--- What every protocol may have: connection_made(transport),
-- connection_lost(exc), pause_writing(), resume_writing().
M.BaseProtocol = class "BaseProtocol"

--- Of a stream: data_received(data), eof_received(), too.
M.Protocol = class("Protocol", M.BaseProtocol)

--- Of a process: pipe_data_received(fd, data), pipe_connection_lost(fd, exc),
-- process_exited(), too.
M.SubprocessProtocol = class("SubprocessProtocol", M.BaseProtocol)

--- Call a protocol's method, if it has it.
-- @local
function M.call(protocol, name, ...)
  local method = protocol[name]
  if method then return method(protocol, ...) end
end

--- Tell the loop of an error that nobody is there to catch.
-- @local
function M.report(loop, message, err, transport, protocol)
  loop:call_exception_handler {
    message = message, exception = err, transport = transport,
    protocol = protocol,
  }
end

local function run(loop, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok then M.report(loop, "Exception in callback", err) end
end

--- Run fn as what the loop calls: in a task of it, whose errors are the loop's
-- to report. It ends with the loop; the program waits for none of its own.
-- @local
function M.start(loop, fn, ...)
  local t
  if loop._is_program then
    t = core.detached(run, loop, fn, ...)
  else
    t = loop:_spawn(run, loop, fn, ...)
  end
  current.callers[t] = loop
  return t
end

--- What makes a protocol, or UsageError.
-- @local
function M.make(where, factory)
  local meta = getmetatable(factory)
  if type(factory) ~= "function" and not (meta and meta.__call) then
    errors.usage("%s: expected a protocol factory, got %s", where,
      type(factory))
  end
  local protocol = factory()
  if type(protocol) ~= "table" and type(protocol) ~= "userdata" then
    errors.usage("%s: the factory must return a protocol, got %s", where,
      type(protocol))
  end
  return protocol
end

-- ---- waiting for room ----

local function init_flow(self)
  self._is_paused, self._is_lost = false, false
  self._drainers = waiters.new "room in a stream"
end

--- A protocol that knows whether writing is paused.
M.FlowControlMixin = class("FlowControlMixin", M.Protocol, init_flow)

local Flow <const> = M.FlowControlMixin

--- @local
function Flow:pause_writing()
  self._is_paused = true
end

--- @local
function Flow:resume_writing()
  self._is_paused = false
  self._drainers:wake_all(true)
end

--- @local
-- Who waits hears of the error, if there was one.
function Flow:connection_lost(exc)
  self._is_lost = true
  self._error = exc
  self._drainers:wake_all(true)
end

-- Wait while it is paused.
function Flow:_drain_helper()
  if self._is_lost then
    errors.raise { kind = "BrokenPipe", code = "ECONNRESET",
                   message = "the connection is lost" }
  end
  if not self._is_paused then return end
  self._drainers:wait()
  if self._error ~= nil then error(self._error, 0) end
end

--- A protocol that feeds a StreamReader with what comes.
-- With a function it is a server's: that is called as a Task, with the reader
-- and a StreamWriter, for the connection made.
-- @function asyncio.StreamReaderProtocol
-- @tparam StreamReader stream_reader
-- @tparam[opt] function client_connected_cb
-- @treturn StreamReaderProtocol
M.StreamReaderProtocol = class("StreamReaderProtocol", Flow,
  function(self, reader, connected)
    if type(reader) ~= "table" then
      errors.usage("StreamReaderProtocol: expected a StreamReader, got %s",
        type(reader))
    end
    init_flow(self)
    self._reader = reader
    self._connected = connected
    self._closers = waiters.new "a connection to be closed"
  end)

local Reading <const> = M.StreamReaderProtocol

-- How the Task of a server's function ended.
local function on_served(self, transport, task)
  if task:cancelled() then
    transport:close()
    return
  end
  local err = task:exception()
  if err == nil then return end
  M.report(self._loop, "Unhandled exception in client_connected_cb", err,
    transport, self)
  transport:close()
end

--- @local
function Reading:connection_made(transport)
  self._loop = current.loop()
  self._transport = transport
  self._reader:set_transport(transport)
  if not self._connected then return end
  local writer = require("luvisor.asyncio.writer").StreamWriter(transport,
    self, self._reader)
  self:_serve(transport, self._connected, self._reader, writer)
end

-- Call a server's function in a Task of its own.
function Reading:_serve(transport, connected, reader, writer)
  local task = self._loop:create_task(connected, reader, writer)
  task:add_done_callback(function(t) on_served(self, transport, t) end)
end

--- @local
function Reading:data_received(data)
  self._reader:feed_data(data)
end

--- @local
function Reading:eof_received()
  self._reader:feed_eof()
  return true
end

--- @local
function Reading:connection_lost(exc)
  if self._is_lost then return end
  if exc == nil then
    self._reader:feed_eof()
  else
    self._reader:set_exception(exc)
  end
  Flow.connection_lost(self, exc)
  self._closers:wake_all(true)
end

-- Wait until the connection is lost, and raise the error if that was one.
function Reading:_wait_closed()
  if not self._is_lost then self._closers:wait() end
  if self._error ~= nil then error(self._error, 0) end
end

return M
