--- Which asyncio Task, and which loop, a native task belongs to.
-- A native task that asyncio did not make (the script itself, a task of
-- luvisor.task) is of the loop that was started last, else of the program's.
-- @local

local core = require "luvisor.core.task"
local errors = require "luvisor.error"

local M = {}

--- native task → Task, from its start to its end.
M.tasks = {}

--- native task → loop, of those that call a loop's callbacks.
M.callers = setmetatable({}, { __mode = "k" })

local tasks, callers = M.tasks, M.callers
local adopted = setmetatable({}, { __mode = "k" }) -- native task → Task
local running = {} -- loops, in the order in which they were started
local program -- the loop outside of any run

--- The loop of the calling task.
-- @treturn Loop
function M.loop()
  local native = core.current()
  local task = tasks[native]
  if task then return task._loop end
  return callers[native] or running[#running] or M.program_loop()
end

--- The Task that the calling task is: of one that asyncio did not make, a Task
-- that stands for it.
-- @treturn Task
-- @raise UsageError: not in a task
function M.task()
  local native = core.current()
  local task = tasks[native] or adopted[native]
  if task and task._loop then return task end
  if not native then errors.usage "cannot wait here: not inside a task" end
  if callers[native] then callers[native]:_hand_over() end
  task = task or require("luvisor.asyncio.adopted").adopt(native)
  adopted[native] = task
  return task
end

--- The loop that the calling task was made by, or calls callbacks of. The
-- program's own does not count.
-- @treturn ?Loop
function M.running_loop()
  local native = core.current()
  local task = tasks[native]
  local loop = task and task._loop or callers[native]
  return loop and not loop._is_program and loop or nil
end

--- The loop outside of any run; made when it is first needed.
-- @treturn Loop
function M.program_loop()
  program = program or require("luvisor.asyncio.loop").new_program_loop()
  return program
end

--- Make a loop the one outside of any run; nil: luvisor's own again.
-- @tparam ?Loop loop
function M.set_program_loop(loop)
  program = loop
end

--- A loop begins to run.
-- @tparam Loop loop
function M.enter(loop)
  running[#running + 1] = loop
end

--- A loop has run. Loops of several tasks may end in any order.
-- @tparam Loop loop
function M.leave(loop)
  for i = #running, 1, -1 do
    if running[i] == loop then
      table.remove(running, i)
      return
    end
  end
end

return M
