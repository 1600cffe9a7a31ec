--- communicate: feed a process, read all it writes, wait for its end, at once.
-- The bytes move in C while this waits: what is read stays in the readers'
-- buffers, so a timeout, a limit or a cancellation loses nothing and a second
-- call goes on where the first was ended. (asyncio rules S9–S11)
-- @local

local errors = require "luvisor.error"
local feeding = require "luvisor.process.feed"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local statuses = require "luvisor.process.status"
local task = require "luvisor.task"

local M = {}

local Process <const> = handles.Process
local LINGER <const> = 1 -- second

--- Collect what the process writes, until it has ended and its pipes are let
-- go; the output stays in the readers.
-- @tparam Process p
-- @tparam number linger seconds after the end for which others may hold a pipe
-- @tparam ?integer max bytes of each stream
-- @treturn boolean whether somebody held one for longer
-- @raise LimitOverrun
function M.collect(p, linger, max)
  local sources = handles.sources(p)
  local first, second = sources[1], sources[2]
  local held, over = p._handle:_exchange(first and first.reader,
    second and second.reader, linger, max)
  if over then
    errors.raise {
      kind = "LimitOverrun", argv = p.argv,
      message = ("%s wrote more than %d bytes to %s"):format(p.name, max,
        sources[over].name),
    }
  end
  return held
end

--- The exchange itself; the output stays in the readers.
-- @treturn boolean whether a pipe was still held `linger` seconds after the end
function M.exchange(p, input, opts)
  local linger, max = opts.linger or LINGER, opts.max_output
  local rest = feeding.start(p, input)
  if not rest then
    local held = M.collect(p, linger, max)
    feeding.check_fed(p)
    return held
  end
  return task.nursery(function(n)
    n:spawn(rest)
    local held = M.collect(p, linger, max)
    n:cancel()
    return held
  end)
end

--- Call fn, but no longer than `seconds` (nil: for ever).
-- @return what fn returns, a single value
-- @raise Timeout that names p
function M.timed(p, seconds, fn, ...)
  if not seconds then return fn(...) end
  local ok, value = task.move_on(seconds, fn, ...)
  if ok then return value end
  errors.raise {
    kind = "Timeout", argv = p.argv, seconds = seconds,
    message = ("%s timed out after %g s"):format(p.name, seconds),
  }
end

--- Take what was read, as a Result of the ended process.
-- @tparam Process p
-- @tparam boolean held whether somebody held a pipe for too long
function M.take(p, held)
  p:wait()
  local fields = { argv = p.argv, pid = p.pid, truncated = false,
                   pipe_held = held }
  for _, source in ipairs(handles.sources(p)) do
    fields[source.name] = source.reader:_take()
    if not source.reader:at_eof() then fields.truncated = true end
  end
  return statuses.result(p.status, fields)
end

--- Feed the process, read all it writes, and wait for its end, at once.
-- @function Process:communicate
-- @param[opt] input string, list, iterator function or Reader; nil: end of
-- file, or the rest of what an earlier call had not fed
-- @tparam[opt] table opts timeout, max_output (bytes of a stream), linger (1:
-- seconds after the exit that a pipe held by others is still read)
-- @treturn Result a Status' fields, stdout, stderr, argv, pid; pipe_held: a
-- pipe was held for longer; truncated: its end was not seen
-- @raise Timeout, LimitOverrun: the process and what was read are left to the
-- next call
function Process:communicate(input, opts)
  opts = errors.check_options("communicate", opts or {}, options.communicate)
  local held = M.timed(self, opts.timeout, M.exchange, self, input, opts)
  return M.take(self, held)
end

return M
