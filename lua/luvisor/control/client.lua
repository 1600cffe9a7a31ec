--- Asking a running supervisor: what the command line does.
-- @module luvisor.control.client

local errors = require "luvisor.error"
local http = require "luvisor.http.client"
local json = require "luvisor.json"
local urls = require "luvisor.http.urls"

local M = {}

local LINE <const> = 256 << 20

local Client = {}
Client.__index = Client
Client.__name = "luvisor.control.client"

local spec = { socket = "string", url = "string", token = "string" }

--- Make a client. Nothing is asked yet.
-- @tparam table opts socket: the path of the control socket; or url
-- ("http://host:port") and token
-- @treturn Client
-- @usage
-- local client = require "luvisor.control.client".new { socket = "ctl.sock" }
-- local ok, err = pcall(client.list, client)
-- print(err) --> no supervisor is running: there is no socket ctl.sock
function M.new(opts)
  opts = errors.check_options("client.new", opts, spec)
  if (opts.socket == nil) == (opts.url == nil) then
    errors.usage "client.new: either socket, or url"
  end
  return setmetatable({
    _socket = opts.socket, _token = opts.token,
    _url = (opts.url or "http://localhost"):gsub("/$", ""),
  }, Client)
end

local unreachable = {
  ENOENT = "no supervisor is running: there is no socket %s",
  ENOTDIR = "no supervisor is running: there is no socket %s",
  ECONNREFUSED = "no supervisor is running: nobody answers at %s",
  EACCES = "you may not talk to the supervisor at %s: permission denied",
  ECONNRESET = "the supervisor at %s has just ended",
}

local function raise_unreachable(self, err)
  local where = self._socket or self._url
  local sentence = errors.is_error(err) and unreachable[err.code]
  if not sentence then
    if errors.is_error(err) and (err:is "IncompleteRead" or err:is "Failed")
    then
      errors.raise { kind = "Closed", cause = err, message =
        ("the supervisor at %s gave no answer"):format(where) }
    end
    error(err, 0)
  end
  errors.raise { kind = "Closed", code = err.code, subject = where,
    message = sentence:format(where) }
end

