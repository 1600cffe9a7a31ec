--- Listening sockets that luvisor opens once and passes to a service at each
-- start, as systemd does: from descriptor 3 on, with LISTEN_FDS and LISTEN_PID.
-- @module luvisor.supervisor.sockets

local net = require "luvisor.net"

local M = {}

local Sockets = {}
Sockets.__index = Sockets
Sockets.__name = "luvisor.supervisor.sockets"

local function listen(socket)
  if socket.path then return net.listen { path = socket.path } end
  return net.listen { host = socket.host, port = socket.port }
end

--- Open none yet: they are opened when a service first needs them, and kept.
function M.open()
  return setmetatable({ _open = {} }, Sockets)
end

function Sockets:_of(inst)
  local list = self._open[inst.service]
  if list then return list end
  list = {}
  self._open[inst.service] = list
  for i, socket in ipairs(inst.spec.sockets) do list[i] = listen(socket) end
  return list
end

--- What the next spawn of an instance needs.
-- @treturn table options of process.spawn: env, fds
-- @raise OSError: an address is in use
function M.prepare(inst)
  if not inst.spec.sockets then return {} end
  local list, fds = inst.sup.sockets:_of(inst), {}
  for i, listener in ipairs(list) do fds[2 + i] = listener:fileno() end
  return {
    fds = fds,
    env = { LISTEN_FDS = tostring(#list), LISTEN_PID = true },
  }
end

--- Close those of a service, which is taken away or has others now.
function Sockets:forget(service)
  for _, listener in ipairs(self._open[service] or {}) do listener:close() end
  self._open[service] = nil
end

function Sockets:close()
  for service in pairs(self._open) do self:forget(service) end
end

return M
