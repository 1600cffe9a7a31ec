--- The supervisor that a command talks to: luvisor.control.client, for the one
-- that is meant, with errors that know their exit code.
-- @local

local clients = require "luvisor.control.client"
local errors = require "luvisor.error"
local json = require "luvisor.json"
local net = require "luvisor.net"
local processes = require "luvisor.process"
local target = require "luvisor.cli.target"
local task = require "luvisor.task"

local M = {}

local NO_SUCH <const> = 4

--- Seconds that a supervisor may take for what it can answer at once.
M.limit = 30

local Remote = {}
Remote.__index = Remote
Remote.__name = "luvisor.cli.remote"

--- The client of the supervisor that is meant. Nothing is asked yet.
-- @tparam table args config, socket
-- @treturn Remote
-- @raise ConfigError: its configuration does not say where it is
function M.open(args)
  local socket, config = target.socket(args)
  return setmetatable({
    _client = clients.new { socket = socket }, _config = config,
    _socket = socket,
  }, Remote)
end

-- What the supervisor itself says comes with the status of its answer.
local function is_unreachable(err)
  return err.kind == "Closed" and not err.http_status
end

-- With a configuration that is not there, that is what to say.
local function explained(self, err)
  local config = self._config
  if not config then return err.message end
  if config.errors then
    return ("no supervisor is running, and there is no configuration %s: say "
      .. "which one by -c FILE or $LUVISOR_CONFIG"):format(config.path)
  end
  return ("%s (for %s)"):format(err.message, config.path)
end

local function raise(self, err)
  if errors.is_error(err) and not err.exit_code then
    if is_unreachable(err) and err.code ~= "EACCES" then
      err.exit_code, err.message = target.NOBODY, explained(self, err)
    else
      err.exit_code = err.kind == "NotFound" and NO_SUCH or 1
    end
  end
  error(err, 0)
end

-- JSON tells an empty list from an empty object, a table does not.
local are_lists = { after = true, files = true, instances = true, keys = true,
                    killed = true, processes = true, requires = true,
                    wants = true }

local function with_lists(value)
  if type(value) ~= "table" then return value end
  for key, inner in pairs(value) do
    if are_lists[key] and type(inner) == "table" then json.list(inner) end
    with_lists(inner)
  end
  return value
end

local function checked(self, ok, first, ...)
  if not ok then raise(self, first) end
  return with_lists(first), ...
end

-- What is answered at once, by a supervisor that is well.
local is_quick = { list = true, status = true, tree = true, signal = true,
                   run_job = true, plan = true }

local function raise_silent(self)
  errors.raise { kind = "Closed", message = ("the supervisor at %s does not "
    .. "answer"):format(self._socket) }
end

-- Call a method of the client.
local function call(self, method, ...)
  local fn, client = self._client[method], self._client
  if not is_quick[method] then return fn(client, ...) end
  local is_answered, answer = task.move_on(M.limit, fn, client, ...)
  if not is_answered then raise_silent(self) end
  return answer
end

local function ask(self, method, ...)
  return checked(self, pcall(call, self, method, ...))
end

for _, method in ipairs { "status", "start", "stop", "restart", "reload",
  "signal", "scale", "run_job", "wait", "tree", "plan", "apply" }
do
  Remote[method] = function(self, ...) return ask(self, method, ...) end
end

--- The statuses of instances.
-- @tparam[opt] {string,...} names services or instances; none: all
-- @treturn {table,...} in the order of the names
-- @raise NotFound
function Remote:list(names)
  if not names or #names == 0 then return ask(self, "list") end
  local list, seen = {}, {}
  for _, name in ipairs(names) do
    for _, one in ipairs(ask(self, "status", name)) do
      if not seen[one.name] then list[#list + 1] = one end
      seen[one.name] = true
    end
  end
  return list
end

-- Who listens there; nil if that is in another namespace of pids.
local function process_of(self)
  local ok, socket = pcall(net.connect, { path = self._socket })
  if not ok then return nil end
  local _ <close> = socket
  local adopted, process = pcall(processes.adopt, socket.peer.pid)
  return adopted and process or nil
end

--- Stop all, and wait until the supervisor has ended.
-- @tparam number|boolean|nil wait seconds; false: not at all
-- @raise Timeout: it goes on
function Remote:shutdown(wait)
  local process = process_of(self)
  local function shut_down()
    ask(self, "shutdown", { wait = wait == false and 0 or nil })
    if process and wait ~= false then process:wait() end
  end
  if not wait then return shut_down() end
  if task.move_on(wait, shut_down) then return end
  errors.raise { kind = "Timeout", message =
    ("shutdown: not done after %g s; it goes on"):format(wait) }
end

-- An iterator that raises as we do, and closes what it reads from.
local Lines = {}
Lines.__index = Lines

-- A supervisor that ends breaks off what it was telling.
local function is_end(err)
  return errors.is_error(err) and err:is "IncompleteRead"
end

local function told(self, ok, first, ...)
  if not ok and is_end(first) then return nil end
  return checked(self.remote, ok, first, ...)
end

function Lines:__call()
  return told(self, pcall(self.next))
end

function Lines:__close()
  local meta = getmetatable(self.next)
  if meta and meta.__close then self.next:close() end
end

local function iterate(self, method, ...)
  local next_one = ask(self, method, ...)
  local lines = setmetatable({ remote = self, next = next_one }, Lines)
  return lines, nil, nil, lines
end

--- What a service has written: an iterator of line and instance.
-- @tparam string name
-- @tparam table opts n, follow, since
function Remote:logs(name, opts)
  return iterate(self, "logs", name, opts)
end

--- What happens: an iterator of events.
-- @tparam table opts n, follow
function Remote:events(opts)
  return iterate(self, "events", opts)
end

return M
