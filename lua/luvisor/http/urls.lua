--- URLs: taking them apart, escapes, and what a link in a page means.
-- @local

local M = {}

local ports = { http = 80, https = 443 }

--- Take an URL apart.
-- @tparam string url
-- @treturn ?table scheme, host (a name or digits, IPv6 without brackets), port,
-- origin ("http://a:80"), path; nil: it is no http or https URL
function M.parse(url)
  local scheme, authority, rest = url:match "^(%a+)://([^/?#]*)(.*)$"
  scheme = scheme and scheme:lower()
  if not ports[scheme] or url:find "[%c ]" then return nil end
  authority = authority:match "@([^@]*)$" or authority
  local host, port = authority:match "^%[([%x:.]+)%]:?(%d*)$"
  if not host then host, port = authority:match "^([^:]+):?(%d*)$" end
  if not host then return nil end
  return {
    scheme = scheme, host = host, port = tonumber(port) or ports[scheme],
    origin = ("%s://%s"):format(scheme, authority), path = rest,
  }
end

--- Is the host a name, which has to be looked up?
-- @tparam string host
-- @treturn boolean
function M.is_name(host)
  return not host:find "^[%d.]+$" and not host:find(":", 1, true)
end

--- Where a link leads that stands at this URL.
-- @tparam string url
-- @tparam string link
-- @treturn string
function M.join(url, link)
  if link:find "^%a[%w+.-]*://" then return link end
  local at = M.parse(url)
  if link:sub(1, 2) == "//" then return at.scheme .. ":" .. link end
  if link:sub(1, 1) == "/" then return at.origin .. link end
  local path = at.path:match "^[^?#]*"
  if link:sub(1, 1) == "?" then return at.origin .. path .. link end
  local folder = path:match "^(.*/)" or "/"
  return at.origin .. folder .. link
end

local function unescape(hex)
  return string.char(tonumber(hex, 16))
end

--- Text without its %XX escapes.
-- @tparam string text
-- @treturn string
function M.decode(text)
  return (text:gsub("%%(%x%x)", unescape))
end

--- Text that may stand in a path or a query.
-- @tparam string text
-- @treturn string
function M.encode(text)
  return (text:gsub("[^%w%-._~]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

--- The names and values of a query.
-- @tparam string query "a=1&b"
-- @treturn table by name; "" for one without a value; of several the last
function M.parse_query(query)
  local values = {}
  for part in query:gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=?(.*)$"
    value = value:gsub("+", " ")
    values[M.decode(name)] = M.decode(value)
  end
  return values
end

return M
