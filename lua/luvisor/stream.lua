--- Byte streams: Readers and Writers of pipes, terminals, sockets and files.
-- `stream.stdin`, `stream.stdout` and `stream.stderr` are the program's own,
-- opened when they are first used; whoever shares them does not notice. What is
-- written to stdout and stderr keeps its order with `print` and `io.write`, and
-- the program's end waits until it is written. Closing one of the three leaves
-- the descriptor itself open.
-- @module luvisor.stream

local core = require "luvisor.core.stream"
local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"

local M = {}

--- A new pipe: what is written to the one is read from the other.
-- @function pipe
-- @treturn Reader
-- @treturn Writer
-- @raise OSError
M.pipe = core.pipe

local Duplex = { __name = "luvisor.Duplex" }

local methods = {
  _reader = { "read", "readexactly", "readline", "readuntil", "lines", "chunks",
              "peek", "unread", "copy_to", "at_eof", "buffered", "fileno" },
  _writer = { "write", "writelines", "drain", "is_closing", "pending" },
}

for side, names in pairs(methods) do
  for _, name in ipairs(names) do
    Duplex[name] = function(self, ...)
      return self[side][name](self[side], ...)
    end
  end
end

local properties = { limit = true, max_line = true }

function Duplex.__index(self, name)
  if properties[name] then return self._reader[name] end
  return Duplex[name]
end

function Duplex.__newindex(self, name, value)
  if properties[name] then
    self._reader[name] = value
  else
    rawset(self, name, value)
  end
end

function Duplex.__tostring(self)
  return ("duplex (%s, %s)"):format(self._reader, self._writer)
end

--- Close both directions; what was written is flushed.
function Duplex:close()
  self._reader:close()
  self._writer:close()
end

Duplex.__close = Duplex.close

--- Close both at once; what was written and not taken is dropped.
function Duplex:abort()
  self._reader:close()
  self._writer:abort()
end

--- A Reader and a Writer as one object with the methods of both. close and
-- abort end both, fileno is the Reader's.
-- @tparam Reader reader
-- @tparam Writer writer
-- @treturn Duplex
function M.duplex(reader, writer)
  return setmetatable({ _reader = reader, _writer = writer }, Duplex)
end

--- A stream of a descriptor or Lua file. The stream has a description of its
-- own, or shares the given one with care: that stays the caller's, and is not
-- made non-blocking.
-- @param fd descriptor number or Lua file
-- @tparam[opt="r"] string mode "r", "w" or "rw"
-- @treturn Reader|Writer|Duplex
-- @raise OSError, UsageError; Closed: no such descriptor
function M.open(fd, mode)
  if mode == nil or mode == "r" then return core._open_reader(fd) end
  if mode == "w" then return core._open_writer(fd) end
  if mode == "rw" then
    return M.duplex(core._open_reader(fd), core._open_writer(fd))
  end
  errors.usage('stream.open: the mode is "r", "w" or "rw", got %s',
    tostring(mode))
end

local function open_standard_writer(fd, file)
  local w = core._open_writer(fd)
  core._set_standard(w, file)
  return w
end

local standard = {
  stdin = function() return core._open_reader(0) end,
  stdout = function() return open_standard_writer(1, io.stdout) end,
  stderr = function() return open_standard_writer(2, io.stderr) end,
}

-- What could not be written must not be lost without a word.
core_task.at_exit(function()
  for _, name in ipairs { "stdout", "stderr" } do
    local w = rawget(M, name)
    if w then w:_flush() end
  end
end)

--- The reading end of a stream. One task reads at a time.
-- @type Reader
-- @tfield integer max_line the longest line in bytes, 1 MiB; can be set
-- @tfield integer limit bytes that are read ahead, 256 KiB; can be set

--- The writing end of a stream.
-- @type Writer

return setmetatable(M, {
  __index = function(_, name)
    local open = standard[name]
    if not open then return nil end
    local s = open()
    rawset(M, name, s)
    return s
  end,
})
