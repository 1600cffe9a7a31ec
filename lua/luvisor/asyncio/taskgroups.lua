--- Task groups: tasks that end together, at the end of a block.
-- `local tg <close> = asyncio.TaskGroup()` is Python's `async with`. The first
-- error cancels the other tasks and the block; all errors are raised, when the
-- tasks have ended, in one ErrorGroup.
-- @module luvisor.asyncio
-- @type TaskGroup

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"

local M = {}

local TaskGroup = {}
TaskGroup.__index = TaskGroup
TaskGroup.__name = "luvisor.asyncio.TaskGroup"

--- Start a task in the group.
-- @tparam function fn called with the further arguments; or a list {fn, arg, …}
-- @param ... its arguments; and options: name
-- @treturn Task
-- @raise UsageError: the group has ended, or is ending by an error
function TaskGroup:create_task(fn, ...)
  if self._is_exiting and self._count == 0 then
    errors.usage "TaskGroup: it is finished"
  elseif self._is_aborting then
    errors.usage "TaskGroup: it is shutting down"
  end
  local task = self._loop:create_task(fn, ...)
  self._tasks[task] = true
  self._count = self._count + 1
  task:_add_entry(self)
  return task
end

local function abort(self)
  self._is_aborting = true
  local list = {}
  for task in pairs(self._tasks) do list[#list + 1] = task end
  table.sort(list, function(a, b) return a._number < b._number end)
  for _, task in ipairs(list) do task:cancel() end
end

local function report_orphan(self, task, err)
  self._loop:call_exception_handler {
    message = ("an error in %s, whose TaskGroup has no Task any more"):format(
      tostring(task)),
    exception = err, task = task,
  }
end

local function forget(self, task)
  self._tasks[task] = nil
  self._count = self._count - 1
  local gate = self._gate
  if gate and self._count == 0 and not gate:done() then
    gate:_settle_result()
  end
end

local function note_failure(self, task)
  local err = task:exception()
  forget(self, task)
  self._errors[#self._errors + 1] = err
  if self._parent:done() then return report_orphan(self, task, err) end
  if self._is_aborting or self._has_cancelled_parent then return end
  abort(self)
  self._has_cancelled_parent = true
  self._parent:cancel()
end

-- One of its tasks has ended. The others that run now may fail by themselves
-- before they are cancelled, as in Python.
function TaskGroup:_on_done(task)
  if task._exception == nil then
    forget(self, task)
  else
    self._loop:call_soon(note_failure, self, task)
  end
end

-- The end ---------------------------------------------------------------------

local function await_all(self)
  self._gate = self._loop:create_future()
  self._gate._why = "the tasks of its group"
  local ok, err = core.catch(self._gate.await, self._gate)
  self._gate = nil
  return ok, err
end

-- If a scope of luvisor.task around the group is cancelled no wait works any
-- more; yet its tasks end before it does.
local Leaving = {}

function Leaving:__close(err)
  local group = self.group
  if group._count > 0 then
    if not group._is_aborting then abort(group) end
    scope.new "shield":run(function()
      while group._count > 0 do await_all(group) end
    end)
  end
  local is_over = err ~= nil -- what comes behind the wait does not run
  if is_over and group._has_cancelled_parent then group._parent:uncancel() end
end

-- Waits for the tasks. Returns the cancellation that is to go on.
local function join(self, cancellation)
  local _ <close> = setmetatable({ group = self }, Leaving)
  while self._count > 0 do
    local ok, err = await_all(self)
    if not ok and not self._is_aborting then
      cancellation = err
      abort(self)
    end
  end
  return cancellation
end

local function raise_errors(self)
  local parent, list = self._parent, self._errors
  if parent:cancelling() > 0 then -- whoever else cancels us is not forgotten
    parent:uncancel()
    parent:cancel()
  end
  errors.raise {
    kind = "ErrorGroup", errors = list,
    message = ("%d error%s in a TaskGroup"):format(#list,
      #list == 1 and "" or "s"),
  }
end

local function refuse_again(err)
  if err ~= nil then return end
  errors.usage "TaskGroup: its block has ended; a group is for one block"
end

function TaskGroup:__close(err)
  if self._is_exiting then return refuse_again(err) end
  self._is_exiting = true
  local is_cancelled = asyncio_errors.is_cancelled(err)
  if err ~= nil and not self._is_aborting then abort(self) end
  local cancellation = join(self, is_cancelled and err or nil)
  if self._has_cancelled_parent and self._parent:uncancel() == 0 then
    cancellation = nil
  end
  if cancellation and #self._errors == 0 then error(cancellation, 0) end
  if err ~= nil and not is_cancelled then
    self._errors[#self._errors + 1] = err
  end
  if #self._errors > 0 then raise_errors(self) end
end

function TaskGroup:__tostring()
  local parts = { "<asyncio.TaskGroup" }
  if self._count > 0 then parts[2] = "tasks=" .. self._count end
  if #self._errors > 0 then parts[#parts + 1] = "errors=" .. #self._errors end
  parts[#parts + 1] = self._is_aborting and "cancelling>" or "entered>"
  return table.concat(parts, " ")
end

local function new()
  if current.callers[core.current()] then
    errors.usage "TaskGroup: a callback of the loop has no Task to be in"
  end
  return setmetatable({
    _loop = current.loop(), _parent = current.task(), _tasks = {}, _count = 0,
    _errors = {}, _gate = nil, _is_exiting = false, _is_aborting = false,
    _has_cancelled_parent = false,
  }, TaskGroup)
end

--- Make a task group, for a variable with `<close>`; or call a function with
-- one, and wait for its tasks.
-- @function asyncio.TaskGroup(fn)
-- @tparam[opt] function fn called with the group; may wait
-- @return without fn a TaskGroup; else fn's values
-- @raise ErrorGroup, at the end of the block, with the errors of the tasks and
-- of the block in its field `errors`; Cancelled
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   do
--     local tg <close> = asyncio.TaskGroup()
--     tg:create_task(asyncio.sleep, 0.1)
--     tg:create_task(asyncio.sleep, 0.2)
--   end -- 0.2 seconds later
M.TaskGroup = setmetatable({}, {
  __index = TaskGroup, __name = "luvisor.asyncio.TaskGroup",
  __call = function(_, fn)
    if fn == nil then return new() end
    if not awaitable.is_callable(fn) then
      errors.usage("TaskGroup: expected a function, got %s",
                   awaitable.show(fn))
    end
    local group <close> = new()
    return fn(group)
  end,
})

return M
