--- asyncio's StreamWriter. Over a native Writer it is that: `write` hands the
-- bytes to the kernel as far as it takes them and queues the rest, in C. Over
-- somebody's own transport it calls that.
-- @module luvisor.asyncio
-- @type StreamWriter
-- @tfield table transport what it writes to

local core = require "luvisor.core.task"
local errors = require "luvisor.error"

local M = {}

local StreamWriter = { __name = "luvisor.asyncio.StreamWriter" }
StreamWriter.__index = StreamWriter
M.StreamWriter = StreamWriter

-- Dropped writes after which we say so.
local PATIENCE <const> = 5

--- Write to a transport. What `open_connection` and a Process have is made so.
-- @function asyncio.StreamWriter
-- @param transport what `connect_write_pipe` returned, or any object with
-- write, writelines, close, is_closing, …
-- @param protocol a FlowControlMixin or StreamReaderProtocol, which knows when
-- the transport is full
-- @tparam[opt] StreamReader reader of the same connection: what that fails
-- with, `drain` raises
-- @treturn StreamWriter
local function construct(_, transport, protocol, reader)
  if type(transport) ~= "table" or type(protocol) ~= "table" then
    errors.usage("StreamWriter: expected a transport and a protocol, got %s "
      .. "and %s", type(transport), type(protocol))
  end
  return setmetatable({
    transport = transport, _protocol = protocol, _reader = reader,
    _w = transport._is_native and transport._w or nil,
  }, StreamWriter)
end

setmetatable(StreamWriter, { __call = construct })

--- A StreamWriter over a transport of ours and its native Writer.
-- @local
function M.of(transport)
  return setmetatable({ transport = transport, _w = transport._w },
    StreamWriter)
end

-- It was written to after the end. (asyncio rule S23)
local function dropped(self)
  self._dropped = (self._dropped or 0) + 1
  if self._dropped ~= PATIENCE then return end
  io.stderr:write("luvisor: warning: write to a stream that nobody reads any "
    .. "more: dropped\n")
end

--- Write; never waits. What the kernel does not take at once is queued; `drain`
-- waits when that is much. What is written after the other side has gone is
-- dropped, as `drain` tells. (asyncio rule S22)
-- @function StreamWriter:write
-- @tparam string data
function StreamWriter:write(data)
  local w = self._w
  if not w then return self.transport:write(data) end
  if not w:_put(data) then dropped(self) end
end

--- Write each string of a list, or that an iterator gives.
-- @function StreamWriter:writelines
-- @tparam table|function list
function StreamWriter:writelines(list)
  if type(list) == "function" then
    local all = {}
    for data in list do all[#all + 1] = data end
    list = all
  elseif type(list) ~= "table" then
    errors.usage("writelines: expected a list of strings, got %s", type(list))
  end
  for i, data in ipairs(list) do
    if type(data) ~= "string" then
      errors.usage("writelines: element %d must be a string, got %s", i,
        type(data))
    end
  end
  self:write(table.concat(list))
end

-- A connection whose writing half was ended is not lost by that.
local function drain(self, w)
  if w:is_closing() then
    if self.transport._has_ended then return end
    -- Who writes and drains in a loop must let the end become known.
    core.checkpoint()
  end
  w:_room()
end

--- Wait while the queue is too long: from more than 64 KiB until 16 KiB are
-- left. Any number of tasks may.
-- @function StreamWriter:drain
-- @raise BrokenPipe: the other side has gone, or it was closed; what the
-- connection's reader failed with; OSError
function StreamWriter:drain()
  local reader = self._reader
  local err = reader and reader:exception()
  if err ~= nil then error(err, 0) end
  local w = self._w
  if w then return drain(self, w) end
  if self.transport:is_closing() then core.checkpoint() end
  self._protocol:_drain_helper()
end

--- Can the writing half be ended alone? Always.
-- @function StreamWriter:can_write_eof
-- @treturn boolean
function StreamWriter:can_write_eof()
  return self.transport:can_write_eof()
end

--- End of file for the other side, after what was written.
-- @function StreamWriter:write_eof
function StreamWriter:write_eof()
  self.transport:write_eof()
end

--- Close, after what was written. Never waits; `wait_closed` does.
-- @function StreamWriter:close
function StreamWriter:close()
  self.transport:close()
end

StreamWriter.__close = StreamWriter.close

--- Is it closed, or closing, or has the other side gone?
-- @function StreamWriter:is_closing
-- @treturn boolean
function StreamWriter:is_closing()
  return self.transport:is_closing()
end

--- Wait until it is closed and all is written, or the other side has gone.
-- @function StreamWriter:wait_closed
-- @raise BrokenPipe, OSError: not all was written
function StreamWriter:wait_closed()
  local w = self._w
  if w then return w:_until_closed() end
  self._protocol:_wait_closed()
end

--- What is known of the transport: "peername", "sockname", "pipe",
-- "subprocess", ….
-- @function StreamWriter:get_extra_info
-- @tparam string name
-- @param[opt] default
-- @return it, or default
function StreamWriter:get_extra_info(name, default)
  return self.transport:get_extra_info(name, default)
end

--- TLS is not there.
-- @function StreamWriter:start_tls
-- @raise UsageError
function StreamWriter.start_tls()
  errors.usage("start_tls: there is no TLS")
end

function StreamWriter:__tostring()
  local text = "<StreamWriter transport=" .. tostring(self.transport)
  if self._reader then text = text .. " reader=" .. tostring(self._reader) end
  return text .. ">"
end

return M
