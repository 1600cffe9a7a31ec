--- One request: what the handler is told, and sending what it answers.
-- @local

local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"
local urls = require "luvisor.http.urls"

local M = {}

local TEXT <const> = "text/plain; charset=utf-8"

-- Its path with escapes, and its query. The whole URL is allowed (RFC 9112).
local function split(target)
  target = target:gsub("^%a[%w+.-]*://[^/?]*", "")
  local path, query = target:match "^([^?]*)%??(.*)$"
  return path == "" and "/" or path, query
end

-- raw: the request's own object; nil: its client has left.
local function describe(raw)
  local request = raw:info()
  if not request then return nil end
  local path, query = split(request.target)
  request.path, request.segments = urls.decode(path), {}
  for segment in path:gmatch "[^/]+" do
    table.insert(request.segments, urls.decode(segment))
  end
  request.query = urls.parse_query(query)
  return request
end

local function checked(response)
  if type(response) == "string" then response = { body = response } end
  if type(response) ~= "table" then
    errors.usage("http: the handler must return an answer, a table or a "
      .. "string, not %s", type(response))
  end
  return response
end

-- What the handler answers, or a 500: nobody else need know why.
local function respond(server, request)
  if request.refused then return server.refuse(request, request.refused) end
  local ok, response = xpcall(function()
    return checked(server.handler(request))
  end, core_task.keep_traceback)
  if ok then return response end
  server.on_error(response, request)
  return { status = 500, body = "internal error\n" }
end

local function header_list(headers, has_type)
  local list = {}
  for name, value in pairs(headers) do
    has_type = has_type or name:lower() == "content-type"
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      list[#list + 1] = name
      list[#list + 1] = tostring(one)
    end
  end
  if has_type then return list end
  list[#list + 1] = "Content-Type"
  list[#list + 1] = TEXT
  return list
end

local Closing = {}

function Closing:__close()
  local meta = getmetatable(self.what)
  if type(meta) == "table" and meta.__close then meta.__close(self.what) end
end

local function send(raw, request, response)
  local status, chunks = response.status or 200, response.chunks
  local _ <close> = setmetatable({ what = chunks }, Closing)
  local bare = status == 204 or status == 304
  local headers = header_list(response.headers or {}, bare)
  raw:answer(status, headers, not chunks and (response.body or "") or nil,
    response.patient)
  if chunks and request.method ~= "HEAD" then
    for chunk in chunks do raw:write(chunk) end
  end
  raw:finish()
end

--- Answer a request: the body of its task.
-- @tparam Server server handler, on_error, refuse
-- @param raw the request's own object
function M.answer(server, raw)
  local _ <close> = raw
  raw:attach()
  local request = describe(raw)
  if not request then return end
  local response = respond(server, request)
  local ok, err = xpcall(send, core_task.keep_traceback, raw, request, response)
  if not ok and not raw:is_over() then server.on_error(err, request) end
end

--- What becomes of a handler's error if nobody says otherwise.
function M.print_error(err, request)
  io.stderr:write(("luvisor: %s %s: %s\n%s\n"):format(request.method,
    request.target, tostring(err),
    type(err) == "table" and err.traceback or ""))
end

--- … and of a body that is too large.
function M.refuse(_, status)
  return { status = status,
    body = status == 413 and "the body is too large\n" or "too busy\n" }
end

return M
