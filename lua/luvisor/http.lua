--- HTTP/1.1: asking servers, and being one.
-- Neither holds up other tasks. Requests are made by libcurl, answers by
-- libmicrohttpd; each is opened when it is first used, and an OSError with the
-- code ELIBACC says if it is not there.
-- @module luvisor.http
-- @usage
-- local server <close> = http.serve({ host = "127.0.0.1", port = 0 },
--   function(request)
--     return { body = "you asked for " .. request.path .. "\n" }
--   end)
-- local url = ("http://127.0.0.1:%d/it"):format(server.address.port)
-- print(http.get(url, { timeout = 5 }).body) --> you asked for /it

local client = require "luvisor.http.client"
local server = require "luvisor.http.server"

local M = {}

M.get = client.get
M.request = client.request
M.serve = server.serve

return M
