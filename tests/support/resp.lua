-- The protocol of redis (RESP), as much of it as a test needs.
-- local resp = dofile(SOURCE .. "/tests/support/resp.lua")

local net = require "luvisor.net"

local M = {}

local Client = {}
Client.__index = Client

--- Connect. For a `<close>` variable.
-- @tparam table where as for net.connect
function M.connect(where)
  return setmetatable({ _conn = net.connect(where) }, Client)
end

function Client:__close()
  self._conn:close()
end

local function receive(conn)
  local kind, rest = conn:readline():match "^(.)(.-)\r?$"
  if kind == "+" then return rest end
  if kind == ":" then return math.tointeger(rest) end
  if kind == "-" then error(rest, 0) end
  local n = math.tointeger(rest)
  if n < 0 then return nil end
  if kind == "$" then return (conn:readexactly(n + 2):sub(1, n)) end
  local list = {}
  for i = 1, n do list[i] = receive(conn) end
  return list
end

--- Call a command; its answer. An error of redis is raised.
function Client:call(...)
  local parts = { ("*%d\r\n"):format(select("#", ...)) }
  for i, word in ipairs { ... } do
    word = tostring(word)
    parts[i + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  self._conn:write(table.concat(parts))
  return receive(self._conn)
end

return M
