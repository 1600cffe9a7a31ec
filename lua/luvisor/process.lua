--- Processes: starting them, talking to them, waiting for their end.
-- @module luvisor.process
-- @usage
-- local process = require "luvisor.process"
-- print(process.capture { "uname", "-s" })
-- local p <close> = process.spawn { "sleep", "60" }
-- p:terminate()
-- print(p:wait()) --> killed by TERM

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local pipelines = require "luvisor.process.pipeline"
local protocols = require "luvisor.process.protocol"
local runs = require "luvisor.process.run"
local task = require "luvisor.task"
local words = require "luvisor.words"

local M = {}

--- For stdin, stdout, stderr: a pipe to us.
M.PIPE = "pipe"
--- For stderr: where stdout goes.
M.STDOUT = "stdout"
--- /dev/null.
M.DEVNULL = "null"
--- What we have ourselves.
M.INHERIT = "inherit"

--- Start a command and return at once. A process neither waited for nor
-- detached is stopped and reaped when the script ends. Blocks until the exec.
-- @tparam table opts argv as the list part, or shell; and the options of the
-- guide's table (stdin "null", stdout and stderr "inherit")
-- @treturn Process
-- @raise SpawnError with code, op, subject, argv
-- @usage local p = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
function M.spawn(opts)
  local checked = options.check_spawn("process.spawn", opts)
  if opts.protocol then protocols.check(opts.protocol) end
  local p = handles.start(checked)
  if opts.protocol then protocols.attach(p, opts.protocol) end
  return p
end

--- Start one from options that were checked before, for a caller who ends it.
-- @local
function M._start(opts)
  return handles.start(opts, true)
end

M.run = runs.run
M.capture = runs.capture
M.pipeline = pipelines.pipeline

--- Watch a process that we did not start: wait, send_signal, terminate, kill,
-- pid. Its status has a code only if it is our child.
-- @tparam integer pid
-- @treturn Process
-- @raise NoProcess; OSError (ENOSYS) where the kernel has no pidfds
function M.adopt(pid)
  return handles.adopt(pid)
end

local map_options = {
  jobs = "count", keep_order = "boolean", fail_fast = "boolean",
  retry = "table", progress = "function",
}

local function run_item(fn, item, index, retry)
  local opts = fn(item, index)
  if retry then return task.retry(retry, runs.run, opts) end
  return runs.run(opts)
end

--- Run a command for each item, a number of them at once.
-- @tparam table list
-- @tparam function fn called with item and index; returns run's options
-- @tparam[opt] table opts jobs (the number of processors); keep_order (true:
-- results stand as the items, false: as they come); fail_fast (true: the first
-- error ends all, false: the error stands in place of its result); retry as
-- task.retry's; progress: called with done, total, item, result
-- @treturn {Result,...}
-- @raise as run
function M.map(list, fn, opts)
  if type(list) ~= "table" or type(fn) ~= "function" then
    errors.usage("process.map: takes a list and a function, got %s and %s",
      type(list), type(fn))
  end
  opts = errors.check_options("process.map", opts or {}, map_options)
  local results, done = {}, 0
  local function each(item, index)
    local ok, result = true
    if opts.fail_fast == false then
      ok, result = pcall(run_item, fn, item, index, opts.retry)
    else
      result = run_item(fn, item, index, opts.retry)
    end
    done = done + 1
    results[opts.keep_order == false and done or index] = result
    if opts.progress then opts.progress(done, #list, item, result, ok) end
  end
  task.map(list, each, { jobs = opts.jobs or core_os.processors() })
  return results
end

--- Quote for a shell: a string as one word, a list as one line.
-- @function quote
-- @tparam string|table words
-- @treturn string
M.quote = words.quote

--- Split a line into words as a shell does; nothing is expanded.
-- @function split
-- @tparam string line
-- @treturn {string,...}
-- @raise UsageError for an unfinished quote
M.split = words.split

--- Where a program is, as found in PATH.
-- @tparam string name
-- @tparam[opt] string path directories with ":" between them; our PATH
-- @treturn string|nil its path; nil if there is none
function M.which(name, path)
  if type(name) ~= "string" then
    errors.usage("which: expected a name, got %s", type(name))
  end
  if name:find "/" then
    return core_os.is_executable(name) and name or nil
  end
  path = path or os.getenv "PATH" or "/bin:/usr/bin"
  for dir in path:gmatch "[^:]+" do
    local file = dir .. "/" .. name
    if core_os.is_executable(file) then return file end
  end
  return nil
end

M.Process = handles.Process

--- How a process ended. `tostring` makes "exited 7" or "killed by TERM" of it.
-- @type Status
-- @tfield boolean ok it exited with 0
-- @tfield ?integer code 0 to 255; nil if a signal ended it
-- @tfield ?string signal as "TERM"
-- @tfield boolean core it left a core dump
-- @tfield ?integer returncode the code, or -N for signal N
-- @tfield number duration seconds from its start to its end
-- @tfield table rusage utime, stime (seconds), maxrss (bytes), minflt, majflt,
-- inblock, oublock, nvcsw, nivcsw, as in getrusage(2)

--- What `run` and `communicate` return: the fields of a Status, and these.
-- @type Result
-- @tfield ?string stdout what it wrote; nil if that was no pipe
-- @tfield ?string stderr
-- @tfield {string,...} argv
-- @tfield integer pid
-- @tfield boolean truncated the end of a stream was not seen: others hold it
-- @tfield boolean pipe_held others held a pipe when it had ended

return M
