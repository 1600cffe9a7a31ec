--- run and capture: a process from its start to its end in one call.
-- Whatever ends it early (time, limit, cancellation), the whole group is
-- stopped and reaped, and the error says what was written until then.
-- @local

local communicate = require "luvisor.process.communicate"
local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local stopping = require "luvisor.process.stop"
local task = require "luvisor.task"

local M = {}

local LEFTOVER_TIME <const> = 0.5 -- seconds for a killed group's pipes to close

local defaults = { stdin = "null", stdout = "pipe", stderr = "pipe" }

local function with_defaults(opts)
  local full = {}
  for name, value in pairs(opts) do full[name] = value end
  for name, value in pairs(defaults) do
    if full[name] == nil and not opts.pty then full[name] = value end
  end
  if opts.input ~= nil then full.stdin = "pipe" end
  return full
end

local function stop(p)
  if p._handle:is_running() then
    p:stop()
  else
    stopping.stop_rest(p._handle, p._stop)
  end
end

local function add_output(err, p, max)
  for _, source in ipairs(handles.sources(p)) do
    local text = source.reader:_take()
    if max and #text > max then
      text = text:sub(1, max)
      err.truncated = true
    end
    err[source.name] = text
  end
end

-- Tell an error of this run, and no other, what is known of the process.
local function complete(err, p, max)
  if not errors.is_error(err) then return end
  if err.argv ~= nil and err.argv ~= p.argv then return end
  err.argv, err.status = p.argv, p.status
  add_output(err, p, max)
end

-- End the group for the reason `err`, and keep what it has left in the pipes.
-- Returns what went wrong with that, if anything did: a stop function's error,
-- a program of another user's, which cannot be ended.
local function end_early(p, err, max)
  local ok, failure = pcall(task.shield, stop, p)
  if p.status then
    pcall(task.shield, communicate.collect, p, LEFTOVER_TIME, max)
  end
  if ok then
    complete(err, p, max)
    return nil
  end
  complete(failure, p, max)
  if errors.is_error(failure) then failure.cause = failure.cause or err end
  return failure
end

-- On the way out: by an error, end the group and keep the output. Nobody is
-- left who could be told of input that was not read.
local Guard = {}

function Guard.__close(guard, err)
  local p, failure = guard.process, nil
  if not p then return end
  local _ <close> = guard.held
  if not guard.done then failure = end_early(p, err, guard.max_output) end
  if p.stdin then p.stdin:abort() end
  if failure == nil then return p:close() end
  pcall(p.close, p)
  error(failure, 0)
end

local forever <const> = math.huge

-- The process has ended, somebody of its own still holds a pipe.
local leftover = {
  kill = function(p, max)
    p._handle:signal("KILL", true)
    communicate.collect(p, LEFTOVER_TIME, max)
  end,
  wait = function(p, max) communicate.collect(p, forever, max) end,
  leave = function() end,
}

local function exchange(p, opts)
  local held = communicate.exchange(p, opts.input, opts)
  if held then leftover[opts.leftover or "kill"](p, opts.max_output) end
  return held
end

local function is_allowed(check, result)
  if check == false or result.ok then return true end
  if type(check) ~= "table" then return false end
  for _, code in ipairs(check) do
    if code == result.returncode then return true end
  end
  return false
end

local function raise_exit(result, p)
  errors.raise(errors.exit {
    argv = result.argv, status = p.status, stdout = result.stdout,
    stderr = result.stderr, name = p.name,
  })
end

local function run(where, opts)
  opts = with_defaults(options.check_run(where, opts))
  if opts.protocol then errors.usage("%s: protocol is for spawn", where) end
  local guard <close> = setmetatable({
    process = false, held = false, done = false, max_output = opts.max_output,
  }, Guard)
  local p = handles.start(opts, true)
  guard.process = p
  guard.held = p._handle:hold()
  local held = communicate.timed(p, opts.timeout, exchange, p, opts)
  local result = communicate.take(p, held)
  guard.done = true
  if not is_allowed(opts.check, result) then raise_exit(result, p) end
  return result
end

--- Run a command to its end, with its output.
-- @function run
-- @tparam table opts those of spawn (stdin "null", stdout and stderr "pipe"),
-- input, timeout, check (true, false or a list of codes that are allowed
-- besides 0; -15 is a death by signal 15), max_output, linger (1), leftover
-- ("kill", "wait", "leave")
-- @treturn Result
-- @raise SpawnError, ExitError, Timeout, LimitOverrun; each with argv, stdout,
-- stderr, status; truncated where more than max_output was cut off
-- @usage local r = process.run { "ls", "-l", timeout = 5 }
-- print(r.stdout, r.duration)
function M.run(opts)
  return run("process.run", opts)
end

--- Run a command; what it wrote to stdout, less one final newline.
-- @function capture
-- @tparam table opts as run's; stdout is captured
-- @treturn string
-- @raise as run
-- @usage local kernel = process.capture { "uname", "-r" }
function M.capture(opts)
  if type(opts) == "table" and (opts.stdout or "pipe") ~= "pipe" then
    errors.usage "process.capture: stdout is captured, it can go nowhere else"
  end
  local out = run("process.capture", opts).stdout
  return out:byte(-1) == 10 and out:sub(1, -2) or out
end

return M
