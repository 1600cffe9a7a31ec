--- Protocol callbacks: told what a process does, as asyncio's
-- SubprocessProtocol.
-- connection_made comes first; for each descriptor its data, then that it is
-- lost; process_exited at any time between; connection_lost last, once.
-- (asyncio rules S14, S15)
-- @local

local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local task = require "luvisor.task"

local M = {}

local MOST <const> = 1 << 20 -- bytes of one call

local spec = {
  connection_made = "function", pipe_data_received = "function",
  pipe_connection_lost = "function", process_exited = "function",
  connection_lost = "function",
}

local function call(protocol, name, ...)
  local callback = protocol[name]
  if callback then callback(...) end
end

-- What a read ends with: data, nothing at the end, or nothing and the error. A
-- stream that the script has closed is at its end.
local function read(reader)
  local ok, data = pcall(reader.read, reader, MOST)
  if ok then return data end
  if not errors.is_error(data) then error(data, 0) end
  return nil, not data:is "Closed" and data or nil
end

local function watch_pipe(p, protocol, fd, reader)
  local data, err = read(reader)
  while data do
    call(protocol, "pipe_data_received", p, fd, data)
    data, err = read(reader)
  end
  call(protocol, "pipe_connection_lost", p, fd, err)
end

local numbers = { stdout = 1, stderr = 2 }

local function watch(p, protocol)
  task.nursery(function(n)
    for _, source in ipairs(handles.sources(p)) do
      local fd = numbers[source.name]
      n:spawn(watch_pipe, p, protocol, fd, source.reader)
    end
    for fd, s in pairs(p.fds) do
      if s.chunks then n:spawn(watch_pipe, p, protocol, fd, s) end
    end
    p:wait()
    call(protocol, "process_exited", p)
    if p.stdin then
      p.stdin:close()
      call(protocol, "pipe_connection_lost", p, 0)
    end
  end)
  call(protocol, "connection_lost", p)
end

--- Check the callbacks.
-- @raise UsageError
function M.check(protocol)
  errors.check_options("process.spawn: protocol", protocol, spec)
end

--- Call the protocol's functions for what the process does, in a task of the
-- nearest nursery. An error of connection_made is raised here.
function M.attach(p, protocol)
  p._waits_unread = false
  local ok, err = pcall(call, protocol, "connection_made", p)
  if not ok then
    p:close()
    error(err, 0)
  end
  task.spawn(watch, p, protocol)
end

return M
