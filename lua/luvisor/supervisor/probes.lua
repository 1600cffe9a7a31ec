--- Questions to a service from outside: does it answer?
-- Each function raises an error that says why not. All wait; their time limit
-- is the caller's.
-- @module luvisor.supervisor.probes

local errors = require "luvisor.error"
local hooks = require "luvisor.supervisor.hooks"
local net = require "luvisor.net"

local M = {}

-- A server that listens everywhere is asked here.
local function reachable(host)
  if host == "0.0.0.0" then return "127.0.0.1" end
  return host == "::" and "::1" or host
end

local kinds = {}

function kinds.tcp(_, address)
  local _ <close> = net.connect { host = reachable(address.host),
                                  port = address.port }
end

function kinds.unix(_, path)
  local _ <close> = net.connect { path = path }
end

function kinds.http(_, url, timeout)
  local http = require "luvisor.http"
  local answer = http.get(url, { timeout = timeout })
  if answer.status >= 400 then
    errors.raise { kind = "Failed", message = ("%s answers %d"):format(url,
      answer.status) }
  end
end

function kinds.command(inst, command, timeout)
  hooks.command(inst, command, timeout, "probe")
end

kinds["function"] = function(inst, fn, timeout)
  local answer, why = hooks.call(fn, timeout, inst:view())
  if answer == false or (answer == nil and why ~= nil) then
    errors.raise { kind = "Failed",
      message = why and tostring(why) or "the function says no" }
  end
end

--- Ask once.
-- @tparam Instance inst
-- @tparam table probe kind, value
-- @tparam number timeout seconds
-- @raise why it does not answer
function M.ask(inst, probe, timeout)
  kinds[probe.kind](inst, probe.value, timeout)
end

return M
