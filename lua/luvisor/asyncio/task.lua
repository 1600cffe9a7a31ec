--- Tasks: functions that run side by side, and Futures of what they return.
-- Each is a task of luvisor, in the nursery of its loop. Cancelling one raises
-- Cancelled where it waits, once; later waits work again. So does no `pcall`
-- catch it, but `asyncio.pcall` does.
-- @module luvisor.asyncio
-- @type Task

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local futures = require "luvisor.asyncio.futures"
local handles = require "luvisor.asyncio.handles"

local M = {}

local tasks = current.tasks
local is_cancelled, raise_cancelled = core.is_cancelled, core.raise_cancelled
local PENDING <const> = "PENDING"

local Task = futures.subclass "Task"
Task._kind = "task"
Task._why = "a Task"
Task._cancelling = 0
M.class = Task

local count = 0 -- of all Tasks: those without a name are named by it

-- Running ---------------------------------------------------------------------

local registry = debug.getregistry()

-- A plain value carries no traceback: the last one's was kept aside.
local function traceback_of(err)
  if errors.is_error(err) then return nil end
  return registry["luvisor.last_error"] == err
    and registry["luvisor.last_traceback"] or nil
end

-- What became of its function: (true, true, values…) | (true, false, error) |
-- (false, its own cancellation).
local function finish(task, caught, returned, ...)
  local native = task._native
  tasks[native] = nil
  if not caught then
    task:_settle_cancelled(returned.reason)
  elseif not returned then
    local err = ...
    if asyncio_errors.is_cancelled(err) then
      task:_settle_cancelled(err.reason)
    else
      task:_settle_error(err, traceback_of(err))
    end
  elseif task._cancelling > 0 and core.uncancel(native) then
    task:_settle_cancelled(task._reason) -- cancelled since its last wait
  else
    task:_settle_result(...)
  end
end

-- Closed at the end of the task's body: if the Task is not done then, a scope
-- around it was cancelled, or the program is exiting.
local Ending = {}

function Ending:__close()
  local task = self.task
  if task._state ~= PENDING then return end
  tasks[task._native] = nil
  task:_settle_cancelled(task._reason)
end

local function begin(fn, ...)
  if is_cancelled() then raise_cancelled() end
  return xpcall(fn, core.keep_traceback, ...)
end

--- Call a function, and settle the Task with what becomes of it.
-- @local
function M.run(task, ...)
  local _ <close> = setmetatable({ task = task }, Ending)
  finish(task, core.catch(begin, ...))
end

--- Start a Task.
-- @local
-- @tparam Loop loop
-- @tparam ?string name
-- @tparam function fn called with the further arguments
-- @treturn Task
function M.start(loop, name, fn, ...)
  count = count + 1
  local task = setmetatable({
    _loop = loop, _fn = fn, _name = name, _number = count,
  }, Task)
  if loop._debug then task._source_traceback = debug.traceback("", 2):sub(2) end
  local native = loop:_spawn(M.run, task, fn, ...)
  task._native = native
  tasks[native] = task
  return task
end

-- Cancelling ------------------------------------------------------------------

--- Cancel it: Cancelled is raised where it waits, or at its next wait. What it
-- awaits is cancelled, too. It may catch that (`asyncio.pcall`) and go on.
-- @param[opt] msg becomes the `reason` of the Cancelled error
-- @treturn boolean false: it has ended already
function Task:cancel(msg)
  futures.retrieve(self)
  if self._state ~= PENDING then return false end
  self._cancelling = self._cancelling + 1
  self._reason = msg
  local native, waiting = self._native, self._waiting
  -- Tasks may wait for each other in a ring: each is asked once.
  if waiting and not self._is_asking and not core.is_shielded(native) then
    self._is_asking = true
    local cancelled = waiting:cancel(msg)
    self._is_asking = nil
    if cancelled then
      self._cancels = waiting
      return true
    end
  end
  core.cancel_once(native, msg)
  return true
end

local function wake(self, future)
  if self._waiting ~= future then return end -- it was interrupted since
  self._waiting = nil
  core.wake(self._native)
end

-- What it waits for is done. If a callback of the loop did that, it is the
-- loop's queue that wakes us: after the callbacks that were added before.
function Task:_on_done(future)
  local dispatcher = future._loop._dispatcher
  if dispatcher:is_calling() then
    dispatcher:push(handles.own(future._loop, wake, self, future))
  else
    wake(self, future)
  end
end

--- How often was it asked to end, less how often that was taken back?
-- @treturn integer
function Task:cancelling()
  return self._cancelling
end

--- Take one request to cancel back, as who made it does once it is served.
-- @treturn integer how many remain; with none, what was not raised yet is not
function Task:uncancel()
  if self._cancelling > 0 then
    self._cancelling = self._cancelling - 1
    if self._cancelling == 0 then core.uncancel(self._native) end
  end
  return self._cancelling
end

-- Asking ----------------------------------------------------------------------

--- Its name, "Task-1" unless it was given one.
-- @treturn string
function Task:get_name()
  self._name = self._name or "Task-" .. self._number
  return self._name
end

--- @param name any value: tostring makes a string of it
function Task:set_name(name)
  self._name = tostring(name)
end

--- The function that it runs.
-- @treturn function
function Task:get_coro()
  return self._fn
end

--- Where it is: its stack, the innermost call first; of one that failed, where
-- that was.
-- @treturn string "" where nothing is known any more
function Task:get_stack()
  local err = self._exception
  local stack = self._state == PENDING and self._native:traceback()
    or errors.is_error(err) and err.traceback or self._traceback
  return stack and asyncio_errors.trim(stack) or ""
end

--- Print its stack.
-- @param[opt=io.stderr] file with a method write
function Task:print_stack(file)
  file = file or io.stderr
  local kind = type(file)
  if kind ~= "table" and kind ~= "userdata" then
    errors.usage("print_stack: expected a file, got %s", awaitable.show(file))
  end
  file:write(("%s\n%s\n"):format(tostring(self), self:get_stack()))
end

local function refuse(name)
  return function()
    errors.usage("a Task has no %s: its function makes its result", name)
  end
end

--- @local
Task.set_result = refuse "set_result"
--- @local
Task.set_exception = refuse "set_exception"

-- Tasks may wait for each other in a ring: another one is told of by its name.
local function wait_of(task)
  local waiting = task._waiting
  if not waiting then return "" end
  local name = waiting.get_name and waiting:get_name() or tostring(waiting)
  return " wait_for=" .. name
end

function Task:__tostring()
  local state = self._state:lower()
  if self._exception ~= nil then state = "failed" end
  if self._state == PENDING and self._cancelling > 0 then
    state = "cancelling"
  end
  return ("<asyncio.Task %s [%s] %s%s>"):format(self:get_name(), state,
    awaitable.where(self._fn), wait_of(self))
end

return M
