--- A child, as `process.spawn` returns it.
-- @module luvisor.process
-- @type Process
-- @tfield integer pid
-- @tfield {string,...} argv
-- @tfield string name what it is called in messages
-- @tfield ?Writer stdin those that are pipes
-- @tfield ?Reader stdout
-- @tfield ?Reader stderr
-- @tfield table fds by number: a Reader or a Writer
-- @tfield ?Duplex tty with `pty`: Reader and Writer in one, and
-- `tty:resize(rows, cols)`
-- @tfield ?Status status nil while it runs
-- @tfield ?integer returncode 0 to 255, or -N if signal N ended it; nil while
-- it runs

local caller = require "luvisor.caller"
local core = require "luvisor.core.process"
local errors = require "luvisor.error"
local lines = require "luvisor.process.lines"
local statuses = require "luvisor.process.status"
local stopping = require "luvisor.process.stop"
local stream = require "luvisor.stream"
local task = require "luvisor.task"
local unread = require "luvisor.process.unread"

local M = {}

local Process = { __name = "luvisor.Process" }

-- Handles of children that are neither waited for nor detached, with how each
-- is to be stopped when the script ends. (The Process itself may be collected,
-- but for one whose own stop function wants it: {fn, process}.)
local live = {}

local fields = {
  status = function(p)
    local status = p._handle:status()
    if not status then return nil end
    p.status = statuses.status(status)
    return p.status
  end,
  returncode = function(p) return p.status and p.status.returncode end,
}

function Process.__index(p, key)
  local method = Process[key]
  if method ~= nil then return method end
  local field = fields[key]
  return field and field(p)
end

function Process.__tostring(p)
  return ("process %d (%s, %s)"):format(p.pid, p.name,
    p.status and tostring(p.status) or "running")
end

local function wait(p)
  if p._waits_unread and (p.stdout or p.stderr) then
    unread.wait(p)
  else
    p._handle:wait()
  end
end

--- Wait for the process to end; any number of tasks may. It ends at the exit of
-- the process itself, not when a grandchild lets go of a pipe. A full pipe that
-- nobody reads is warned of. (asyncio rule S7)
-- @function Process:wait
-- @tparam[opt] number timeout seconds
-- @treturn Status ok, code, signal, core, returncode, rusage, duration
-- @raise Timeout: the process goes on
function Process:wait(timeout)
  if timeout and self._handle:is_running() then
    local ok = task.move_on(timeout, wait, self)
    if not ok and self._handle:is_running() then
      errors.raise {
        kind = "Timeout", seconds = timeout, argv = self.argv,
        message = ("%s (pid %d) still runs after %g s"):format(self.name,
          self.pid, timeout),
      }
    end
  elseif self._handle:is_running() then
    wait(self)
  end
  live[self._handle] = nil
  return self.status
end

--- Send a signal, to the process or to its group. Never waits.
-- @function Process:send_signal
-- @param sig "TERM", "SIGTERM" or 15
-- @tparam[opt] string whom "group"
-- @raise NoProcess once it ended
function Process:send_signal(sig, whom)
  if whom ~= nil and whom ~= "group" then
    errors.usage("send_signal: whom is \"group\" or nothing, got %s",
      tostring(whom))
  end
  if not self._handle:signal(sig, whom == "group") then
    local how = self.status and ": " .. tostring(self.status) or ""
    errors.raise {
      kind = "NoProcess", op = "signal", argv = self.argv,
      message = ("%s (pid %d) has ended%s"):format(self.name, self.pid, how),
    }
  end
end

--- send_signal "TERM".
-- @function Process:terminate
function Process:terminate()
  self:send_signal "TERM"
end

--- send_signal "KILL".
-- @function Process:kill
function Process:kill()
  self:send_signal "KILL"
end

-- What the call says, over what spawn was told.
local function how_to_stop(default, opts)
  if not opts then return default end
  stopping.check("stop", opts)
  if type(default) ~= "table" then default = {} end
  return { signal = opts.signal or default.signal,
           grace = opts.grace or default.grace }
end

--- End the process and its group: the signal to all, after the grace KILL to
-- those that are left. Waits until it is reaped; a cancellation does not end
-- that. Idempotent. A process that leads no group gets the signals alone.
-- @function Process:stop
-- @tparam[opt] table opts signal ("TERM"), grace (5 seconds); default: the
-- option `stop` of spawn
-- @treturn Status
function Process:stop(opts)
  stopping.stop(self._handle, how_to_stop(self._stop, opts), self)
  live[self._handle] = nil
  return self.status
end

