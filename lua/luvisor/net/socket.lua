--- Connections: what connect and accept return.
-- @module luvisor.net
-- @type Socket

local errors = require "luvisor.error"
local stream = require "luvisor.stream"

local M = {}

local Duplex = getmetatable(stream.duplex())

--- A connection: a Duplex of luvisor.stream, with all the methods of a Reader
-- and a Writer, and `<close>`.
-- @type Socket
-- @tfield Reader reader its reading half
-- @tfield Writer writer its writing half
-- @tfield Address address our end
-- @tfield Address peer the other end; on a Unix socket with the `pid`, `uid`
-- and `gid` that the peer had when it connected, or began to listen
local Socket = { __name = "luvisor.Socket" }
for name, value in pairs(Duplex) do Socket[name] = Socket[name] or value end

function Socket.__index(self, name)
  local method = Socket[name]
  if method ~= nil then return method end
  return Duplex.__index(self, name)
end

function Socket:__tostring()
  return ("socket (%s, to %s)"):format(self.address, self.peer)
end

--- End of file for the peer, after all that was written; reading goes on. The
-- same as closing `writer`; twice is harmless. A socket that a child has as
-- well ends when the child has closed it, too.
function Socket:write_eof()
  self._writer:close()
end

--- What the C part made, as a Socket.
-- @tparam ?Reader reader nil: there is none
-- @tparam Writer writer
-- @tparam Address address
-- @tparam Address peer
-- @treturn ?Socket
-- @local
function M.new(reader, writer, address, peer)
  if not reader then return nil end
  return setmetatable({
    _reader = reader, _writer = writer, reader = reader, writer = writer,
    address = address, peer = peer,
  }, Socket)
end

local function is_text(v)
  local good = type(v) == "string" and v ~= "" and not v:find("\0", 1, true)
  return good, "a string that is not empty and has no zero byte"
end

--- The options that say where.
-- @local
M.where = {
  path = is_text,
  host = is_text,
  port = function(v)
    local good = math.type(v) == "integer" and v >= 0 and v <= 65535
    return good, "a port, an integer from 0 to 65535"
  end,
}

--- Check options that must say where: path, or port.
-- @tparam string name the function
-- @tparam table opts
-- @tparam table spec
-- @raise UsageError
-- @local
function M.check(name, opts, spec)
  if type(opts) ~= "table" then
    errors.usage("%s: expected a table with path, or host and port, got %s",
      name, type(opts))
  end
  errors.check_options(name, opts, spec)
  if opts.path and (opts.host or opts.port) then
    errors.usage("%s: either path, or host and port, not both", name)
  end
  if not opts.path and not opts.port then
    errors.usage("%s: expected path, or host and port", name)
  end
end

return M
