--- Pipes that are there already, connected to a protocol.
-- @module luvisor.asyncio

local core = require "luvisor.core.stream"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local protocols = require "luvisor.asyncio.protocols"
local readers = require "luvisor.asyncio.reader"
local transports = require "luvisor.asyncio.transports"
local writepipes = require "luvisor.asyncio.writepipes"

local M = { loop = {} } -- loop: the methods of a Loop

local LAST_STANDARD <const> = 2 -- descriptor

local standard_files = { [io.stdin] = true, [io.stdout] = true,
                         [io.stderr] = true }

-- Each kind of pipe: how a native stream of it is opened, what tells such a
-- stream, and which half of a Duplex it is.
local reading = { open = core._open_reader, method = "peek", half = "_reader" }
local writing = { open = core._open_writer, method = "drain",
                  half = "_writer" }

-- The native stream, if it is one already.
local function as_stream(pipe, kind)
  if type(pipe) == "table" then return rawget(pipe, kind.half) end
  local is_file = type(pipe) == "userdata" and io.type(pipe)
  if type(pipe) == "userdata" and not is_file and pipe[kind.method] then
    return pipe
  end
end

-- The native stream of a descriptor, a Lua file or a stream; and what is to be
-- closed with it. The transport has the pipe from now on, so a descriptor is
-- closed: ours is another. The standard three stay open.
local function open(where, pipe, kind)
  local s = as_stream(pipe, kind)
  if s then return s end
  if math.type(pipe) ~= "integer" and not io.type(pipe) then
    errors.usage("%s: expected a descriptor, a Lua file or a stream, got %s",
      where, type(pipe))
  end
  s = kind.open(pipe)
  if io.type(pipe) then
    return s, not standard_files[pipe] and function() pipe:close() end or nil
  end
  if pipe > LAST_STANDARD then core._close_fd(pipe) end
  return s
end

local function is_plain(protocol, class)
  return getmetatable(protocol) == class
end

-- A StreamReader of ours that nobody has touched can read by itself.
local function stream_of(protocol)
  if not is_plain(protocol, protocols.StreamReaderProtocol) then return nil end
  local stream = protocol._reader
  local usable = getmetatable(stream) == readers.StreamReader
    and not protocol._connected and stream:_is_unused()
  return usable and stream or nil
end

--- Connect the reading end of a pipe, terminal or socket to a protocol, and
-- return when that knows. The transport has the pipe from now on.
-- @function asyncio.connect_read_pipe
-- @tparam function protocol_factory makes the protocol
-- @param pipe descriptor, Lua file or Reader
-- @treturn ReadTransport
-- @return the protocol
-- @raise OSError, UsageError
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local stream = require "luvisor.stream"
--   local from, to = stream.pipe()
--   local reader = asyncio.StreamReader()
--   asyncio.connect_read_pipe(function()
--     return asyncio.StreamReaderProtocol(reader)
--   end, from)
--   to:write "hello"
--   to:close()
--   print(reader:read()) --> hello
function M.connect_read_pipe(protocol_factory, pipe)
  return M.loop.connect_read_pipe(current.loop(), protocol_factory, pipe)
end

function M.loop.connect_read_pipe(loop, protocol_factory, pipe)
  local protocol = protocols.make("connect_read_pipe", protocol_factory)
  local reader, on_over = open("connect_read_pipe", pipe, reading)
  local extra, stream = { pipe = pipe }, stream_of(protocol)
  local transport
  if stream then
    transport = transports.read_stream(loop, reader, protocol, stream, extra)
  else
    transport = transports.read_pipe(loop, reader, protocol, extra)
  end
  transport._on_over = on_over
  transport:_call("connection_made", transport)
  if not stream then transports.start(transport) end
  return transport, protocol
end

-- Its pause_writing does nothing that the native Writer does not know.
local function is_native_flow(protocol)
  return is_plain(protocol, protocols.FlowControlMixin)
    or is_plain(protocol, protocols.StreamReaderProtocol)
end

--- Connect the writing end of a pipe, terminal or socket to a protocol, and
-- return when that knows. The transport has the pipe from now on. The protocol
-- hears when nobody reads the pipe any more. (asyncio rule S24)
-- @function asyncio.connect_write_pipe
-- @tparam function protocol_factory makes the protocol
-- @param pipe descriptor, Lua file or Writer
-- @treturn WriteTransport
-- @return the protocol
-- @raise OSError, UsageError
function M.connect_write_pipe(protocol_factory, pipe)
  return M.loop.connect_write_pipe(current.loop(), protocol_factory, pipe)
end

function M.loop.connect_write_pipe(loop, protocol_factory, pipe)
  local protocol = protocols.make("connect_write_pipe", protocol_factory)
  local writer, on_over = open("connect_write_pipe", pipe, writing)
  local transport = writepipes.write_pipe(loop, writer, protocol,
    { pipe = pipe }, is_native_flow(protocol))
  transport._on_over = on_over
  transport:_call("connection_made", transport)
  transports.start(transport)
  return transport, protocol
end

return M
