--- Listening sockets that luvisor opens once and passes to a service at each
-- start, as systemd does: from descriptor 3 on, with LISTEN_FDS, LISTEN_PID and
-- LISTEN_FDNAMES (the service's name for each). They stay open while the
-- service is down, so who connects waits and is not refused.
-- @module luvisor.supervisor.sockets

local errors = require "luvisor.error"
local net = require "luvisor.net"

local M = {}

local FIRST <const> = 3 -- sd_listen_fds(3)

local Sockets = {}
Sockets.__index = Sockets
Sockets.__name = "luvisor.supervisor.sockets"

local function listen(socket)
  local where = socket.path and { path = socket.path }
    or { host = socket.host, port = socket.port }
  local ok, listener = pcall(net.listen, where)
  if ok then return listener end
  local why = listener.code == "EADDRINUSE" and "it is in use"
    or tostring(listener)
  errors.raise { kind = "OSError", code = listener.code,
    message = ("cannot listen at %s: %s"):format(socket.text, why) }
end

--- Open none yet: they are opened when a service first needs them, and kept.
function M.open()
  return setmetatable({ _open = {} }, Sockets)
end

local function close_all(listeners)
  for _, listener in ipairs(listeners) do listener:close() end
end

-- All of them or none, but for those that are open. Waits, if a host's name is
-- to be resolved.
local function open_all(specs, old)
  local new, opened, done = {}, {}, false
  local _ <close> = setmetatable({}, { __close = function()
    if not done then close_all(opened) end
  end })
  for i, socket in ipairs(specs) do
    local listener = old[socket.text]
    if not listener then
      listener = listen(socket)
      opened[#opened + 1] = listener
    end
    new[i] = listener
  end
  done = true
  return new
end

-- Those of a spec that has changed: what stays is kept, what is gone is closed.
function Sockets:_of(inst)
  local specs, old, new = inst.spec.sockets, self._open[inst.service] or {}, {}
  local listeners = open_all(specs, old)
  for i, socket in ipairs(specs) do new[socket.text] = listeners[i] end
  for text, listener in pairs(old) do
    if not new[text] then listener:close() end
  end
  self._open[inst.service] = new
  return listeners
end

--- What the next spawn of an instance needs. Waits.
-- @tparam Instance inst
-- @treturn table options of process.spawn: env, fds
-- @raise OSError: an address is in use
function M.prepare(inst)
  local sockets = inst.sup.sockets
  if not inst.spec.sockets then
    sockets:forget(inst.service)
    return {}
  end
  local fds, names = {}, {}
  for _, listener in ipairs(sockets:_of(inst)) do
    for _, fd in ipairs(listener:_share()) do
      fds[FIRST + #names] = fd
      names[#names + 1] = inst.service:gsub("[:%c]", "_")
    end
  end
  return {
    fds = fds,
    env = { LISTEN_FDS = tostring(#names), LISTEN_PID = true,
            LISTEN_FDNAMES = table.concat(names, ":") },
  }
end

--- Close those of a service, which is taken away or has others now.
function Sockets:forget(service)
  for _, listener in pairs(self._open[service] or {}) do listener:close() end
  self._open[service] = nil
end

--- Close all; the files of Unix sockets are removed.
function Sockets:close()
  for service in pairs(self._open) do self:forget(service) end
end

return M
