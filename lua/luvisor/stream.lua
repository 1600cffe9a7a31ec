--- Byte streams: Readers and Writers of pipes, terminals, sockets and files.
-- `stream.stdin`, `stream.stdout` and `stream.stderr` are the program's own,
-- opened when they are first used; whoever shares them does not notice.
-- @module luvisor.stream

local core = require "luvisor.core.stream"
local errors = require "luvisor.error"

local M = {}

--- A new pipe: what is written to the one is read from the other.
-- @function pipe
-- @treturn Reader
-- @treturn Writer
-- @raise OSError
M.pipe = core.pipe

local Duplex = {}
Duplex.__name = "luvisor.Duplex"

function Duplex.__index(self, name)
  if Duplex[name] then return Duplex[name] end
  local side = self._reader[name] and self._reader or self._writer
  local value = side[name]
  if type(value) ~= "function" then return value end
  return function(_, ...) return value(side, ...) end
end

--- Close both directions; what was written is flushed.
function Duplex:close()
  self._reader:close()
  self._writer:close()
end

Duplex.__close = Duplex.close

--- A Reader and a Writer as one object with the methods of both.
-- @tparam Reader reader
-- @tparam Writer writer
-- @treturn Duplex
function M.duplex(reader, writer)
  return setmetatable({ _reader = reader, _writer = writer }, Duplex)
end

--- A stream of a descriptor or Lua file. The stream has a description of its
-- own; the descriptor stays the caller's and is not made non-blocking.
-- @param fd descriptor number or Lua file
-- @tparam[opt="r"] string mode "r", "w" or "rw"
-- @treturn Reader|Writer|Duplex
-- @raise OSError, UsageError
function M.open(fd, mode)
  if mode == "rw" then
    local reader <const> = core._open(fd, "r")
    return M.duplex(reader, core._open(fd, "w"))
  end
  if mode ~= nil and mode ~= "r" and mode ~= "w" then
    errors.usage('stream.open: the mode is "r", "w" or "rw", got %s',
      tostring(mode))
  end
  return core._open(fd, mode or "r")
end

local standard = { stdin = { 0, "r" }, stdout = { 1, "w" },
                   stderr = { 2, "w" } }

return setmetatable(M, {
  __index = function(_, name)
    local which = standard[name]
    if not which then return nil end
    local s = core._open(table.unpack(which))
    rawset(M, name, s)
    return s
  end,
})
