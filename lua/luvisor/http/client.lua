--- Asking HTTP servers.
-- @module luvisor.http

local bodies = require "luvisor.http.body"
local curl = require "luvisor.core.curl"
local errors = require "luvisor.error"
local resolver = require "luvisor.core.net"
local task = require "luvisor.task"
local urls = require "luvisor.http.urls"

local M = {}

local MAX <const> = 16 << 20
-- Seconds between two looks at a full backlog, the first and the longest.
local PAUSE <const>, LONGEST_PAUSE <const> = 0.001, 0.05

local function is_token(v)
  return type(v) == "string" and v:find "^[%w!#$%%&'*+.^_`|~-]+$" ~= nil,
    "a word"
end

local function is_line(v)
  local kind = type(v)
  return (kind == "string" or kind == "number")
    and not tostring(v):find "[\r\n%z]"
end

local function are_headers(v)
  if type(v) ~= "table" then return false, "a table of names and values" end
  for name, value in pairs(v) do
    if not is_token(name) or not is_line(value) then
      return false, ("a table of names and values, each of one line, not %q")
        :format(tostring(name))
    end
  end
  return true
end

local function is_url(v)
  return type(v) == "string" and urls.parse(v) ~= nil,
    "an URL as \"http://127.0.0.1:8000/\""
end

local function is_path(v)
  return type(v) == "string" and v ~= "" and not v:find("\0", 1, true),
    "the path of a Unix socket"
end

local get_spec = {
  headers = are_headers, timeout = "seconds", unix = is_path, max = "size",
  redirects = "size", ca = "string", insecure = "boolean", stream = "boolean",
}

local request_spec = { url = is_url, method = is_token, body = "string" }
for name, kind in pairs(get_spec) do request_spec[name] = kind end

-- The name is looked up by us: libcurl would do it in a thread that cannot be
-- called back.
local function resolved(at)
  if not urls.is_name(at.host) then return nil end
  return curl.resolved(at.host, at.port, resolver.resolve(at.host, at.port))
end

local function header_lines(headers)
  local lines = { "Expect:" } -- curl would wait for a 100 Continue
  for name, value in pairs(headers or {}) do
    local text = tostring(value)
    lines[#lines + 1] = text == "" and name .. ";" or name .. ": " .. text
  end
  return lines
end

local function open(request)
  return curl.open {
    method = request.method, url = request.url, body = request.body,
    headers = header_lines(request.headers), path = request.unix,
    resolved = not request.unix and resolved(urls.parse(request.url)) or nil,
    ca = request.ca, insecure = request.insecure,
  }
end

local function parse_head(text)
  local headers = {}
  for line in text:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:%s]+):%s*(.-)%s*$"
    if name then
      name = name:lower()
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return headers
end

-- The answer without its body, and the transfer that has it.
local function ask_once(request)
  local transfer = open(request)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then transfer:close() end
  end })
  local status, head = transfer:head()
  return { status = status, headers = parse_head(head), url = request.url },
    transfer
end

-- Who listens at a Unix socket may be busy: the kernel tells nobody when it is
-- not any more.
local function ask_patiently(request)
  local pause = PAUSE
  while true do
    local answer, transfer = nil, nil
    local ok, err = pcall(function() answer, transfer = ask_once(request) end)
    if ok then return answer, transfer end
    if not (request.unix and errors.is_error(err) and err:is "EAGAIN") then
      error(err, 0)
    end
    task.sleep(pause)
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
end

local redirecting = { [301] = true, [302] = true, [303] = true, [307] = true,
                      [308] = true }

-- The request that a redirection asks for; nil: it is an answer.
local function redirected(request, answer)
  local link = answer.headers.location
  if not redirecting[answer.status] or not link then return nil end
  local url = urls.join(request.url, link)
  local to = urls.parse(url)
  if not to then return nil end
  local next_one = {}
  for key, value in pairs(request) do next_one[key] = value end
  next_one.url = url
  local keeps = answer.status > 303 or request.method == "HEAD"
  if not keeps then next_one.method, next_one.body = "GET", nil end
  if to.origin ~= urls.parse(request.url).origin then
    next_one.headers = {}
    for name, value in pairs(request.headers or {}) do
      local secret = name:lower() == "authorization" or name:lower() == "cookie"
      next_one.headers[name] = not secret and value or nil
    end
  end
  return next_one
end

local function ask(request)
  for _ = 1, request.redirects or 0 do
    local answer, transfer = ask_patiently(request)
    local next_one = redirected(request, answer)
    if not next_one then return answer, transfer end
    transfer:close()
    request = next_one
  end
  return ask_patiently(request)
end

local function fetch(request)
  local answer, transfer = ask(request)
  local body = bodies.new(transfer)
  answer.body = body
  if request.stream then return answer end
  local _ <close> = body
  answer.body = body:read(request.max or MAX)
  return answer
end

--- Make a request and wait for the answer, whatever its status is. A connection
-- is made for each; proxies of the environment are not used.
-- @tparam table request `url`; `method` ("GET"); `headers` {name = value};
-- `body`, a string; `timeout`, seconds for all of it, with `stream` until the
-- head has come; `unix`, the path of a Unix socket to ask instead of the URL's
-- host, or "@name" for an abstract one; `max`, bytes that the body may have,
-- 16 MiB; `redirects`, how many of them are followed, 0; `ca`, a file of
-- certificates to trust; `insecure`, true to trust any; `stream`, true to read
-- the body bit by bit
-- @treturn table status, headers (by name in lower case), body (a string, with
-- `stream` a Body, to be closed), url (after redirections)
-- @raise Timeout; OSError (op "connect" or "resolve", code "ECONNREFUSED");
-- Failed: no HTTP is spoken there, a certificate is not trusted;
-- IncompleteRead: the connection was lost; LimitOverrun; UsageError
-- @usage
-- local server <close> = http.serve({ path = "socket" }, function(request)
--   return { status = 201, body = request.body:upper() }
-- end)
-- local answer = http.request {
--   method = "POST", url = "http://localhost/it", body = "made",
--   unix = "socket", timeout = 5,
-- }
-- print(answer.status, answer.body) --> 201	MADE
function M.request(request)
  if type(request) ~= "table" then
    errors.usage("http.request: expected a table with url, got %s",
      type(request))
  end
  errors.check_options("http.request", request, request_spec)
  if not request.url then errors.usage "http.request: url is missing" end
  local one = {}
  for key, value in pairs(request) do one[key] = value end
  one.method = request.method or "GET"
  if not one.timeout then return fetch(one) end
  local answer
  local in_time = task.move_on(one.timeout, function() answer = fetch(one) end)
  if in_time then return answer end
  errors.raise { kind = "Timeout", seconds = one.timeout, subject = one.url,
    message = ("%s %s: no answer within %g s"):format(one.method, one.url,
      one.timeout) }
end

--- Ask for what is at an URL.
-- @tparam string url
-- @tparam[opt] table opts as for `request`: headers, timeout, unix, max, …
-- @treturn table status, headers, body, url
-- @raise as `request`
function M.get(url, opts)
  errors.check_options("http.get", opts, get_spec)
  local request = { url = url }
  for key, value in pairs(opts or {}) do request[key] = value end
  if not is_url(url) then
    errors.usage("http.get: expected %s, got %s", select(2, is_url(url)),
      tostring(url))
  end
  return M.request(request)
end

return M
