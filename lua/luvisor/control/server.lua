--- The control API of a supervisor: HTTP and JSON on a Unix socket, and on TCP
-- where the configuration says so.
-- @module luvisor.control.server

local errors = require "luvisor.error"
local gate = require "luvisor.control.gate"
local json = require "luvisor.json"
local net = require "luvisor.net"
local problems = require "luvisor.control.problems"
local routes = require "luvisor.control.routes"
local serving = require "luvisor.http.server"
local statedir = require "luvisor.control.statedir"
local task = require "luvisor.task"

local M = {}

local function encoded(value, status)
  return { status = status, headers = { ["Content-Type"] = "application/json" },
           body = json.encode(value) .. "\n" }
end

local function answer(sup, request)
  local row, name = routes.find(request)
  local call = {
    sup = sup, name = name, request = request,
    by = gate.check(sup.config.control, request, row[3]),
    query = routes.query(row, request.query),
    body = routes.body(row, request.body),
  }
  local value, status = row[4](call)
  if status == "raw" then return value end
  return encoded(value, status)
end

-- What is our fault is logged; the client gets a 500.
local function handler(sup)
  return function(request)
    local ok, result = pcall(answer, sup, request)
    if ok then return result end
    local told = problems.answer(result)
    if told.status == 500 then
      sup.log:error("a request failed", { request = request.method .. " "
        .. request.target, error = tostring(result) })
    end
    return told
  end
end

local refusals = {
  [413] = { "LimitOverrun", "the body is too large: 1 MiB is the most" },
  [503] = { "TooBusy", "too much is being sent at once: try again" },
}

local function refuse(_, status)
  local kind, message = table.unpack(refusals[status])
  return problems.answer(errors.new { kind = kind, message = message })
end

local function on_error(sup)
  return function(err, request)
    sup.log:error("an answer failed", { request = request.method .. " "
      .. request.target, error = tostring(err) })
  end
end

-- Who listens there, if one can tell.
local function holder_of(path)
  local ok, socket = pcall(net.connect, { path = path })
  if not ok then return "" end
  local _ <close> = socket
  return (" (pid %d)"):format(socket.peer.pid)
end

local function listen_at_path(server, path, mode)
  local ok, err = pcall(server.listen, server, { path = path, mode = mode })
  if ok then return end
  if not (errors.is_error(err) and err:is "EADDRINUSE") then error(err, 0) end
  errors.raise { kind = "Busy", subject = path, message =
    ("another program%s listens at the control socket %s"):format(
      holder_of(path), path) }
end

local function listen(server, control, open)
  listen_at_path(server, control.socket, open and "666" or "600")
  if not control.tcp then return end
  server:listen { host = control.tcp.host, port = control.tcp.port }
end

local function check(control)
  if control.tcp and (control.token or "") == "" then
    errors.raise { kind = "ConfigError", message =
      "control: tcp needs a token, or whoever reaches it could do anything" }
  end
  return gate.rules(control):admits_others()
end

local Control = {}
Control.__index = Control
Control.__name = "luvisor.control"

--- Open the control socket of a supervisor: make its state_dir, be the only one
-- that has it, listen. Waits.
-- @tparam Supervisor sup its configuration says where, and who may
-- @treturn Control to be closed; it has `<close>`
-- @raise Busy: another supervisor has the same state_dir, or the socket;
-- ConfigError: the state_dir is another's; control.allow is wrong; OSError
-- @usage
-- local sup <close> = supervisor.new { state_dir = "state",
--   services = { web = { command = "sleep 60" } } }
-- local control <close> = require "luvisor.control.server".open(sup)
-- local answer = http.get("http://localhost/v1/services",
--   { unix = "state/control.sock" })
-- print(answer.status) --> 200
function M.open(sup)
  local config = sup.config
  local open = check(config.control)
  statedir.prepare(config.state_dir, open)
  local self = setmetatable({ _lock = statedir.lock(config.state_dir) },
    Control)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then self:close() end
  end })
  self._server = serving.open({ refuse = refuse, on_error = on_error(sup) },
    handler(sup), task.detached)
  listen(self._server, config.control, open)
  self.addresses = self._server.addresses
  return self
end

--- Stop listening, give answers under way a moment, let go of the state_dir.
-- Waits; twice is harmless.
function Control:close()
  if self._server then self._server:close() end
  if self._lock then self._lock:close() end
end

Control.__close = Control.close

return M
