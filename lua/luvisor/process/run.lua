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

-- On the way out by an error: end the group, keep the output.
local Guard = {}

function Guard.__close(guard, err)
  local p = guard.process
  if err == nil or guard.done then return end
  task.shield(p.stop, p)
  if type(err) == "table" then
    err.argv = err.argv or p.argv
    err.stdout = err.stdout or p.stdout and p.stdout:_take()
    err.stderr = err.stderr or p.stderr and p.stderr:_take()
    err.status = err.status or p.status
  end
  p:close()
end

local function finish_streams(p)
  for _, r in pairs { p.stdout, p.stderr } do r:_finish() end
end

-- The process has ended, somebody of its own still holds a pipe.
local leftover = {
  kill = function(p)
    p._handle:signal("KILL", true)
    task.move_on(LEFTOVER_TIME, finish_streams, p)
  end,
  wait = finish_streams,
  leave = function() end,
}

local function exchange(p, opts)
  local held = communicate.exchange(p, opts.input, opts)
  if held then leftover[opts.leftover or "kill"](p) end
  return held
end

local function is_allowed(check, result)
  if check == false or result.ok then return true end
  if type(check) ~= "table" then return false end
  for _, code in ipairs(check) do
    if code == result.code then return true end
  end
  return false
end

local function raise_exit(result, p)
  errors.raise(errors.exit {
    argv = result.argv, status = p.status, stdout = result.stdout,
    stderr = result.stderr, code = nil, name = p.name,
  })
end

local function timed(p, opts)
  if not opts.timeout then return exchange(p, opts) end
  local ok, held = task.move_on(opts.timeout, exchange, p, opts)
  if ok then return held end
  errors.raise {
    kind = "Timeout", argv = p.argv, seconds = opts.timeout,
    message = ("%s timed out after %g s"):format(p.name, opts.timeout),
  }
end

local function run(where, opts)
  opts = with_defaults(options.check_run(where, opts))
  local p = handles.start(opts)
  local hold <close> = stopping.hold(p._handle)
  local guard <close> = setmetatable({ process = p }, Guard)
  local result = communicate.take(p, timed(p, opts))
  guard.done = true
  p:close()
  if not is_allowed(opts.check, result) then raise_exit(result, p) end
  return result
end

--- Run a command to its end, with its output.
-- @function run
-- @tparam table opts those of spawn (stdin "null", stdout and stderr "pipe"),
-- input, timeout, check (true, false or a list of allowed codes), max_output,
-- linger (1), leftover ("kill", "wait", "leave")
-- @treturn Result
-- @raise SpawnError, ExitError, Timeout, LimitOverrun; each with argv, stdout,
-- stderr, status
-- @usage local r = process.run { "ls", "-l", timeout = 5 }
-- print(r.stdout, r.duration)
function M.run(opts)
  return run("process.run", opts)
end

--- Run a command; what it wrote to stdout, less one final newline.
-- @function capture
-- @tparam table opts as run's
-- @treturn string
-- @raise as run
-- @usage local kernel = process.capture { "uname", "-r" }
function M.capture(opts)
  local result = run("process.capture", opts)
  return ((result.stdout or ""):gsub("\n$", ""))
end

return M
