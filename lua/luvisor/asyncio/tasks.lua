--- Making Tasks, and the functions of asyncio that tasks call.
-- @module luvisor.asyncio

local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local task = require "luvisor.asyncio.task"

local M = {}

local tasks, start = current.tasks, task.start
local is_cancelled, raise_cancelled = core.is_cancelled, core.raise_cancelled

local task_options = { name = "any" }

local function start_with(loop, opts, n, fn, ...)
  local args = table.pack(...)
  local name = opts.name ~= nil and tostring(opts.name) or nil
  return start(loop, name, fn, table.unpack(args, 1, n))
end

-- The arguments of a list stand in it: only options may come behind it.
local function start_call(loop, where, call, ...)
  if select("#", ...) > 1 then
    errors.usage("%s: the arguments of a list {fn, arg, …} stand in it", where)
  end
  local opts = awaitable.options(where, task_options, (...))
  local n = (call.n or #call) - 1
  return start_with(loop, opts, n, call[1], awaitable.arguments(call))
end

--- @local
-- As create_task, of this loop.
function M.create(loop, where, aw, ...)
  if awaitable.is_call(aw) then return start_call(loop, where, aw, ...) end
  if not awaitable.is_callable(aw) then
    errors.usage("%s: expected a function or a list {fn, arg, …}, got %s",
                 where, awaitable.show(aw))
  end
  local opts, n = awaitable.split(where, task_options, ...)
  if n == select("#", ...) then return start(loop, nil, aw, ...) end
  return start_with(loop, opts, n, aw, ...)
end

-- Functions -------------------------------------------------------------------

--- Start a task. It runs when the caller waits.
-- @tparam function|table fn a function, called with the further arguments, or
-- a list `{fn, arg, …}`
-- @param ... its arguments; and options: name
-- @treturn Task
-- @raise UsageError: no function; Closed: its loop has ended
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local t = asyncio.create_task(math.max, 1, 2, { name = "max" })
--   print(t:get_name(), t:await()) --> max 2
function M.create_task(fn, ...)
  return M.create(current.loop(), "create_task", fn, ...)
end

--- A Future or Task as it is; else a Task of it.
-- @param aw an awaitable
-- @tparam[opt] table options loop
-- @treturn Future
-- @raise UsageError: no awaitable, or a Future of another loop than this one
function M.ensure_future(aw, options)
  options = awaitable.options("ensure_future", { loop = "table" }, options)
  local loop = options.loop
  if loop and awaitable.is_future(aw) and aw:get_loop() ~= loop then
    errors.usage "ensure_future: the Future belongs to another loop"
  end
  return M.ensure(loop or current.loop(), "ensure_future", aw)
end

--- Start a task in a loop. There are no other threads, so it is the same as
-- `loop:create_task`.
-- @tparam function|table aw a function, or a list {fn, arg, …}
-- @tparam Loop loop
-- @treturn Task
function M.run_coroutine_threadsafe(aw, loop)
  local meta = getmetatable(loop)
  if type(meta) ~= "table" or meta.__name ~= "luvisor.asyncio.Loop" then
    errors.usage("run_coroutine_threadsafe: expected a loop, got %s",
                 awaitable.show(loop))
  end
  return loop:create_task(aw)
end

--- @local
function M.ensure(loop, where, aw)
  if awaitable.is_future(aw) then return aw end
  awaitable.check(where, aw)
  return M.create(loop, where, aw)
end

--- Wait for an awaitable, in the calling task.
-- @param aw an awaitable
-- @return its values
-- @raise its error; Cancelled
function M.await(aw)
  if awaitable.is_future(aw) then return aw:await() end
  awaitable.check("await", aw)
  return awaitable.invoke(aw)
end

--- Suspend the calling task, never for less; 0 lets the others have a turn.
-- @tparam number delay seconds; below 0 is 0
-- @param[opt] result
-- @return result
-- @raise Cancelled
function M.sleep(delay, result)
  if type(delay) ~= "number" or delay ~= delay then
    errors.usage("sleep: the delay must be a number of seconds, got %s",
                 tostring(delay))
  end
  if delay <= 0 then core.checkpoint() else core.sleep(delay) end
  if is_cancelled() then raise_cancelled() end
  return result
end

--- The Task that is running; nil in a callback of the loop. The script itself,
-- and each task of luvisor.task, has one, too.
-- @tparam[opt] Loop loop nil unless it is of this loop
-- @treturn ?Task
function M.current_task(loop)
  local native = core.current()
  if not native or current.callers[native] then return nil end
  if loop and loop ~= current.loop() then return nil end
  return current.task()
end

--- The Tasks that have not ended, oldest first.
-- @tparam[opt] Loop loop of which loop; without it the running one
-- @treturn {Task,...}
function M.all_tasks(loop)
  loop = loop or current.loop()
  local list = {}
  for _, one in pairs(tasks) do
    if one._loop == loop then list[#list + 1] = one end
  end
  table.sort(list, function(a, b) return a._native.id < b._native.id end)
  return list
end

--- Call a function, and catch even the cancellation of the calling task, which
-- `pcall` lets pass: Python's `except BaseException`. That of a scope of
-- luvisor.task passes through this one, too.
-- @function asyncio.pcall(fn, ...)
-- @tparam function fn called with the further arguments; may wait
-- @return true and its values, or false and the error
M.pcall = core.catch

M.Task = setmetatable({}, {
  __index = task.class, __name = "luvisor.asyncio.Task",
  __call = function(_, aw, options)
    return M.create(current.loop(), "asyncio.Task", aw, options)
  end,
})

return M
