--- The control API of a supervisor: HTTP and JSON on a Unix socket, and on TCP
-- where the configuration says so.
-- @module luvisor.control.server

local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local gate = require "luvisor.control.gate"
local json = require "luvisor.json"
local net = require "luvisor.net"
local problems = require "luvisor.control.problems"
local routes = require "luvisor.control.routes"
local serving = require "luvisor.http.server"
local statedir = require "luvisor.control.statedir"
local streams = require "luvisor.control.streams"
local task = require "luvisor.task"

local M = {}

local function encoded(value, status)
  return { status = status, headers = { ["Content-Type"] = "application/json" },
           body = json.encode(value) .. "\n" }
end

local function answer(self, request)
  local by = self._gate:identify(request)
  local row, name = routes.find(request)
  self._gate:check(request, row[3])
  local call = {
    sup = self._sup, name = name, request = request, by = by,
    feeds = self._feeds,
    query = routes.query(row, request.query),
    body = routes.body(row, request.body),
  }
  local value, status = row[4](call)
  if status == "raw" then return value end
  return encoded(value, status)
end

local function complain(self, text, request, err)
  self._sup.log:error(text, {
    request = request.method .. " " .. request.target, error = tostring(err),
  })
end

-- What is our fault is logged; the client gets a 500.
local function handler(self)
  return function(request)
    local ok, result = pcall(answer, self, request)
    if ok then return result end
    local told = problems.answer(result)
    if told.status == 500 then
      complain(self, "a request failed", request, result)
    end
    return told
  end
end

local refusals = {
  [413] = { "LimitOverrun", "the body is too large" },
  [503] = { "TooBusy", "too much is being sent at once: try again" },
}

local function refuse(_, status)
  local kind, message = table.unpack(refusals[status])
  return problems.answer(errors.new { kind = kind, message = message })
end

local function serve(self, limits)
  local opts = {
    refuse = refuse,
    on_error = function(err, request)
      complain(self, "an answer failed", request, err)
    end,
  }
  for name, value in pairs(limits or {}) do opts[name] = value end
  return serving.open(opts, handler(self), task.detached)
end

-- Who listens there, if one can tell.
local function holder_of(path)
  local ok, socket = pcall(net.connect, { path = path })
  if not ok then return "" end
  local _ <close> = socket
  return (" (pid %d)"):format(socket.peer.pid)
end

-- What is no socket is somebody's.
local function refuse_others(path)
  local ok, there = pcall(fs.lstat, path)
  if not ok or there.type == "socket" then return end
  errors.raise { kind = "Busy", subject = path, message =
    ("there is a %s where the control socket is to be: %s"):format(there.type,
      path) }
end

local function listen_at_path(server, path, mode)
  local ok, err = pcall(server.listen, server, { path = path, mode = mode })
  if ok then return end
  if not errors.is_error(err) then error(err, 0) end
  if err:is "ENAMETOOLONG" then
    errors.raise { kind = "ConfigError", subject = path, message =
      ("the path of the control socket is too long, 107 bytes are the most: "
        .. "%s; control = { socket = … } gives it another"):format(path) }
  end
  if not err:is "EADDRINUSE" then error(err, 0) end
  refuse_others(path)
  errors.raise { kind = "Busy", subject = path, message =
    ("another program%s listens at the control socket %s"):format(
      holder_of(path), path) }
end

local function listen(self, control, open)
  self._path = control.socket
  listen_at_path(self._server, self._path, open and "666" or "600")
  if not control.tcp then return end
  local at = self._server:listen {
    host = control.tcp.host, port = control.tcp.port,
  }
  self._gate:set_port(at.port)
end

local function check_token(control)
  if control.tcp and (control.token or "") == "" then
    errors.raise { kind = "ConfigError", message =
      "control: tcp needs a token, or whoever reaches it could do anything" }
  end
end

-- Another configuration may let others in, and out. Where we listen stays.
local function take_rules(self)
  local ok, open = pcall(self._gate.take, self._gate,
    self._sup.config.control)
  if not ok then
    self._sup.log:error(tostring(open) .. ": nobody else is let in")
    open = false
  end
  statedir.prepare(self._dir, open)
  fs.chmod(self._path, open and "666" or "600")
end

local function follow_config(self)
  for event in self._follower do
    if event.type == "config" then
      local ok, err = pcall(take_rules, self)
      if not ok then self._sup.log:error("control: " .. tostring(err)) end
    end
  end
end

local Control = {}
Control.__index = Control
Control.__name = "luvisor.control"

--- Open the control socket of a supervisor: make its state_dir, be the only one
-- that has it, listen. Waits.
-- @tparam Supervisor sup its configuration says where, and who may
-- @tparam[opt] table limits as for http.serve: max_connections, max_head,
-- max_body, max_bodies, receive, stall, grace
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
function M.open(sup, limits)
  local config = sup.config
  local self = setmetatable({ _sup = sup,
    _gate = gate.new(config.control.tcp), _dir = config.state_dir,
    _feeds = streams.feeds() }, Control)
  check_token(config.control)
  local open = self._gate:take(config.control)
  statedir.prepare(self._dir, open)
  self._lock = statedir.lock(self._dir)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then self:close() end
  end })
  self._server = serve(self, limits)
  listen(self, config.control, open)
  self.addresses = self._server.addresses
  self._follower = sup.events:subscribe()
  task.detached(follow_config, self)
  return self
end

--- How many clients are connected.
-- @treturn integer
function Control:connections()
  return self._server:connections()
end

--- Stop listening, end what is followed, give answers under way a moment, let
-- go of the state_dir. Waits; twice is harmless.
function Control:close()
  if self._follower then self._follower:close() end
  self._feeds:close()
  if self._server then self._server:close() end
  if self._lock then self._lock:close() end
end

Control.__close = Control.close

return M
