--- Waiting for a process that waits for us: it has filled a pipe, and goes on
-- only when somebody reads that. Then it never ends, so we say so.
-- @local

local core = require "luvisor.core.process"
local task = require "luvisor.task"
local time = require "luvisor.core.time"

local M = {}

local PAUSE <const>, LONGEST_PAUSE <const> = 0.5, 10 -- seconds
local PATIENCE <const> = 10 -- seconds without a read, where there were some

local function warn(p, name)
  p._warned = p._warned or {}
  p._warned[name] = true
  io.stderr:write(("luvisor: warning: %s (pid %d) waits until its %s is read: "
    .. "the pipe is full (read it, or use communicate)\n"):format(p.name, p.pid,
    name))
end

-- A look at one stream: seen[name] is how it was and since when, while it is
-- full and nobody reads it. True if that is so.
local function look(p, name, seen)
  local n, was_read = core._stuck_at(p[name])
  local before = seen[name]
  if not n then
    seen[name] = nil
    return false
  end
  if not before or before.n ~= n then
    seen[name] = { n = n, since = time.now() }
  elseif not was_read or time.now() - before.since >= PATIENCE then
    warn(p, name)
  end
  return true
end

local function look_at_both(p, seen)
  local found = false
  for _, name in ipairs { "stdout", "stderr" } do
    if p[name] and not (p._warned and p._warned[name]) then
      found = look(p, name, seen) or found
    end
  end
  return found
end

--- Wait for the process to end, and warn once for each pipe of it that is full
-- and is not read.
function M.wait(p)
  local seen, pause, handle = {}, PAUSE, p._handle
  while not task.move_on(pause, handle.wait, handle)
    and handle:is_running() do
    local found = look_at_both(p, seen)
    pause = found and PAUSE or math.min(2 * pause, LONGEST_PAUSE)
  end
end

return M
