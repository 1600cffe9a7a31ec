--- Transports: what a protocol is given to read and write with. Here is what
-- all have, and the one that reads a pipe.
-- @module luvisor.asyncio

local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local protocols = require "luvisor.asyncio.protocols"
local waiters = require "luvisor.waiters"

local M = {}

local MOST <const> = 256 * 1024 -- bytes of one data_received

local call = protocols.call

-- ---- what all have ----

local Transport = {}

--- What is known of it.
-- @function Transport:get_extra_info
-- @tparam string name
-- @param[opt] default
-- @return it, or default
function Transport:get_extra_info(name, default)
  local value = self._extra[name]
  if value == nil then return default end
  return value
end

--- @function Transport:get_protocol
-- @return the protocol
function Transport:get_protocol()
  return self._protocol
end

--- @function Transport:set_protocol
-- @param protocol told of what comes from now on
function Transport:set_protocol(protocol)
  if type(protocol) ~= "table" and type(protocol) ~= "userdata" then
    errors.usage("set_protocol: expected an object, got %s", type(protocol))
  end
  self._protocol = protocol
end

-- Call the protocol. An error is the loop's to report, as that of anything that
-- it calls.
function Transport:_call(name, ...)
  local protocol = self._protocol
  local ok, err = pcall(call, protocol, name, ...)
  if not ok then
    protocols.report(self._loop or current.loop(),
      "Exception in callback " .. name, err, self, protocol)
  end
end

-- Told once.
function Transport:_lose(err)
  if self._is_over then return end
  self._is_over = true
  if self._on_over then self._on_over() end
  self:_call("connection_lost", err)
end

local function class(name)
  local c = { __name = "luvisor.asyncio." .. name, _name = name }
  c.__index = c
  for key, method in pairs(Transport) do c[key] = method end
  return c
end
M.class = class

--- Call a method of a stream; its error is a result, one of ours is not.
-- @local
function M.protected(fn, ...)
  local ok, value = pcall(fn, ...)
  if ok or errors.is_error(value) then return ok, value end
  error(value, 0)
end

-- ---- reading ----

--- The reading end of a pipe.
-- @type ReadTransport
local ReadPipe = class "ReadPipeTransport"
M.ReadPipe = ReadPipe

--- Stop reading: no more data_received, until resume_reading. Twice is
-- harmless.
-- @function ReadTransport:pause_reading
function ReadPipe:pause_reading()
  if not self:is_reading() then return end
  self._paused = true
  self._r:_hold(true)
end

--- Read again. Twice is harmless.
-- @function ReadTransport:resume_reading
function ReadPipe:resume_reading()
  if self._closing or not self._paused then return end
  self._paused = false
  self._r:_hold(false)
  self._resumers:wake_all(true)
end

--- @function ReadTransport:is_reading
-- @treturn boolean neither paused nor closed
function ReadPipe:is_reading()
  return not (self._paused or self._closing)
end

--- @function ReadTransport:is_closing
-- @treturn boolean
function ReadPipe:is_closing()
  return self._closing or false
end

--- Read no more; connection_lost(nil) follows. Twice is harmless.
-- @function ReadTransport:close
function ReadPipe:close()
  if self._closing then return end
  self._closing = true
  if self._stream then
    self._r:_feed_eof() -- what the StreamReader has stays its
    self:_lose()
    return
  end
  self._r:close()
  self._resumers:wake_all(true)
end

ReadPipe.abort = ReadPipe.close

function ReadPipe:__tostring()
  local state = self._is_over and "closed" or self._closing and "closing"
    or self._paused and "paused" or "open"
  return ("<%s %s fd=%s>"):format(self._name, state, tostring(self._fd))
end

-- Wait until there is something to give to the protocol. nil: the end; then
-- the error, if it was one.
local function await(self)
  local reader = self._r
  while not self._closing do
    local ok, first = M.protected(reader.peek, reader, 1)
    if self._closing then break end
    if not ok then return nil, first end
    if not self._paused then return first end
    self._resumers:wait()
  end
end

-- What the task of a pipe does.
function ReadPipe:_run()
  local first, err = await(self)
  while first do
    self:_call("data_received", self._r:read(MOST))
    first, err = await(self)
  end
  local ended = not self._closing
  self._closing = true
  if ended and err == nil then self:_call "eof_received" end
  self._r:close()
  self:_lose(err)
end

-- The StreamReader that reads it has come to the end.
function ReadPipe:_on_eof()
  if self._closing then return end
  self._closing = true
  self:_lose(self._stream:exception())
end

local function new_read(loop, reader, protocol, extra)
  return setmetatable({
    _loop = loop, _r = reader, _protocol = protocol, _extra = extra or {},
    _fd = reader:fileno(), _resumers = waiters.new "a transport to be resumed",
  }, ReadPipe)
end

--- A transport whose protocol is told what comes, once `start` is called.
-- @local
function M.read_pipe(loop, reader, protocol, extra)
  return new_read(loop, reader, protocol, extra)
end

--- The task that tells the protocol.
-- @local
function M.start(transport)
  protocols.start(transport._loop, transport._run, transport)
end

--- A transport whose bytes go to a StreamReader of ours in C.
-- @local
function M.read_stream(loop, reader, protocol, stream, extra)
  local self = new_read(loop, reader, protocol, extra)
  stream:_attach(reader)
  self._r, self._stream, self._is_native = stream._r, stream, true
  return self
end

--- The transport of a StreamReader that has its own native Reader.
-- @local
function M.direct(reader, stream, extra)
  local self = new_read(nil, reader, {}, extra)
  self._stream, self._is_native = stream, true
  return self
end

return M
