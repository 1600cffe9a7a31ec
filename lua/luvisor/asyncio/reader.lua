--- asyncio's StreamReader, over luvisor's Reader.
-- The bytes are the native Reader's: of a process or a socket they come there
-- in C, without a task that moves them, and become a string once, when they are
-- taken. A StreamReader that is made by hand has a Reader without a descriptor,
-- which is fed.
-- @module luvisor.asyncio
-- @type StreamReader

local core = require "luvisor.core.stream"
local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"

local M = {}

-- The native methods: looked up once, and not for each line.
local native <const> = core._fed(1)
local read <const>, readexactly <const> = native.read, native.readexactly
local readline <const>, readuntil <const> = native.readline, native.readuntil

--- Bytes of a line or a separated text, if nobody says otherwise.
M.LIMIT = 64 * 1024

local StreamReader = { __name = "luvisor.asyncio.StreamReader" }
StreamReader.__index = StreamReader
M.StreamReader = StreamReader

-- It reads ahead up to twice the limit, and goes on once that is taken down to
-- the limit. (asyncio rule S16)
local function set_limit(reader, limit)
  reader.limit = 2 * limit
  reader.max_line = limit
end

--- Check a limit.
-- @local
function M.check_limit(where, limit)
  if limit == nil then return M.LIMIT end
  if math.type(limit) ~= "integer" or limit <= 0 then
    errors.usage("%s: limit must be a positive integer, got %s", where,
      tostring(limit))
  end
  return limit
end

local function read_ahead(self)
  if not self._given then pcall(self._r._start, self._r) end
end

--- A StreamReader over a native Reader with this limit. It begins to read ahead
-- in the next turn, unless it has been given to another process by then.
-- @local
function M.of(reader, limit)
  local self = setmetatable({
    _r = reader, _limit = limit, _transport = false, _given = false,
  }, StreamReader)
  core_task.detached(read_ahead, self)
  return self
end

--- The native Reader, for a process whose stdin it becomes.
-- @local
function M.give(self)
  self._given = true
  return self._r
end

--- The same over one that has another limit.
-- @local
function M.with_limit(reader, limit)
  set_limit(reader, limit)
  return M.of(reader, limit)
end

-- Arguments by name, or Python's two by place.
local function construct(_, limit, _loop)
  if type(limit) == "table" and getmetatable(limit) == nil then
    limit = errors.check_options("StreamReader", limit,
      { limit = "any", loop = "any" }).limit
  end
  limit = M.check_limit("StreamReader", limit)
  local reader = core._fed(2 * limit)
  reader.max_line = limit
  return setmetatable({ _r = reader, _limit = limit, _transport = false },
    StreamReader)
end

--- A reader that is fed: by `feed_data`, or by what it is connected to.
-- @function asyncio.StreamReader
-- @tparam[opt=65536] integer limit bytes that a line or separated text may
-- have; twice as many are read ahead
-- @treturn StreamReader
-- @raise UsageError
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local reader = asyncio.StreamReader { limit = 1024 }
--   reader:feed_data "one\ntwo"
--   reader:feed_eof()
--   for line in reader do io.write("[", line, "]") end
setmetatable(StreamReader, { __call = construct })

-- ---- reading ----

local function resume(self)
  self._paused = false
  self._transport:resume_reading()
end

-- A read of one that has a transport. A transport that was paused would never
-- bring what is needed if that is not there; one without a task of its own
-- hears of the end from us.
local function with_transport(self, needed, fn, ...)
  local reader = self._r
  if self._paused and reader:buffered() < needed then resume(self) end
  local data = fn(reader, ...)
  if self._paused and reader:buffered() <= self._limit then resume(self) end
  local transport = self._transport
  if transport and transport._on_eof and reader:at_eof() then
    transport:_on_eof()
  end
  return data
end

--- Up to n bytes, as soon as there is one; "" at the end. Without n, or with a
-- negative one, all to the end. (asyncio rule S17)
-- @function StreamReader:read
-- @tparam[opt=-1] integer n
-- @treturn string
-- @raise Busy: another task reads; what `set_exception` was given; OSError
function StreamReader:read(n)
  if n ~= nil and math.type(n) ~= "integer" then
    errors.usage("read: expected a number of bytes, got %s", tostring(n))
  end
  if not n or n < 0 then n = -1 end
  if not self._transport then return read(self._r, n) or "" end
  return with_transport(self, n < 0 and math.huge or 1, read, n) or ""
end