local function query_text(query)
  local parts = {}
  for name, value in pairs(query or {}) do
    if value == true then value = "1" elseif value == false then value = "0" end
    if math.type(value) == "float" then value = ("%.15g"):format(value) end
    parts[#parts + 1] = name .. "=" .. urls.encode(tostring(value))
  end
  table.sort(parts)
  return #parts > 0 and "?" .. table.concat(parts, "&") or ""
end

-- The error that the supervisor answered with, as if it had been raised here.
local function raise_answered(answer)
  local ok, told = pcall(json.decode, answer.body, { nulls = false })
  local err = ok and type(told) == "table" and told.error
  if type(err) ~= "table" or type(err.kind) ~= "string" then
    errors.raise { kind = "Failed", message =
      ("the supervisor answered %d: %s"):format(answer.status,
        answer.body:match "[^\n]*") }
  end
  err.http_status = answer.status
  errors.raise(err)
end

local function ask(self, method, path, opts)
  local request = {
    method = method, url = self._url .. path .. query_text(opts.query),
    unix = self._socket, stream = opts.stream, max = 64 << 20,
    headers = opts.headers or {},
    body = opts.body and json.encode(opts.body) or nil,
  }
  if self._token then
    request.headers.Authorization = "Bearer " .. self._token
  end
  local ok, answer = pcall(http.request, request)
  if not ok then raise_unreachable(self, answer) end
  if answer.status < 400 then return answer end
  if opts.stream then
    local _ <close> = answer.body
    answer.body = answer.body:read(1 << 20)
  end
  raise_answered(answer)
end

local function get(self, path, opts)
  return json.decode(ask(self, "GET", path, opts or {}).body,
    { nulls = false, max_size = 64 << 20 })
end

local function post(self, path, opts)
  return json.decode(ask(self, "POST", path, opts or {}).body,
    { nulls = false, max_size = 64 << 20 })
end

local function of(name, verb)
  return "/v1/services/" .. urls.encode(name) .. (verb and "/" .. verb or "")
end

--- All instances, in the order of the configuration.
-- @treturn {table,...} their statuses: name, state, pid, since, restarts, …
-- @raise Closed: no supervisor is running; and what it says (so for all)
function Client:list()
  return get(self, "/v1/services").services
end

--- The instances of a service, or one instance.
-- @tparam string name
-- @treturn {table,...}
-- @raise NotFound, with the near name
function Client:status(name)
  return get(self, of(name)).services
end

-- wait: seconds, nil: as long as it takes, false: not at all.
local function act(self, name, verb, opts, body)
  opts = errors.check_options(verb, opts, { wait = "seconds|boolean" })
  local wait = opts.wait
  if wait == true then wait = nil elseif wait == false then wait = 0 end
  return post(self, of(name, verb), { query = { wait = wait }, body = body })
    .services
end

--- Start, and wait until it is ready.
-- @tparam string name
-- @tparam[opt] table opts wait: seconds, or false: not at all
-- @treturn {table,...} its statuses then
-- @raise NotFound; Failed, which says why it is not up; Timeout: it goes on
function Client:start(name, opts)
  return act(self, name, "start", opts)
end

--- Stop, and wait until no process of it is left.
-- @tparam string name
-- @tparam[opt] table opts wait
-- @treturn {table,...}
function Client:stop(name, opts)
  return act(self, name, "stop", opts)
end

--- Stop and start.
-- @tparam string name
-- @tparam[opt] table opts wait
-- @treturn {table,...}
function Client:restart(name, opts)
  return act(self, name, "restart", opts)
end

--- Have it read its configuration again.
-- @tparam string name
-- @tparam[opt] table opts wait
-- @treturn {table,...}
function Client:reload(name, opts)
  return act(self, name, "reload", opts)
end

--- Send a signal to its main process.
-- @tparam string name
-- @param sig "HUP", "SIGHUP" or 1
-- @treturn {table,...}
-- @raise NoProcess: it does not run
function Client:signal(name, sig)
  return act(self, name, "signal", nil, { signal = sig })
end

--- Have n instances.
-- @tparam string name
-- @tparam integer n
-- @tparam[opt] table opts wait
-- @treturn {table,...}
function Client:scale(name, n, opts)
  return act(self, name, "scale", opts, { instances = n })
end

--- Run a job now.
-- @tparam string name
-- @treturn {table,...}
function Client:run_job(name)
  return act(self, name, "run")
end

--- Wait until it is in a state.
-- @tparam string name
-- @tparam[opt="ready"] string state
-- @tparam[opt] number timeout seconds
-- @treturn {table,...}
-- @raise Timeout
function Client:wait(name, state, timeout)
  return post(self, of(name, "wait"), { query = { wait = timeout },
    body = { state = state } }).services
end

local Stream = {}
Stream.__index = Stream

function Stream:__call()
  return self.next(self.body)
end

function Stream:__close()
  self.body:close()
end

Stream.close = Stream.__close

-- An iterator over an answer that comes bit by bit, to be closed.
local function stream(self, path, opts, next_one)
  local answer = ask(self, "GET", path, { query = opts.query,
    headers = opts.headers, stream = true })
  return setmetatable({ body = answer.body, next = next_one }, Stream)
end

-- Services write lines of any length.
local function next_line(body)
  local line = body:readline(LINE)
  if not line then return nil end
  local one = json.decode(line, { nulls = false, max_size = LINE })
  return one.line, one.service
end

--- What a service has written: an iterator of line and instance, with
-- `<close>`.
-- @tparam string name
-- @tparam[opt] table opts n: so many of the last lines (50); follow: go on with
-- those that come; since: only what is newer (seconds since 1970; the log needs
-- timestamps)
-- @treturn function
function Client:logs(name, opts)
  opts = errors.check_options("logs", opts, { n = "size", follow = "boolean",
    since = "number" })
  return stream(self, of(name, "logs"), {
    query = { n = opts.n, follow = opts.follow, since = opts.since },
    headers = { Accept = "application/x-ndjson" },
  }, next_line)
end

-- One of the server-sent events; their ids and types stand in the data, too.
local function next_event(body)
  for line in body:lines() do
    local data = line:match "^data: (.*)$"
    if data then return json.decode(data, { nulls = false }) end
  end
  return nil
end

--- What happens: an iterator of events, with `<close>`.
-- @tparam[opt] table opts n: so many of the last ones first (0); follow: false
-- to end after those; service: of this one alone; after: of the seq after this
-- @treturn function
-- @usage
-- local client = require "luvisor.control.client".new { socket = "ctl.sock" }
-- pcall(function()
--   for event in client:events { n = 10 } do print(event.type) end
-- end)
function Client:events(opts)
  opts = errors.check_options("events", opts, { n = "size",
    follow = "boolean", service = "string", after = "size" })
  local query = { n = opts.n, service = opts.service }
  if opts.follow == false then
    query.follow = false
    local list, i = get(self, "/v1/events", { query = query }).events, 0
    return function()
      i = i + 1
      return list[i]
    end
  end
  return stream(self, "/v1/events", { query = query,
    headers = opts.after and { ["Last-Event-ID"] = opts.after } or nil },
    next_event)
end

--- The services in their order, what each requires, and all their processes.
-- @treturn {table,...}
function Client:tree()
  return get(self, "/v1/tree").services
end

--- What `apply` would do.
-- @treturn {table,...} steps: action, service, keys
-- @raise ConfigError
function Client:plan()
  return get(self, "/v1/plan").steps
end

--- Have the configuration read again, and the least done that makes it so.
-- @tparam[opt] table opts wait
-- @treturn {table,...} the steps that were taken
-- @raise ConfigError: nothing has changed
function Client:apply(opts)
  opts = errors.check_options("apply", opts, { wait = "seconds" })
  return post(self, "/v1/apply", { query = { wait = opts.wait } }).steps
end

--- Stop all services, then the supervisor. Returns when all services have
-- stopped.
-- @tparam[opt] table opts wait
function Client:shutdown(opts)
  opts = errors.check_options("shutdown", opts, { wait = "seconds" })
  post(self, "/v1/shutdown", { query = { wait = opts.wait } })
end

--- The figures for Prometheus.
-- @treturn string
function Client:metrics()
  return ask(self, "GET", "/metrics", {}).body
end

return M