--- Let it live on after the script.
-- @function Process:detach
function Process:detach()
  self._handle:detach()
  self._detached = true
  live[self._handle] = nil
end

local stream_names <const> = { "stdin", "stdout", "stderr", "tty" }

local function close_streams(p)
  for _, name in ipairs(stream_names) do
    if p[name] then p[name]:close() end
  end
  for _, s in pairs(p.fds) do s:close() end
end

-- What closing needs is made when there is memory for it.
local Closer = { __close = function(self) close_streams(self.process) end }

--- Stop it if it runs, and close its streams. Twice is harmless.
-- @function Process:close
function Process:close()
  local _ <close> = self._closer
  if not self._detached then self:stop() end
end

function Process:__close()
  self:close()
end

function Process:__gc()
  if self._detached or self._is_killed or not live[self._handle] then return end
  if not self._handle:is_running() then
    live[self._handle] = nil
    return
  end
  io.stderr:write(("luvisor: warning: %s (pid %d), started at %s, was dropped "
    .. "while it runs; it is stopped when the script ends\n"):format(self.name,
    self.pid, self._where))
end

--- The streams that carry its output, as {name =, reader =}.
-- What a terminal shows is its stdout.
-- @local
function M.sources(p)
  local sources = {}
  for _, name in ipairs { "stdout", "stderr" } do
    local reader = p[name]
    if not reader and name == "stdout" then reader = p.tty and p.tty._reader end
    if reader then sources[#sources + 1] = { name = name, reader = reader } end
  end
  return sources
end

--- Iterate over the lines of stdout and stderr as they come.
-- @function Process:lines
-- @treturn function iterator of "stdout" or "stderr", and the line
-- @usage
-- local p <close> = process.spawn { "ls", "/", stdout = "pipe" }
-- for source, line in p:lines() do print(source, line) end
function Process:lines()
  local sources = M.sources(self)
  if #sources == 0 then
    errors.usage("lines: neither stdout nor stderr of %s is a pipe", self.name)
  end
  self._waits_unread = false
  return lines.iterate(sources)
end

local function make_terminal(streams)
  if not streams.tty_reader then return nil end
  local tty = stream.duplex(streams.tty_reader, streams.tty_writer)
  streams.tty_reader, streams.tty_writer = nil, nil
  tty.resize = function(self, rows, cols)
    core._resize(self._writer, rows, cols)
  end
  return tty
end

--- Start a process from checked options.
-- @tparam table opts
-- @tparam[opt] boolean owned the caller ends it; if that fails, too, so that it
-- is dropped while it runs, it is killed
-- @local
function M.start(opts, owned)
  stopping.check("spawn: stop", opts.stop)
  local handle, streams = core._spawn(opts)
  local stop = opts.stop
  local p = setmetatable({
    _handle = handle, _stop = stop, _where = not owned and caller() or nil,
    _waits_unread = true,
    pid = handle:pid(), argv = table.move(opts, 1, #opts, 1, {}),
    name = opts.name or tostring(opts[1]):match("[^/]+$") or opts[1],
    tty = make_terminal(streams),
    stdin = streams[0], stdout = streams[1], stderr = streams[2],
    fds = streams,
  }, Process)
  streams[0], streams[1], streams[2] = nil, nil, nil
  p._closer = setmetatable({ process = p }, Closer)
  if not owned then
    live[handle] = type(stop) == "function" and { stop, p } or stop or true
  end
  return p
end

--- What `process.adopt` returns: pid, name, status, returncode, and wait,
-- send_signal, terminate and kill as a Process has them.
-- @type Adopted

local Adopted = { __name = "luvisor.AdoptedProcess" }

function Adopted.__index(p, key)
  return Adopted[key] or (fields[key] and fields[key](p))
end

for _, name in ipairs { "wait", "send_signal", "terminate", "kill",
                        "__tostring" } do
  Adopted[name] = Process[name]
end

--- Let go of it: it is not ours to stop.
-- @function Adopted:close
function Adopted:close()
  self._handle:close()
end

Adopted.__close = Adopted.close

--- Watch a process that we did not start.
-- @local
function M.adopt(pid)
  return setmetatable({ _handle = core._adopt(pid), pid = pid,
                        name = "process " .. pid }, Adopted)
end

M.Process = Process

local function stop_left(handle, how)
  if how == true then
    stopping.stop(handle)
  elseif how[2] then
    stopping.stop(handle, how[1], how[2])
  else
    stopping.stop(handle, how)
  end
end

-- What the script leaves running is stopped, all at once.
task.at_exit(function()
  task.nursery(function(n)
    for handle, how in pairs(live) do n:spawn(stop_left, handle, how) end
  end)
end)

return M
