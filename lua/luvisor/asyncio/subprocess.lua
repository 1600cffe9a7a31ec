--- asyncio's subprocesses: a Process with streams.
-- The streams are the native ones of luvisor.process: what the child writes is
-- read and fed in C.
-- @module luvisor.asyncio

local communicate = require "luvisor.process.communicate"
local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"
local processes = require "luvisor.asyncio.processes"
local readers = require "luvisor.asyncio.reader"
local spawnopts = require "luvisor.asyncio.spawnopts"
local transports = require "luvisor.asyncio.transports"
local writepipes = require "luvisor.asyncio.writepipes"
local writers = require "luvisor.asyncio.writer"

local M = {}

-- Seconds for which a pipe that others hold is read after the exit: until they
-- let go of it.
local FOR_EVER <const> = 1e9

--- A child, as create_subprocess_exec returns it.
-- @type Process
-- @tfield integer pid of the shell, if it is one
-- @tfield ?integer returncode nil while it runs; its code, or -N if signal N
-- ended it, or 255 if somebody else reaped it
-- @tfield ?StreamWriter stdin those that are pipes
-- @tfield ?StreamReader stdout
-- @tfield ?StreamReader stderr
local Process = { __name = "luvisor.asyncio.Process" }

local fields = { returncode = processes.returncode }

function Process.__index(self, key)
  local method = Process[key]
  if method ~= nil then return method end
  local field = fields[key]
  return field and field(self._process)
end

function Process:__tostring()
  return ("<Process %d>"):format(self.pid)
end

--- Wait for the process to end; any number of tasks may. It ends at the exit of
-- the process itself, not when a grandchild lets go of a pipe. Cancelling it
-- does not touch the process. (asyncio rule S7)
-- @function Process:wait
-- @treturn integer the returncode
function Process:wait()
  self._process:wait()
  return self.returncode
end

--- Send a signal; never waits.
-- @function Process:send_signal
-- @param signal "TERM", "SIGTERM" or 15
-- @raise NoProcess: it has ended
function Process:send_signal(signal)
  self._process:send_signal(signal)
end

--- send_signal "TERM".
-- @function Process:terminate
function Process:terminate()
  self._process:terminate()
end

--- send_signal "KILL".
-- @function Process:kill
function Process:kill()
  self._process:kill()
end

-- What a reader holds, or nil if there is none; what reads of it were to raise.
local function take(stream)
  if not stream then return nil end
  local err = stream:exception()
  if err ~= nil then error(err, 0) end
  return stream._r:_take()
end

--- Feed stdin and close it, read stdout and stderr to their ends, and wait for
-- the process, all at once. A broken pipe is no error. (asyncio rules S9–S11)
-- Where it ends early, by a timeout or a cancellation, the process is left
-- alone, and what was read is there for the next call.
-- @function Process:communicate
-- @tparam[opt] string input
-- @treturn ?string what stdout brought; nil if it is no pipe
-- @treturn ?string stderr
-- @raise UsageError: there is input and no stdin pipe
function Process:communicate(input)
  if input ~= nil and type(input) ~= "string" then
    errors.usage("communicate: input must be a string, got %s", type(input))
  end
  communicate.exchange(self._process, input, { linger = FOR_EVER })
  self._process:wait()
  -- A cancellation that came since would let what is taken here be lost.
  if core_task.is_cancelled() then core_task.raise_cancelled() end
  return take(self.stdout), take(self.stderr)
end

--- Stop it if it runs, with TERM and after five seconds KILL, and close its
-- streams. asyncio has no such method; with `<close>` nothing is left behind.
-- @function Process:close
function Process:close()
  self._process:close()
end

Process.__close = Process.close

-- ---- making one ----

local function make_stdin(process, transport)
  local writer = process.stdin
  if not writer then return nil end
  local pipe = writepipes.write_pipe(nil, writer, {}, transport._extra, true)
  transport._pipes[0] = pipe
  return writers.of(pipe)
end

local function make_reader(process, transport, fd, name, limit)
  local reader = process[name]
  if not reader then return nil end
  local stream = readers.of(reader, limit)
  transport._pipes[fd] = transports.direct(reader, stream, transport._extra)
  return stream
end

local function start(opts, limit)
  local process = processes.spawn(opts)
  local transport = processes.direct(process)
  return setmetatable({
    _process = process, _transport = transport, pid = process.pid,
    stdin = make_stdin(process, transport),
    stdout = make_reader(process, transport, 1, "stdout", limit),
    stderr = make_reader(process, transport, 2, "stderr", limit),
  }, Process)
end

--- Start a program. Blocks until its exec; a failed one raises, and leaves
-- nothing open.
--
-- Options are those of Python's subprocess.Popen: stdin, stdout, stderr (what
-- we have ourselves unless they are PIPE, DEVNULL, STDOUT for stderr, a
-- descriptor, a Lua file or a stream), limit (65536), cwd, env (all of the
-- environment), executable, start_new_session, process_group, pass_fds (a list
-- of descriptors or streams), close_fds, restore_signals, umask, user, group,
-- extra_groups, pipesize; and of luvisor.process: argv0, nice, limits,
-- oom_score_adj, cpu_affinity, no_new_privs, pdeathsig, cgroup, chroot, name.
-- @function asyncio.create_subprocess_exec
-- @tparam string program looked for in PATH, if it has no "/"
-- @param ... arguments: strings, numbers, path objects; then options
-- @treturn Process
-- @raise SpawnError with code, op, subject; UsageError, also for text,
-- encoding, errors, universal_newlines, bufsize, shell, preexec_fn
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local p = asyncio.create_subprocess_exec("tr", "a-z", "A-Z", {
--     stdin = asyncio.subprocess.PIPE, stdout = asyncio.subprocess.PIPE,
--   })
--   print(p:communicate "hello") --> HELLO	nil
function M.create_subprocess_exec(program, ...)
  return start(spawnopts.exec("create_subprocess_exec", spawnopts.inherited,
    program, ...))
end

--- Start a command line of /bin/sh, or of the shell that is the option
-- `executable`.
-- @function asyncio.create_subprocess_shell
-- @tparam string command
-- @tparam[opt] table options as create_subprocess_exec's
-- @treturn Process
-- @raise as create_subprocess_exec
function M.create_subprocess_shell(command, options)
  return start(spawnopts.shell("create_subprocess_shell", spawnopts.inherited,
    command, options))
end

M.Process = Process

--- Python's module of that name: PIPE, a pipe to us; DEVNULL, /dev/null;
-- STDOUT, for stderr: where stdout goes; Process, the class of what is made;
-- and the functions that make it.
M.subprocess = {
  PIPE = "pipe", DEVNULL = "null", STDOUT = "stdout", Process = Process,
  create_subprocess_exec = M.create_subprocess_exec,
  create_subprocess_shell = M.create_subprocess_shell,
}

return M
