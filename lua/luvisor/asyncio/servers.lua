--- Servers: start_server and start_unix_server.
-- @module luvisor.asyncio

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local connections = require "luvisor.asyncio.connections"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local net = require "luvisor.net"
local protocols = require "luvisor.asyncio.protocols"
local readers = require "luvisor.asyncio.reader"
local waiters = require "luvisor.waiters"

local M = {}

--- A server: it calls a function for each connection. With `<close>` it is
-- closed and its connections are waited for.
-- @type Server
-- @tfield table sockets those that listen: each has getsockname(); none once it
-- is closed
local Server = { __name = "luvisor.asyncio.Server" }
Server.__index = Server

-- ---- serving ----

-- A connection has ended.
local function forget(self, transport)
  self._clients[transport] = nil
  if not next(self._clients) then self._ends:wake_all(true) end
end

local function serve(self, conn)
  local reader, writer = connections.streams(conn, self._limit)
  local transport, protocol = writer.transport, writer._protocol
  transport._loop = self._loop
  self._clients[transport] = true
  transport._on_over = function() forget(self, transport) end
  protocol._loop = self._loop
  protocol:_serve(transport, self._connected, reader, writer)
end

local function accept(self)
  for conn in self._listener do serve(self, conn) end
end

--- Accept connections, if it does not yet.
-- @function Server:start_serving
-- @raise Closed: it is closed
function Server:start_serving()
  if self._is_closed then
    errors.raise { kind = "Closed", message = "the server is closed" }
  end
  if self._is_serving then return end
  self._is_serving = true
  protocols.start(self._loop, accept, self)
end

--- @function Server:is_serving
-- @treturn boolean does it accept connections?
function Server:is_serving()
  return self._is_serving
end

--- @function Server:get_loop
-- @treturn Loop
function Server:get_loop()
  return self._loop
end

-- Closed when serve_forever is left.
local Forever = {}

function Forever:__close()
  local server = self.server
  server._forever = nil
  server:__close()
end

--- Accept connections until it is cancelled or the server is closed; then close
-- it and wait for its connections.
-- @function Server:serve_forever
-- @raise Cancelled; UsageError: another task does it; Closed
function Server:serve_forever()
  if self._forever then
    errors.usage "serve_forever: another task is in it already"
  end
  self:start_serving()
  self._forever = waiters.new "a server to be closed"
  local _ <close> = setmetatable({ server = self }, Forever)
  self._forever:wait()
  error(asyncio_errors.cancelled(), 0)
end

--- Accept no more. Connections that there are go on. Twice is harmless.
-- @function Server:close
function Server:close()
  if self._is_closed then return end
  self._is_closed, self._is_serving = true, false
  self.sockets = {}
  self._listener:close()
  if self._forever then self._forever:wake_all(true) end
  self._ends:wake_all(true)
end

--- Close the connections, after what was written.
-- @function Server:close_clients
function Server:close_clients()
  for transport in pairs(self._clients) do transport:close() end
end

--- Close the connections at once.
-- @function Server:abort_clients
function Server:abort_clients()
  for transport in pairs(self._clients) do transport:abort() end
end

--- Wait until it is closed and its connections are.
-- @function Server:wait_closed
function Server:wait_closed()
  -- Those that nobody has any more close when they are collected.
  if self._is_closed and next(self._clients) then collectgarbage() end
  while not self._is_closed or next(self._clients) do self._ends:wait() end
end

function Server:__close()
  self:close()
  if not core.is_cancelled() then self:wait_closed() end
end

function Server:__tostring()
  return ("<asyncio.Server %s>"):format(tostring(self._listener))
end

-- ---- making one ----

local weak = { __mode = "k" }

local function getsockname(socket)
  return socket.address
end

local spec = { backlog = "count", start_serving = "boolean",
               reuse_address = "boolean" }
for name, kind in pairs(connections.options) do spec[name] = kind end

local function start(where, connected, address, opts)
  if not awaitable.is_callable(connected) then
    errors.usage("%s: expected a function to call with each connection, got %s",
      where, type(connected))
  end
  opts = errors.check_options(where, opts, spec)
  connections.check_plain(where, opts)
  connections.check_sock(where, opts.sock, "Listener", address)
  address.backlog = opts.backlog
  local limit = readers.check_limit(where, opts.limit)
  local listener = opts.sock or net.listen(address)
  local sockets = {}
  for i, at in ipairs(listener.addresses) do
    sockets[i] = { address = at, getsockname = getsockname }
  end
  local self = setmetatable({
    _listener = listener, _loop = current.loop(), _connected = connected,
    _limit = limit, _clients = setmetatable({}, weak), sockets = sockets,
    _is_serving = false, _ends = waiters.new "a server's connections to end",
  }, Server)
  if opts.start_serving ~= false then self:start_serving() end
  return self
end

--- Listen, and call a function with each connection, in a Task of its own.
-- @function asyncio.start_server
-- @tparam function client_connected_cb called with a StreamReader and a
-- StreamWriter, which it closes; may wait. What it raises goes to the loop's
-- exception handler.
-- @tparam ?string host nil: every address of the machine
-- @tparam integer port 0: any that is free
-- @tparam[opt] table options limit (65536); backlog; start_serving (true);
-- sock: a Listener of luvisor.net, instead of host and port
-- @treturn Server
-- @raise OSError; UsageError, also for ssl: there is no TLS
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local server <close> = asyncio.start_server(function(reader, writer)
--     writer:write(reader:read():upper())
--     writer:close()
--   end, "127.0.0.1", 0)
--   local port = server.sockets[1]:getsockname().port
--   local reader, writer = asyncio.open_connection("127.0.0.1", port)
--   writer:write "hello"
--   writer:write_eof()
--   print(reader:read()) --> HELLO
--   writer:close()
function M.start_server(client_connected_cb, host, port, options)
  if type(host) == "table" then host, options = nil, host end
  return start("start_server", client_connected_cb,
    { host = host, port = connections.port(port) }, options)
end

--- Listen on a Unix socket, and call a function with each connection. The
-- socket's file goes when the server is closed.
-- @function asyncio.start_unix_server
-- @tparam function client_connected_cb as start_server's
-- @tparam string path "@name" for an abstract one
-- @tparam[opt] table options limit, backlog, start_serving, sock
-- @treturn Server
-- @raise OSError, UsageError
function M.start_unix_server(client_connected_cb, path, options)
  if type(path) == "table" and getmetatable(path) == nil then
    path, options = nil, path
  end
  return start("start_unix_server", client_connected_cb,
    { path = path ~= nil and tostring(path) or nil }, options)
end

M.Server = Server

return M
