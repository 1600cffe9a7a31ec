--- asyncio.streams: the names of Python's module of that name.
-- @module luvisor.asyncio

local names = {
  FlowControlMixin = "protocols", StreamReader = "reader",
  StreamReaderProtocol = "protocols", StreamWriter = "writer",
  open_connection = "connections", open_unix_connection = "connections",
  start_server = "servers", start_unix_server = "servers",
}

-- Loaded as they are used.
local streams = setmetatable({}, {
  __index = function(t, name)
    local file = names[name]
    if not file then return nil end
    local value = require("luvisor.asyncio." .. file)[name]
    rawset(t, name, value)
    return value
  end,
})

return { streams = streams }
