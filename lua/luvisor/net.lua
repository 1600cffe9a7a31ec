--- Stream sockets: TCP over IPv4 and IPv6, and Unix sockets.
-- A connection is a stream (luvisor.stream), a listener is waited on and
-- iterated over. Nothing here holds up other tasks: names are resolved in a
-- thread.
-- @module luvisor.net
-- @usage
-- local listener <close> = net.listen { host = "127.0.0.1", port = 0 }
-- task.spawn(function()
--   for conn in listener do
--     task.spawn(function()
--       local conn <close> = conn
--       for line in conn:lines() do conn:write(line:upper(), "\n") end
--     end)
--   end
-- end)
-- local conn <close> = net.connect {
--   host = "127.0.0.1", port = listener.address.port,
-- }
-- conn:write "hello\n"
-- print(conn:readline()) --> HELLO

local connecting = require "luvisor.net.connect"
local listening = require "luvisor.net.listener"

local M = {}

M.connect = connecting.connect
M.listen = listening.listen

return M
