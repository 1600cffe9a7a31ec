--- Process: a child as scripts see it.
-- @module luvisor.process
-- @type Process

local core = require "luvisor.core.process"
local errors = require "luvisor.error"
local options = require "luvisor.process.options"
local statuses = require "luvisor.process.status"
local stopping = require "luvisor.process.stop"
local stream = require "luvisor.stream"
local task = require "luvisor.task"

local M = {}

local Process = { __name = "luvisor.Process" }

-- Handles of children that are neither waited for nor detached, with how each
-- is to be stopped when the script ends. (The Process itself may be collected.)
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

-- A child that waits until somebody reads it, while we wait for it to end,
-- never ends: say so. The pipe must be as full at two looks.
local Watcher = {}
Watcher.__index = Watcher

function Watcher:look(p)
  for _, name in ipairs { "stdout", "stderr" } do
    local r = p[name]
    local n, size, busy
    if r and not self.warned[name] then n, size, busy = r:_unread_bytes() end
    local full = n and not busy and size - n < 4096
    if full and self.seen[name] == n then
      self.warned[name] = true
      io.stderr:write(("luvisor: warning: %s (pid %d) waits until its %s is "
        .. "read: the pipe is full (read it, or use communicate)\n")
        :format(p.name, p.pid, name))
    end
    self.seen[name] = full and n
  end
end

local function has_unread_pipe(p)
  return p._waits_unread and (p.stdout or p.stderr)
end

local function wait_watching(p)
  local watcher = setmetatable({ seen = {}, warned = {} }, Watcher)
  local pause = 0.5
  while not task.move_on(pause, p._handle.wait, p._handle) do
    if not p._handle:is_running() then return end
    watcher:look(p)
    if not watcher.seen.stdout and not watcher.seen.stderr then
      pause = math.min(pause * 2, 10)
    end
  end
end

local function wait(p)
  if has_unread_pipe(p) then
    wait_watching(p)
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
  if self._handle:is_running() then
    if timeout then
      local ok = task.move_on(timeout, wait, self)
      if not ok and self._handle:is_running() then
        errors.raise {
          kind = "Timeout", seconds = timeout, argv = self.argv,
          message = ("%s (pid %d) still runs after %g s"):format(self.name,
            self.pid, timeout),
        }
      end
    else
      wait(self)
    end
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
    errors.raise {
      kind = "NoProcess", op = "signal", argv = self.argv,
      message = ("%s (pid %d) has ended: %s"):format(self.name, self.pid,
        tostring(self.status)),
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

--- End the process and its group: the signal to all, after the grace KILL to
-- those that are left. Waits until it is reaped; a cancellation does not end
-- that. Idempotent. A process that leads no group gets the signals alone.
-- @function Process:stop
-- @tparam[opt] table opts signal ("TERM"), grace (5 seconds); default: the
-- option `stop` of spawn
-- @treturn Status
function Process:stop(opts)
  if opts then
    errors.check_options("stop", opts,
      { signal = "string|integer", grace = "seconds" })
  end
  stopping.stop(self._handle, opts or self._stop, self)
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

--- Stop it if it runs, and close its streams. Twice is harmless.
-- @function Process:close
function Process:close()
  if not self._detached then self:stop() end
  for _, s in pairs { self.stdin, self.stdout, self.stderr, self.tty } do
    s:close()
  end
  for _, s in pairs(self.fds) do s:close() end
end

function Process:__close()
  self:close()
end

function Process:__gc()
  if self._detached or not live[self._handle] then return end
  if not self._handle:is_running() then
    live[self._handle] = nil
    return
  end
  io.stderr:write(("luvisor: warning: %s (pid %d), started at %s, was dropped "
    .. "while it runs; it is stopped when the script ends\n"):format(self.name,
    self.pid, self._where))
end

-- The lines of whichever stream has one; waits when neither has.
local function lines_of(sources)
  local at = 0
  return function()
    while #sources > 0 do
      for _ = 1, #sources do
        at = at % #sources + 1
        local source = sources[at]
        local line, ended = source.reader:_line_now()
        if line then
          at = at - 1 -- its next lines first, as they were written
          return source.name, line
        end
        if ended then
          table.remove(sources, at)
          at = 0
          break
        end
      end
      local first, second = sources[1], sources[2]
      if second and at ~= 0 then
        first.reader:_either(second.reader)
      elseif at ~= 0 then
        local line = first.reader:readline()
        if line then return first.name, line end
        sources[1] = nil
      end
    end
    return nil
  end
end

--- Iterate over the lines of stdout and stderr as they come.
-- @function Process:lines
-- @treturn function iterator of "stdout" or "stderr", and the line
-- @usage for source, line in p:lines() do print(source, line) end
function Process:lines()
  local sources = {}
  for _, name in ipairs { "stdout", "stderr" } do
    if self[name] then
      sources[#sources + 1] = { name = name, reader = self[name] }
    end
  end
  if #sources == 0 then
    errors.usage("lines: neither stdout nor stderr of %s is a pipe", self.name)
  end
  self._waits_unread = false
  return lines_of(sources)
end

-- Where the script called spawn: the first frame that is not luvisor's.
local function caller()
  for level = 3, 12 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and not info.short_src:find("^luvisor/") then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return "?"
end

local Terminal = { __name = "luvisor.Terminal" }

local function make_terminal(streams)
  if not streams.tty_reader then return nil end
  local tty = stream.duplex(streams.tty_reader, streams.tty_writer)
  streams.tty_reader, streams.tty_writer = nil, nil
  tty.resize = function(self, rows, cols)
    core._resize(self._writer, rows, cols)
  end
  return tty
end

M.Terminal = Terminal

local function basename(path)
  return path:match("[^/]+$") or path
end

--- Start a process from checked options.
function M.start(opts)
  local handle, streams = core._spawn(opts)
  local argv = table.move(opts, 1, #opts, 1, {})
  local p = setmetatable({
    _handle = handle, _stop = opts.stop, _where = caller(),
    _waits_unread = true,
    pid = handle:pid(), argv = argv,
    name = opts.name or basename(tostring(opts[1])),
    tty = make_terminal(streams),
    stdin = streams[0], stdout = streams[1], stderr = streams[2],
    fds = streams,
  }, Process)
  streams[0], streams[1], streams[2] = nil, nil, nil
  if opts.max_line then
    for _, s in pairs { p.stdout, p.stderr } do s.max_line = opts.max_line end
  end
  live[handle] = opts.stop or {}
  return p
end

local Adopted = { __name = "luvisor.AdoptedProcess" }

function Adopted.__index(p, key)
  return Adopted[key] or (fields[key] and fields[key](p))
end

for _, name in ipairs { "wait", "send_signal", "terminate", "kill" } do
  Adopted[name] = Process[name]
end

--- Watch a process that we did not start.
function M.adopt(pid)
  local name = "process " .. pid
  return setmetatable({ _handle = core._adopt(pid), pid = pid, name = name },
    Adopted)
end

function M.is_process(value)
  return getmetatable(value) == Process
end

M.Process = Process
M.options = options

-- What the script leaves running is stopped, all at once.
task.at_exit(function()
  task.nursery(function(n)
    for handle, how in pairs(live) do
      n:spawn(stopping.stop, handle, type(how) == "table" and how or nil)
    end
  end)
end)

return M
