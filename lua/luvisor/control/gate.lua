--- Is this request to be heard at all? On a Unix socket the kernel says who
-- asks. On TCP there is a token, and the Host must be ours, so that no page in
-- somebody's browser can ask by a name that it has made point at us.
-- @local

local access = require "luvisor.control.access"
local errors = require "luvisor.error"
local problems = require "luvisor.control.problems"

local M = {}

local Gate = {}
Gate.__index = Gate
Gate.__name = "luvisor.control.gate"

-- Takes as long for a wrong token as for the right one.
local function same(a, b)
  local differ = #a ~ #b
  for i = 1, #a do differ = differ | (a:byte(i) ~ (b:byte(i) or 0)) end
  return differ == 0
end

local loopback = { ["localhost"] = true, ["127.0.0.1"] = true,
                   ["[::1]"] = true }

local function is_digits(host)
  return host:find "^[%d.]+$" ~= nil or host:find "^%[[%x:.]+%]$" ~= nil
end

-- Digits are no name that somebody could make point at us.
local function is_our_host(host, tcp)
  if host == tcp.text then return true end
  local name, port = host:match "^(.*):(%d+)$"
  name, port = name or host, tonumber(port) or 80
  if port ~= tcp.port then return false end
  return loopback[name:lower()] or is_digits(name)
end

local function refuse_token(given)
  errors.raise { kind = "Unauthorized",
    headers = { ["WWW-Authenticate"] = "Bearer" },
    message = given and "the token is wrong"
      or "a token is needed: Authorization: Bearer …" }
end

local function check_tcp(self, request)
  local host = request.headers.host or ""
  if not is_our_host(host, self._tcp) then
    problems.raise("Forbidden", "the Host %q is not ours: ask %s", host,
      self._tcp.text)
  end
  local given = request.headers.authorization
  given = given and given:match "^[Bb]earer%s+(.*)$"
  if not given or not self._token or not same(given, self._token) then
    refuse_token(given)
  end
  return "the holder of the token"
end

--- Take the rules of a configuration: whom it allows what, and its token. May
-- block: it asks the user database.
-- @tparam table control
-- @treturn boolean are others admitted beside root and ourselves?
-- @raise ConfigError: then nobody else is
function Gate:take(control)
  self._token = control.token
  self._access = access.new(nil)
  self._access = access.new(control.allow)
  return self._access:admits_others()
end

--- Say which port it is: the configuration may leave it to the kernel (0).
-- @tparam integer port
function Gate:set_port(port)
  self._tcp = { text = self._tcp.text, port = port }
end

--- Who asks?
-- @tparam table request
-- @treturn string
-- @raise Unauthorized, Forbidden: nobody that we talk to
function Gate:identify(request)
  local peer = request.peer
  if not peer then return check_tcp(self, request) end
  return ("user %d, pid %d"):format(peer.uid, peer.pid)
end

--- May whoever asks do that?
-- @tparam table request
-- @tparam string verb
-- @raise Forbidden
function Gate:check(request, verb)
  local peer = request.peer
  if not peer or self._access:may(verb, peer) then return end
  problems.raise("Forbidden", "user %d may not do this (%s): control.allow in "
    .. "the configuration says who may", peer.uid, verb)
end

--- Make the gate of a socket.
-- @tparam ?table tcp where it also listens: text, port
-- @treturn Gate that admits nobody but root and ourselves
function M.new(tcp)
  return setmetatable({ _tcp = tcp, _access = access.new(nil) }, Gate)
end

return M
