--- Transports that write a pipe.
-- @module luvisor.asyncio

local errors = require "luvisor.error"
local protocols = require "luvisor.asyncio.protocols"
local transports = require "luvisor.asyncio.transports"

local M = {}

local protected <const> = transports.protected

--- The writing end of a pipe.
-- @type WriteTransport
local WritePipe = transports.class "WritePipeTransport"
M.WritePipe = WritePipe

-- Wait for room, and say so.
local function resume_writing(self)
  local ok = protected(self._w._room, self._w)
  self._protocol_paused = false
  if ok then self:_call "resume_writing" end
end

local function pause_writing(self)
  self._protocol_paused = true
  self:_call "pause_writing"
  protocols.start(self._loop, resume_writing, self)
end

--- Write; never waits. What is written after the end is dropped.
-- @function WriteTransport:write
-- @tparam string data
function WritePipe:write(data)
  local pending, paused = self._w:_put(data)
  if paused and pending > 0 and not self._protocol_paused
    and not self._is_native then
    pause_writing(self)
  end
end

--- @function WriteTransport:writelines
-- @tparam {string,...} list
function WritePipe:writelines(list)
  self:write(table.concat(list))
end

--- @function WriteTransport:can_write_eof
-- @treturn boolean true
function WritePipe.can_write_eof()
  return true
end

--- Close, after what was written. connection_lost(nil) follows. Twice is
-- harmless.
-- @function WriteTransport:close
function WritePipe:close()
  self._w:close()
end

--- @function WriteTransport:write_eof
WritePipe.write_eof = WritePipe.close

--- Close at once, and drop what was not yet written.
-- @function WriteTransport:abort
function WritePipe:abort()
  self._w:abort()
end

--- Closed, closing, or left by its reader?
-- @function WriteTransport:is_closing
-- @treturn boolean
function WritePipe:is_closing()
  return self._w:is_closing() or self._w:_is_lost()
end

--- Bytes that the kernel has not taken yet.
-- @function WriteTransport:get_write_buffer_size
-- @treturn integer
function WritePipe:get_write_buffer_size()
  return self._w:pending()
end

--- @function WriteTransport:get_write_buffer_limits
-- @treturn integer low
-- @treturn integer high
function WritePipe:get_write_buffer_limits()
  local high, low = self._w:_marks()
  return low, high
end

--- pause_writing comes when more than `high` bytes are queued, resume_writing
-- when no more than `low` are. (asyncio rule S22)
-- @function WriteTransport:set_write_buffer_limits
-- @tparam[opt] integer high 64 KiB, or four times low
-- @tparam[opt] integer low a quarter of high
-- @raise UsageError: low is above high
function WritePipe:set_write_buffer_limits(high, low)
  if type(high) == "table" then high, low = high.high, high.low end
  high = high or low and 4 * low or 64 * 1024
  low = low or high // 4
  if math.type(high) ~= "integer" or math.type(low) ~= "integer" or low < 0
    or low > high then
    errors.usage("set_write_buffer_limits: high (%s) must be an integer not "
      .. "below low (%s), which is one not below 0", tostring(high),
      tostring(low))
  end
  self._w:_marks(high, low)
end

function WritePipe:__tostring()
  local state = self._is_over and "closed"
    or self._w:is_closing() and "closing" or "open"
  return ("<%s %s fd=%s bufsize=%d>"):format(self._name, state,
    tostring(self._fd), self._w:pending())
end

-- What the task of a pipe does: wait until it is closed, or nobody reads it.
function WritePipe:_run()
  local ok, err = protected(self._w._until_closed, self._w)
  self:_lose(not ok and err or nil)
end

--- A transport whose protocol is told of the loss, once `start` is called.
-- @tparam[opt] boolean is_native nobody wants pause_writing: the native Writer
-- knows when it is full
-- @local
function M.write_pipe(loop, writer, protocol, extra, is_native)
  return setmetatable({
    _loop = loop, _w = writer, _protocol = protocol, _extra = extra or {},
    _fd = writer:fileno(), _is_native = is_native,
  }, WritePipe)
end

return M
