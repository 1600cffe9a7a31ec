--- Runs: a loop for one program, or for several calls in a row.
-- @module luvisor.asyncio

local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local loops = require "luvisor.asyncio.loop"
local scope = require "luvisor.core.scope"
local tasks = require "luvisor.asyncio.tasks"
local unretrieved = require "luvisor.asyncio.unretrieved"

local M = {}

local Runner = {}
Runner.__index = Runner
Runner.__name = "luvisor.asyncio.Runner"

local run_options = { debug = "boolean", loop_factory = "function" }

local function new(opts, way)
  local function make_loop() return loops.new_owned_loop(way) end
  return setmetatable({
    _debug = opts.debug, _make_loop = opts.loop_factory or make_loop,
    _loop = nil, _is_closed = false,
  }, Runner)
end

local function init(self)
  if self._is_closed then errors.usage "Runner: it is closed" end
  if self._loop then return end
  self._loop = self._make_loop()
  if self._debug ~= nil then self._loop:set_debug(self._debug) end
end

--- The loop that it runs; made when it is first needed.
-- @treturn Loop
-- @raise UsageError: it is closed
function Runner:get_loop()
  init(self)
  return self._loop
end

-- The call as an awaitable, for a Task of it to be made.
local function as_call(n, main, ...)
  if n == 0 then return main end
  local call = table.pack(main, ...)
  call.n = n + 1
  return call
end

local function check_idle(where)
  if current.running_loop() then
    errors.usage("%s cannot be called inside a running event loop", where)
  end
end

--- Run an awaitable in the loop. Waits. May be called again and again; what
-- else was started goes on in between.
-- @param main a function, called with the further arguments, or an awaitable
-- @return its values
-- @raise its error; UsageError: it is closed, or called inside a loop
function Runner:run(main, ...)
  check_idle "Runner:run"
  awaitable.check("Runner:run", main)
  init(self)
  local n = select("#", ...)
  return self._loop:run_until_complete(as_call(n, main, ...))
end

-- Ending ----------------------------------------------------------------------

local function report_failure(loop, task)
  if task:cancelled() then return end
  local err = task:exception()
  if err == nil then return end
  loop:call_exception_handler {
    message = ("an error in %s, at the end of its run"):format(tostring(task)),
    exception = err, task = task, traceback = task._traceback,
  }
end

local function cancel_all(loop)
  local left = tasks.all_tasks(loop)
  for _, task in ipairs(left) do task:cancel() end
  for _, task in ipairs(left) do task:_wait() end
  for _, task in ipairs(left) do report_failure(loop, task) end
end

-- In a shield. What is left in the nursery then, tasks that were made while
-- others cleaned up and tasks that are not asyncio's, is cancelled with it.
local function shut_down(loop)
  cancel_all(loop)
  core.checkpoint() -- callbacks of the Futures that were settled last
  if loop._executor then loop:shutdown_default_executor() end
  loop:close()
  if loop._host then loop._host:join() end
  unretrieved.report_all(loop)
end

--- Cancel what is left in the loop, wait for it, and close the loop. Twice is
-- harmless.
-- @raise what tasks in it that are not asyncio's have raised
function Runner:close()
  local loop = self._loop
  self._loop, self._is_closed = nil, true
  if not loop or loop:is_closed() then return end
  scope.new "shield":run(shut_down, loop)
  local failed = loop._host and loop._host.errors
  if failed then error(errors.group(failed), 0) end
end

Runner.__close = Runner.close

--- Make a Runner: for several runs in one loop.
-- @function asyncio.Runner(options)
-- @tparam[opt] table options debug: boolean; loop_factory: a function that
-- makes a loop
-- @treturn Runner close it: `local runner <close> = asyncio.Runner()`
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   do
--     local runner <close> = asyncio.Runner()
--     runner:run(asyncio.sleep, 0)
--     print(runner:run(math.max, 1, 2)) --> 2
--   end
M.Runner = setmetatable({}, {
  __index = Runner, __name = "luvisor.asyncio.Runner",
  __call = function(_, options)
    options = awaitable.options("asyncio.Runner", run_options, options)
    return new(options, "owned")
  end,
})

--- Run a program: call a function in a loop of its own, and return when it and
-- all tasks of the loop have ended: those that are left when it returns are
-- cancelled. Waits.
--
-- The first INT or TERM cancels the function's Task, once: it may clean up. The
-- second INT ends the program at once.
-- @function asyncio.run(main, ...)
-- @tparam function main called with the further arguments; or an awaitable
-- @param ... its arguments; and options: debug; loop_factory, a function that
-- makes the loop
-- @return its values
-- @raise its error; UsageError: called inside a running loop
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   print(asyncio.run(function(name)
--     asyncio.sleep(0.1)
--     return "hello " .. name
--   end, "world")) --> hello world
function M.run(main, ...)
  check_idle "asyncio.run"
  awaitable.check("asyncio.run", main)
  local opts, n = awaitable.split("asyncio.run", run_options, ...)
  local runner <close> = new(opts, "inside")
  init(runner)
  return runner._loop:run_until_complete(as_call(n, main, ...))
end

return M