--- A line with its "\n"; the last may have none; "" at the end. (asyncio rule
-- S20, but nothing is lost at the limit)
-- @function StreamReader:readline
-- @treturn string
-- @raise LimitOverrun: the line is longer than the limit, and can still be
-- read; Busy; what `set_exception` was given; OSError
function StreamReader:readline()
  if not self._transport then return readline(self._r, true) or "" end
  return with_transport(self, math.huge, readline, true) or ""
end

--- n bytes. (asyncio rule S18)
-- @function StreamReader:readexactly
-- @tparam integer n
-- @treturn string
-- @raise IncompleteRead: the end came before, with what there was as `partial`
-- and n as `expected`; UsageError: n is negative; as `read`
function StreamReader:readexactly(n)
  if not self._transport then return readexactly(self._r, n) end
  return with_transport(self, n or 0, readexactly, n)
end

--- Bytes up to and with the separator, or the one that ends first of a list of
-- at most eight. (asyncio rule S19)
-- @function StreamReader:readuntil
-- @tparam[opt="\n"] string|table separator
-- @treturn string
-- @raise IncompleteRead: the end came before; LimitOverrun: more bytes than the
-- limit, which are not touched, `consumed` of them before the separator;
-- UsageError: an empty separator; as `read`
function StreamReader:readuntil(separator)
  separator = separator or "\n"
  if not self._transport then return readuntil(self._r, separator) end
  return with_transport(self, math.huge, readuntil, separator)
end

--- `for line in reader do`: `readline` until the end. (asyncio rule S21)
function StreamReader:__call()
  if not self._transport then return readline(self._r, true) end
  return with_transport(self, math.huge, readline, true)
end

--- The end was fed or read, and nothing is left.
-- @function StreamReader:at_eof
-- @treturn boolean
function StreamReader:at_eof()
  return self._r:at_eof()
end

-- ---- feeding ----

--- Bytes, as if they had been read. Pauses the transport if there is one and
-- more than twice the limit are not taken.
-- @function StreamReader:feed_data
-- @tparam string data
-- @raise UsageError: after the end
function StreamReader:feed_data(data)
  local reader = self._r
  reader:_feed(data)
  local transport = self._transport
  if not transport or self._paused or transport._is_native
    or reader:buffered() <= 2 * self._limit then
    return
  end
  if not transport.pause_reading then
    self._transport = false -- it cannot; all has to be kept
    return
  end
  self._paused = true
  transport:pause_reading()
end

--- The end. What was fed before can still be read.
-- @function StreamReader:feed_eof
function StreamReader:feed_eof()
  self._r:_feed_eof()
end

--- Have each read raise this from now on, also the one that waits.
-- @function StreamReader:set_exception
-- @param exc an error object, or any value
function StreamReader:set_exception(exc)
  self._r:_fail(exc)
end

--- What reads raise: what `set_exception` was given, or the error that reading
-- failed with.
-- @function StreamReader:exception
-- @return it, or nil
function StreamReader:exception()
  return (select(3, self._r:_state()))
end

--- The transport to pause and resume. Once.
-- @function StreamReader:set_transport
-- @param transport
-- @raise UsageError: there is one already
function StreamReader:set_transport(transport)
  if self._transport then
    errors.usage("StreamReader: set_transport: it has a transport already")
  end
  self._transport = transport
end

-- Has nothing been done with it yet, so that a descriptor can be given to it?
function StreamReader:_is_unused()
  local ended, _, failure = self._r:_state()
  return not (self._transport or ended or failure or self._r:fileno())
end

-- It reads from this native Reader from now on, also the task that waits.
function StreamReader:_attach(reader)
  self._r:_attach(reader)
  set_limit(self._r, self._limit)
end

local function add(parts, format, ...)
  parts[#parts + 1] = format:format(...)
end

function StreamReader:__tostring()
  local parts = { "<StreamReader" }
  local ended, is_read, failure = self._r:_state()
  local size = self._r:buffered()
  if size > 0 then add(parts, "%d bytes", size) end
  if ended and not failure then add(parts, "eof") end
  if self._limit ~= M.LIMIT then add(parts, "limit=%d", self._limit) end
  if is_read then add(parts, "waiter") end
  if failure ~= nil then add(parts, "exception=%s", tostring(failure)) end
  if self._transport then
    add(parts, "transport=%s", tostring(self._transport))
  end
  if self._paused then add(parts, "paused") end
  return table.concat(parts, " ") .. ">"
end

return M
