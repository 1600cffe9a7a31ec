--- asyncio.streams: the names of Python's module of that name.
-- @module luvisor.asyncio

local M = {}

local names = {
  FlowControlMixin = "protocols", StreamReader = "reader",
  StreamReaderProtocol = "protocols", StreamWriter = "writer",
  open_connection = "connections", open_unix_connection = "connections",
  start_server = "servers", start_unix_server = "servers",
}

--- Python's module of that name: StreamReader, StreamWriter,
-- StreamReaderProtocol, FlowControlMixin, open_connection,
-- open_unix_connection, start_server, start_unix_server. Loaded as they are
-- used.
M.streams = setmetatable({}, {
  __index = function(t, name)
    local file = names[name]
    if not file then return nil end
    local value = require("luvisor.asyncio." .. file)[name]
    rawset(t, name, value)
    return value
  end,
})

return M
