--- Listening: what accepts connections.
-- @module luvisor.net

local check = require "luvisor.fs.check"
local core = require "luvisor.core.net"
local errors = require "luvisor.error"
local sockets = require "luvisor.net.socket"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

-- How many wait in the kernel to be accepted, at most; it may allow fewer.
local BACKLOG <const> = 4096
-- Seconds that another process may keep a directory locked.
local LOCKED <const> = 5

local Listener = { __name = "luvisor.Listener" }
Listener.__index = Listener

local spec = { path = sockets.where.path, host = sockets.where.host,
               port = sockets.where.port, backlog = "count",
               mode = check.permissions }

local function mode_of(opts)
  local mode = opts.mode
  if not mode then return -1 end
  if not opts.path or opts.path:sub(1, 1) == "@" then
    errors.usage("listen: mode is the mode of a Unix socket's file, "
      .. "and there is none")
  end
  return check.number(mode)
end

local function addresses_of(opts)
  if opts.path then return { core.unix_address(opts.path, "listen") } end
  local list, seen = {}, {}
  for _, address in ipairs(core.resolve(opts.host, opts.port)) do
    if not seen[address] then list[#list + 1] = address end
    seen[address] = true
  end
  return list
end

-- What stands in the way goes by itself: see _listen.
local function listen(addresses, backlog, mode)
  local deadline, pause = time.now() + LOCKED, 0.001
  repeat
    local listener = core._listen(addresses, backlog, mode)
    if listener then return listener end
    task.sleep(pause)
    pause = math.min(2 * pause, 0.05)
  until time.now() > deadline
  errors.raise { kind = "OSError", code = "EAGAIN", op = "listen", message =
    "listen: another process keeps the directory locked (EAGAIN)" }
end

--- Listen for connections. Waits only for a host's name to be resolved.
-- @tparam table opts either `path`, of a Unix socket, or "@name" for an
-- abstract one, and `mode`, its permissions (a number or octal digits, as
-- "600"; default: what umask leaves); or `port` (0: any that is free) and
-- `host`, a name or digits (default: every address of the machine). `backlog`:
-- how many connections may wait for accept, 4096; the kernel allows no more
-- than net.core.somaxconn.
-- @treturn Listener
-- @raise OSError: EADDRINUSE if somebody listens there, or if the path is a
-- file that is no socket; a socket file on which nobody listens is replaced
-- @usage
-- local listener <close> = net.listen { path = "socket" }
-- local n = task.spawn(function()
--   local conn <close> = listener:accept()
--   return #conn:read()
-- end)
-- local conn <close> = net.connect { path = "socket" }
-- conn:write("four")
-- conn:write_eof()
-- print(n:join()) --> 4
function M.listen(opts)
  sockets.check("listen", opts, spec)
  local mode = mode_of(opts)
  local backlog = math.min(opts.backlog or BACKLOG, 0x7fffffff)
  local listener = listen(addresses_of(opts), backlog, mode)
  local addresses = listener:addresses()
  return setmetatable({
    _core = listener, address = addresses[1], addresses = addresses,
  }, Listener)
end

--- A listening socket, or several of one host. Calling it is accepting, until
-- it is closed: `for conn in listener do`. It has `<close>`.
-- @type Listener
-- @tfield Address address where it listens, with the real port
-- @tfield {Address,...} addresses all of them, where a host has several

--- Wait for a connection. Any number of tasks may; the first that came gets
-- the first. Those that nobody has accepted wait in the kernel, so cancelling
-- this loses none. Where the process has no descriptor left it waits for one.
-- @treturn Socket
-- @raise Closed, OSError
function Listener:accept()
  local socket = self()
  if socket then return socket end
  errors.raise { kind = "Closed", op = "accept", message =
    ("accept: the listener on %s is closed"):format(self.address) }
end

function Listener:__call()
  return sockets.new(self._core:accept())
end

-- For a supervisor: the descriptors, to be passed to programs that accept.
function Listener:_share()
  return self._core:share()
end

--- Stop listening; who waits for a connection gets Closed, a loop ends. The
-- file of a Unix socket is removed, if it is still ours. Accepted connections
-- go on, others are refused. Twice is harmless.
function Listener:close()
  self._core:close()
end

Listener.__close = Listener.close

function Listener:__tostring()
  return ("listener (%s)"):format(self.address)
end

return M
