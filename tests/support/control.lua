-- A supervisor with its control socket in this process, for tests of the
-- control API, and several ways to talk to it.
-- local controls = dofile(SOURCE .. "/tests/support/control.lua")

local client = require "luvisor.control.client"
local http = require "luvisor.http"
local json = require "luvisor.json"
local net = require "luvisor.net"
local process = require "luvisor.process"
local server = require "luvisor.control.server"
local supervisor = require "luvisor.supervisor"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local services = dofile(SOURCE .. "/tests/support/services.lua")

local M = { TMP = services.TMP }

local Test = {}
Test.__index = Test

--- Open one.
-- @tparam ?table list its services; without, "web", which is not started
-- @tparam[opt] table opts limits: as for control.server.open; the rest is laid
-- over the configuration, or is its text, for a file that can be applied again
-- @return an object for <close>: sup, control, path (of the socket), client
function M.open(list, opts)
  opts = opts or {}
  local limits = opts.limits
  opts.limits = nil
  local config = services.config(list or {
    web = { command = { "sleep", "1000" } },
  }, opts)
  return M.over(supervisor.new(config), limits)
end

--- The same over a supervisor that there is.
function M.over(sup, limits)
  local self = setmetatable({ sup = sup }, Test)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then self:close() end
  end })
  self.control = server.open(sup, limits)
  self.path = sup.config.control.socket
  self.client = client.new { socket = self.path }
  return self
end

function Test:close()
  if self.control then self.control:close() end
  self.sup:close()
  services.clean()
end

Test.__close = Test.close

--- Ask by curl, a process of its own.
-- @tparam string path
-- @param ... further words for curl
-- @treturn table status, type, body; json, if it is that
function Test:curl(path, ...)
  local command = {
    "curl", "-sS", "--max-time", "30", "--unix-socket", self.path, "-w",
    "\n%{http_code} %{content_type}", "http://localhost" .. path, ...
  }
  command.timeout = 40
  local result = process.run(command)
  local body, status, kind = result.stdout:match "^(.*)\n(%d+) ([^\n]*)$"
  return { status = tonumber(status), type = kind, body = body,
           json = kind == "application/json" and json.decode(body) or nil }
end

--- Ask in this process.
function Test:ask(method, path, opts)
  local request = { method = method, url = "http://localhost" .. path,
                    unix = self.path, timeout = 30 }
  for name, value in pairs(opts or {}) do request[name] = value end
  local answer = http.request(request)
  if not request.stream and answer.headers["content-type"]
    == "application/json" and answer.body ~= "" then
    answer.json = json.decode(answer.body)
  end
  return answer
end

--- A connection.
-- @treturn Socket
function Test:connect()
  return net.connect { path = self.path }
end

--- Send these bytes as they are, and read until the other side closes.
function Test:raw(bytes)
  local socket <close> = self:connect()
  pcall(socket.write, socket, bytes)
  local parts = {}
  pcall(function()
    for chunk in socket:chunks() do parts[#parts + 1] = chunk end
  end)
  return table.concat(parts)
end

--- The same; the status of the first answer, nil if there was none.
function Test:raw_status(bytes)
  return tonumber(self:raw(bytes):match "^HTTP/1%.[01] (%d%d%d)")
end

--- An answer off a connection that goes on: its head and its body.
function M.read_answer(socket)
  local head = socket:readuntil "\r\n\r\n"
  local size = tonumber(head:match "Content%-Length: (%d+)")
  return head, size and socket:readexactly(size) or nil
end

return M
