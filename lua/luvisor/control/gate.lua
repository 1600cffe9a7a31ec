--- Is this request to be heard at all? On a Unix socket the kernel says who
-- asks. On TCP there is a token, and the Host must be ours, so that no page in
-- somebody's browser can ask by a name that it has made point at us.
-- @local

local access = require "luvisor.control.access"
local problems = require "luvisor.control.problems"

local M = {}

-- Takes as long for a wrong token as for the right one.
local function same(a, b)
  local differ = #a ~ #b
  for i = 1, #a do differ = differ | (a:byte(i) ~ (b:byte(i) or 0)) end
  return differ == 0
end

local loopback = { ["localhost"] = true, ["127.0.0.1"] = true, ["[::1]"] = true }

local function is_digits(host)
  return host:find "^[%d.]+$" ~= nil or host:find "^%[[%x:.]+%]$" ~= nil
end

local function is_our_host(host, tcp)
  if host == tcp.text then return true end
  local name, port = host:match "^(.*):(%d+)$"
  name, port = name or host, tonumber(port) or 80
  if port ~= tcp.port then return false end
  return loopback[name:lower()] or is_digits(name)
end

local function check_tcp(control, request)
  local host = request.headers.host or ""
  if not is_our_host(host, control.tcp) then
    problems.raise("Forbidden", "the Host %q is not ours: ask %s", host,
      control.tcp.text)
  end
  local given = (request.headers.authorization or ""):match "^[Bb]earer%s+(.*)$"
  if given and same(given, control.token) then return "the holder of the token" end
  problems.raise("Unauthorized", given and "the token is wrong"
    or "a token is needed: Authorization: Bearer …")
end

local known = setmetatable({}, { __mode = "k" })

--- The rules that a configuration has.
-- @tparam table control
-- @treturn Access
function M.rules(control)
  known[control] = known[control] or access.new(control.allow)
  return known[control]
end

--- Let a request pass, or raise why not.
-- @tparam table control of the configuration
-- @tparam table request
-- @tparam string verb
-- @treturn string who it is
-- @raise Unauthorized, Forbidden
function M.check(control, request, verb)
  local peer = request.peer
  if not peer then return check_tcp(control, request) end
  if not M.rules(control):may(verb, peer) then
    problems.raise("Forbidden", "user %d may not do this (%s): control.allow in "
      .. "the configuration says who may", peer.uid, verb)
  end
  return ("user %d, pid %d"):format(peer.uid, peer.pid)
end

return M
