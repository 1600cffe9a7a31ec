--- Protocol callbacks: told what a process does, as asyncio's
-- SubprocessProtocol.
-- connection_made comes first; for each descriptor its data, then that it is
-- lost; process_exited at any time between; connection_lost last, once.
-- (asyncio rules S14, S15)
-- @local

local errors = require "luvisor.error"
local task = require "luvisor.task"

local M = {}

local spec = {
  connection_made = "function", pipe_data_received = "function",
  pipe_connection_lost = "function", process_exited = "function",
  connection_lost = "function",
}

local function call(protocol, name, ...)
  local callback = protocol[name]
  if callback then callback(...) end
end

local function watch_pipe(p, protocol, fd, reader)
  local ok, err = pcall(function()
    for data in reader:chunks() do
      call(protocol, "pipe_data_received", p, fd, data)
    end
  end)
  local closed = not ok and errors.is_error(err) and err:is "Closed"
  if not ok and not closed and not errors.is_error(err) then error(err, 0) end
  call(protocol, "pipe_connection_lost", p, fd, not closed and err or nil)
end

local function watch(p, protocol)
  task.nursery(function(n)
    if p.stdout then n:spawn(watch_pipe, p, protocol, 1, p.stdout) end
    if p.stderr then n:spawn(watch_pipe, p, protocol, 2, p.stderr) end
    for fd, s in pairs(p.fds) do
      if s.read then n:spawn(watch_pipe, p, protocol, fd, s) end
    end
    p:wait()
    call(protocol, "process_exited", p)
  end)
  call(protocol, "connection_lost", p)
end

--- Call the protocol's functions for what the process does, in a task of the
-- nearest nursery.
function M.attach(p, protocol)
  errors.check_options("process.spawn: protocol", protocol, spec)
  p._waits_unread = false
  call(protocol, "connection_made", p)
  task.spawn(watch, p, protocol)
end

return M
