--- Connections: open_connection, and what a server makes of each.
-- @module luvisor.asyncio

local caller = require "luvisor.caller"
local errors = require "luvisor.error"
local net = require "luvisor.net"
local protocols = require "luvisor.asyncio.protocols"
local readers = require "luvisor.asyncio.reader"
local transports = require "luvisor.asyncio.transports"
local writepipes = require "luvisor.asyncio.writepipes"
local writers = require "luvisor.asyncio.writer"

local M = {}

--- The transport of a connection.
-- @type SocketTransport
local Socket = transports.class "SocketTransport"
for name, method in pairs(writepipes.WritePipe) do
  Socket[name] = Socket[name] or method
end

-- Of a connection that is lost before it was closed, its server and its reader
-- hear when it is closed.
local function lose(self)
  self._closing = true
  self:_lose()
end

--- Close, after what was written. What was read is left to the reader. Twice is
-- harmless.
-- @function SocketTransport:close
function Socket:close()
  if self._closing then return end
  self._w:close()
  lose(self)
end

--- Close at once, and drop what was not yet written.
-- @function SocketTransport:abort
function Socket:abort()
  self._w:abort()
  if not self._closing then lose(self) end
end

--- End of file for the other side; reading goes on.
-- @function SocketTransport:write_eof
function Socket:write_eof()
  if self._closing then return end
  self._has_ended = true
  self._w:close()
end

--- Closed, closing, or reset by the other side?
-- @function SocketTransport:is_closing
-- @treturn boolean
function Socket:is_closing()
  if self._closing then return true end
  return not self._has_ended and self._w:_is_lost()
end

--- Read no more for now.
-- @function SocketTransport:pause_reading
function Socket:pause_reading()
  self._r:_hold(true)
end

--- @function SocketTransport:resume_reading
function Socket:resume_reading()
  self._r:_hold(false)
end

function Socket:__tostring()
  return ("<SocketTransport %s to %s>"):format(
    self:is_closing() and "closed" or "open", tostring(self._extra.peername))
end

-- Dropped with its StreamWriter: if the connection is open then, somebody has
-- forgotten it.
local Guard = { __name = "luvisor.asyncio.guard" }

function Guard:__gc()
  local transport = self.transport
  if transport._closing then return end
  io.stderr:write(("luvisor: warning: unclosed <StreamWriter transport=%s>, "
    .. "made at %s\n"):format(tostring(transport), self.where))
  transport:close()
end

--- The reader and the writer of a connection of luvisor.net.
-- @local
-- @treturn StreamReader
-- @treturn StreamWriter
function M.streams(conn, limit)
  local reader = readers.with_limit(conn.reader, limit)
  local protocol = protocols.StreamReaderProtocol(reader)
  local transport = setmetatable({
    _w = conn.writer, _r = conn.reader, _protocol = protocol,
    _is_native = true, _fd = conn.writer:fileno(),
    _extra = { socket = conn, peername = conn.peer, sockname = conn.address },
  }, Socket)
  local writer = writers.of(transport)
  writer._protocol, writer._reader = protocol, reader
  writer._guard = setmetatable({
    transport = transport, where = caller "a server's accept",
  }, Guard)
  return reader, writer
end

--- Raise UsageError for what would be TLS.
-- @local
function M.check_plain(where, opts)
  for _, name in ipairs { "ssl", "server_hostname", "ssl_handshake_timeout",
                          "ssl_shutdown_timeout" } do
    if opts[name] then
      errors.usage("%s: %s cannot be given: there is no TLS", where, name)
    end
  end
end

--- Raise UsageError for a `sock` that is none of luvisor.net, or not alone.
-- @local
function M.check_sock(where, sock, class, address)
  if sock == nil then return end
  local meta = getmetatable(sock)
  if type(meta) ~= "table" or meta.__name ~= "luvisor." .. class then
    errors.usage("%s: sock must be a %s of luvisor.net", where, class)
  end
  if address.path or address.host or address.port then
    errors.usage("%s: either sock or an address, not both", where)
  end
end

--- The types of options that both sides have.
-- @local
M.options = {
  limit = "any", sock = "table", ssl = "any", server_hostname = "any",
  ssl_handshake_timeout = "any", ssl_shutdown_timeout = "any", loop = "any",
}

--- The number that a port is: Python takes digits, too.
-- @local
function M.port(port)
  return type(port) == "string" and math.tointeger(tonumber(port)) or port
end

local function open(where, opts, address)
  opts = errors.check_options(where, opts, M.options)
  M.check_plain(where, opts)
  M.check_sock(where, opts.sock, "Socket", address)
  local limit = readers.check_limit(where, opts.limit)
  return M.streams(opts.sock or net.connect(address), limit)
end

--- Connect to a server. Waits.
-- @function asyncio.open_connection
-- @tparam[opt="localhost"] string host
-- @tparam integer port
-- @tparam[opt] table options limit (65536); sock: a Socket of luvisor.net,
-- instead of host and port
-- @treturn StreamReader
-- @treturn StreamWriter close it
-- @raise OSError; UsageError, also for ssl: there is no TLS
function M.open_connection(host, port, options)
  if type(host) == "table" then host, options = nil, host end
  return open("open_connection", options,
    { host = host, port = M.port(port) })
end

--- Connect to a Unix socket. Waits.
-- @function asyncio.open_unix_connection
-- @tparam string path "@name" for an abstract one
-- @tparam[opt] table options limit, sock
-- @treturn StreamReader
-- @treturn StreamWriter close it
-- @raise OSError, UsageError
function M.open_unix_connection(path, options)
  if type(path) == "table" and getmetatable(path) == nil then
    path, options = nil, path
  end
  return open("open_unix_connection", options,
    { path = path ~= nil and tostring(path) or nil })
end

return M
