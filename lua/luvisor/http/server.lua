--- Being an HTTP server: each request is a task.
-- @module luvisor.http

local answering = require "luvisor.http.answer"
local check = require "luvisor.fs.check"
local core = require "luvisor.core.http"
local errors = require "luvisor.error"
local net = require "luvisor.core.net"
local sockets = require "luvisor.net.socket"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

-- Seconds that another process may keep a directory locked.
local LOCKED <const> = 5

local limits = {
  max_connections = 1024, max_head = 32 << 10, max_body = 1 << 20,
  max_bodies = 16 << 20, receive = 30, stall = 30,
}

local place_spec = { path = sockets.where.path, host = sockets.where.host,
                     port = sockets.where.port, mode = check.permissions,
                     backlog = "count" }

local serve_spec = {
  max_connections = "count", max_head = "count", max_body = "size",
  max_bodies = "size", receive = "seconds", stall = "seconds",
  grace = "seconds", on_error = "function", refuse = "function",
}
for name, kind in pairs(place_spec) do serve_spec[name] = kind end

local Server = { __name = "luvisor.http.Server" }
Server.__index = Server

local function addresses_of(place)
  if place.path then return { net.unix_address(place.path, "listen") } end
  return net.resolve(place.host, place.port)
end

-- Another process that listens anew in the same directory is soon done.
local function listen_at(server, address, place)
  local mode = place.path and place.mode and check.number(place.mode) or -1
  local deadline, pause = time.now() + LOCKED, 0.001
  repeat
    local at = server:listen(address, place.backlog or 4096, mode)
    if at then return at end
    task.sleep(pause)
    pause = math.min(2 * pause, 0.05)
  until time.now() > deadline
  errors.raise { kind = "OSError", code = "EAGAIN", op = "listen", message =
    "listen: another process keeps the directory locked (EAGAIN)" }
end

-- A host may have addresses that no interface has; one is enough.
local function listen(server, place)
  local first, failure
  for _, address in ipairs(addresses_of(place)) do
    local ok, at = pcall(listen_at, server, address, place)
    first = first or ok and at or nil
    failure = failure or not ok and at or nil
    if place.port == 0 and first then break end
  end
  return first or error(failure, 0)
end

--- Listen at a further place: as for `serve` path, or host and port; mode,
-- backlog. Four addresses in all.
-- @tparam table place
-- @treturn Address
-- @raise OSError
function Server:listen(place)
  sockets.check("listen", place, place_spec)
  local at = listen(self._core, place)
  self.addresses[#self.addresses + 1] = at
  self.address = self.address or at
  return at
end

local function run(self)
  local _ <close> = setmetatable({}, { __close = function()
    self._core:close()
  end })
  task.nursery(function(nursery)
    self._nursery = nursery
    local raw = self._core:next()
    while raw do
      nursery:spawn(answering.answer, self, raw)
      raw = self._core:next()
    end
  end)
end

local function limits_of(opts)
  local all = {}
  for name, default in pairs(limits) do all[name] = opts[name] or default end
  return all
end

--- A server that listens nowhere yet. spawn: makes the task that it runs in.
-- @local
function M.open(opts, handler, spawn)
  local self = setmetatable({
    _core = core.server(limits_of(opts)), handler = handler, addresses = {},
    on_error = opts.on_error or answering.print_error,
    refuse = opts.refuse or answering.refuse, _grace = opts.grace or 1,
  }, Server)
  self._task = spawn(run, self)
  return self
end

--- Serve: from now on each request is a task, in the nursery of the caller,
-- that calls the handler. Should its client leave, the task is cancelled.
--
-- The handler gets a request: `method`, `path` (without escapes), `segments`
-- (of the path, a list), `query` (a table), `target` (path and query as they
-- were sent), `headers` (by name in lower case), `body`, `version`, and `peer`
-- (pid, uid, gid, groups; nil but on a Unix socket). It returns a string, or a
-- table: `status` (200), `headers` {name = value}, `body`, a string, or
-- `chunks`, an iterator that may wait and may have `__close`: what it returns
-- is sent at once, but no faster than the client reads; `patient`, true for no
-- `stall`: the client may stop reading for as long as it likes. An error
-- becomes a 500.
-- @tparam table opts where: `path`, with `mode`, or `host` and `port`, as for
-- net.listen; `max_connections` (1024; further ones wait), `max_head` (32 KiB),
-- `max_body` (1 MiB), `max_bodies` (16 MiB: of all that are being received);
-- `receive`, seconds for a whole request to come, also for the first byte of
-- the next (30); `stall`, seconds that a client may take nothing of its answer
-- (30); `grace`, seconds that `close` waits for answers under way (1);
-- `on_error`, called with what a handler raised, and the request; `refuse`,
-- called with request and status (413, 503) when a body is too large, makes the
-- answer
-- @tparam function handler
-- @treturn Server to be closed; its address is `address`
-- @raise OSError; UsageError
-- @usage
-- local server <close> = http.serve({ path = "socket" }, function(request)
--   local n = 0
--   return { headers = { ["Content-Type"] = "text/plain" }, chunks = function()
--     n = n + 1
--     return n <= 3 and ("%s %d\n"):format(request.query.word, n) or nil
--   end }
-- end)
-- io.write(http.get("http://localhost/?word=line", { unix = "socket" }).body)
-- --> line 1, line 2, line 3
function M.serve(opts, handler)
  sockets.check("http.serve", opts, serve_spec)
  if type(handler) ~= "function" then
    errors.usage("http.serve: expected a function, got %s", type(handler))
  end
  local self = M.open(opts, handler, task.spawn)
  local ok, err = pcall(function()
    self:listen { path = opts.path, host = opts.host, port = opts.port,
                  mode = opts.mode, backlog = opts.backlog }
  end)
  if ok then return self end
  self:close()
  error(err, 0)
end

--- How many clients are connected.
-- @treturn integer
function Server:connections()
  return self._core:connections()
end

--- Listen no more, wait a moment (`grace`) for answers under way, and close all
-- connections. Waits; twice is harmless. Not for a handler, which it would wait
-- for.
function Server:close()
  self._core:stop()
  task.shield(function()
    local ended = task.move_on(self._grace, self._task.join, self._task)
    if not ended and self._nursery then self._nursery:cancel() end
    if not ended then self._task:join() end
  end)
end

Server.__close = Server.close

return M
