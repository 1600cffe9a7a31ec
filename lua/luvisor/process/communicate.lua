--- communicate: feed a process, read all it writes, wait for its end, at once.
-- The bytes move in C while this waits: what is read stays in the readers'
-- buffers, so a timeout, a limit or a cancellation loses nothing and a second
-- call goes on where the first was ended. (asyncio rules S9–S11)
-- @local

local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local statuses = require "luvisor.process.status"
local task = require "luvisor.task"

local M = {}

local Process <const> = handles.Process
local LINGER <const> = 1 -- second

local function feed_pieces(stdin, next_piece)
  for piece in next_piece do stdin:write(piece) end
end

local function list_iterator(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- One task that writes what is not a single string; a reader that is gone is
-- no error: it had enough.
local function feed(stdin, input)
  local ok, err = pcall(function()
    if type(input) == "userdata" then
      input:copy_to(stdin)
    elseif type(input) == "table" then
      feed_pieces(stdin, list_iterator(input))
    else
      feed_pieces(stdin, input)
    end
  end)
  if not ok and not (errors.is_error(err) and err:is "BrokenPipe") then
    error(err, 0)
  end
  stdin:close()
end

local function start_feeding(p, input, nursery)
  local stdin = p.stdin
  if input ~= nil and not stdin then
    errors.usage("communicate: there is input, but stdin of %s is no pipe",
      p.name)
  end
  if not stdin or stdin:is_closing() then return end
  if input == nil then
    stdin:close()
  elseif type(input) == "string" then
    stdin:_feed(input)
  else
    nursery:spawn(feed, stdin, input)
  end
end

-- Wait until each reader is at its end or its limit, and the process has
-- ended: then whoever else holds a pipe has `linger` seconds. True if somebody
-- held one for longer.
local function wait_for_all(p, readers, linger, nursery)
  local held = false
  nursery:spawn(function()
    p._handle:wait()
    task.sleep(linger)
    held = true
    nursery:cancel()
  end)
  for _, r in ipairs(readers) do
    if not r:_finish() then return false end
  end
  p._handle:wait()
  return held
end

local function overrun(p, name, max)
  errors.raise {
    kind = "LimitOverrun", argv = p.argv,
    message = ("%s wrote more than %d bytes to %s"):format(p.name, max, name),
  }
end

local function open_readers(p, max_output)
  local readers = {}
  for _, name in ipairs { "stdout", "stderr" } do
    local r = p[name]
    if r then
      r:_collect(max_output)
      readers[#readers + 1] = r
    end
  end
  return readers
end

local function check_limits(p, max_output)
  for _, name in ipairs { "stdout", "stderr" } do
    local r = max_output and p[name]
    if r and r:buffered() > max_output then overrun(p, name, max_output) end
  end
end

--- The exchange itself; the output stays in the readers.
-- @treturn boolean whether a pipe was still held `linger` seconds after the end
function M.exchange(p, input, opts)
  local readers = open_readers(p, opts.max_output)
  local held = true
  task.nursery(function(n)
    start_feeding(p, input, n)
    held = wait_for_all(p, readers, opts.linger or LINGER, n)
    n:cancel()
  end)
  check_limits(p, opts.max_output)
  return held and #readers > 0
end

--- Take what was read, as a Result.
function M.take(p, held)
  p:wait()
  return statuses.result(p.status, {
    stdout = p.stdout and p.stdout:_take(),
    stderr = p.stderr and p.stderr:_take(),
    argv = p.argv, pid = p.pid, truncated = false, pipe_held = held,
  })
end

--- Feed the process, read all it writes, and wait for its end, at once.
-- @function Process:communicate
-- @param[opt] input string, list, iterator function or Reader; nil: end of file
-- @tparam[opt] table opts timeout, max_output (bytes of a stream), linger (1:
-- seconds after the exit that a pipe held by others is still read)
-- @treturn Result a Status' fields, stdout, stderr, argv, pid, pipe_held
-- @raise Timeout, LimitOverrun: the process and what was read are left to the
-- next call
function Process:communicate(input, opts)
  opts = errors.check_options("communicate", opts or {}, options.communicate)
  self._waits_unread = false
  local held
  if opts.timeout then
    held = task.timeout(opts.timeout, M.exchange, self, input, opts)
  else
    held = M.exchange(self, input, opts)
  end
  return M.take(self, held)
end

return M
