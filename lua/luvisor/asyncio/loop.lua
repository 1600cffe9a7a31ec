--- Event loops, as far as a program sees them: luvisor's own loop never ends.
-- What `asyncio.run` makes is a nursery with a queue of callbacks: its tasks
-- are in the nursery, and end with it. Outside of any run it is the program's
-- loop that is "running": its tasks are in the root nursery.
--
-- Methods of a loop that are described elsewhere (subprocess_exec, …) are
-- loaded when they are first used: `elsewhere` says from which file, whose
-- module has them in its field `loop`.
-- @module luvisor.asyncio
-- @type Loop

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local dispatchers = require "luvisor.asyncio.dispatcher"
local errors = require "luvisor.error"
local futures = require "luvisor.asyncio.futures"
local handles = require "luvisor.asyncio.handles"
local hosts = require "luvisor.asyncio.host"
local tasks = require "luvisor.asyncio.tasks"
local time = require "luvisor.core.time"
local timers = require "luvisor.asyncio.timers"
local unretrieved = require "luvisor.asyncio.unretrieved"

local M = {}

local elsewhere = {
  add_signal_handler = "signals",
  connect_read_pipe = "pipes",
  connect_write_pipe = "pipes",
  remove_signal_handler = "signals",
  run_forever = "running",
  run_in_executor = "executor",
  run_until_complete = "running",
  set_default_executor = "executor",
  shutdown_default_executor = "executor",
  stop = "running",
  subprocess_exec = "processes",
  subprocess_shell = "processes",
}

local Loop = setmetatable({}, {
  __index = function(class, name)
    local file = elsewhere[name]
    if not file then return nil end
    local method = require("luvisor.asyncio." .. file).loop[name]
    rawset(class, name, method)
    return method
  end,
})
Loop.__index = Loop
Loop.__name = "luvisor.asyncio.Loop"

--- Callbacks that take longer are told of in debug mode; in seconds.
Loop.slow_callback_duration = 0.1

local function new(stays)
  local loop = setmetatable({
    _debug = (os.getenv "LUVISOR_ASYNCIO_DEBUG" or "") ~= "",
    _is_closed = false, _is_program = false, _gate = false,
    _is_stopping = false, _handler = false, _host = false, _signals = false,
    _executor = false,
  }, Loop)
  loop._dispatcher = dispatchers.new(loop, stays)
  loop._timers = timers.new(loop, stays)
  return loop
end

--- The loop outside of any run.
-- @local
function M.new_program_loop()
  local loop = new(false)
  loop._is_program = true
  core.at_exit(function() unretrieved.report_all(loop) end)
  return loop
end

--- A loop that somebody closes, who raises what went wrong in it.
-- @local
-- @tparam string way how its nursery is held: "inside" or "owned"
function M.new_owned_loop(way)
  local loop = new(true)
  loop._host = hosts.open(way)
  return loop
end

--- Make a loop. It has to be closed; else it ends with the program. What is
-- created in it runs whenever the caller waits, not only in
-- `run_until_complete`.
-- @function asyncio.new_event_loop()
-- @treturn Loop
function M.new_event_loop()
  return M.new_owned_loop "alone"
end

--- The loop of the calling task; the program's, outside of any run.
-- @function asyncio.get_running_loop()
-- @treturn Loop the same one throughout a run
M.get_running_loop = current.loop

--- The same.
-- @function asyncio.get_event_loop()
-- @treturn Loop
M.get_event_loop = current.loop

--- Make a loop the one outside of any run; nil: luvisor's own again.
-- @function asyncio.set_event_loop(loop)
-- @tparam ?Loop loop
function M.set_event_loop(loop)
  if loop ~= nil and getmetatable(loop) ~= Loop then
    errors.usage("set_event_loop: expected a loop, got %s",
                 awaitable.show(loop))
  end
  current.set_program_loop(loop)
end

local function check_open(self, where)
  if self._is_closed then asyncio_errors.loop_closed(where) end
end

-- For tasks, the dispatcher and the timers.
function Loop:_spawn(fn, ...)
  if self._is_program then return core.spawn_root(fn, ...) end
  check_open(self, "the loop")
  return self._host:spawn(fn, ...)
end

function Loop:_hand_over()
  self._dispatcher:hand_over()
end

-- Calls -----------------------------------------------------------------------

local function check_call(self, where, fn)
  check_open(self, where)
  if awaitable.is_callable(fn) then return end
  errors.usage("%s: expected a function, got %s", where, awaitable.show(fn))
end

-- In debug mode a handle knows where it was made.
local function note_source(self, handle)
  if self._debug then
    handle._source_traceback = debug.traceback("", 3):sub(2)
  end
  return handle
end

--- Have a function called soon, after those that were given before.
-- @tparam function fn called with the further arguments; what it raises goes
-- to the exception handler
-- @treturn Handle
-- @raise Closed: the loop is closed; UsageError: no function
function Loop:call_soon(fn, ...)
  check_call(self, "call_soon", fn)
  local handle = note_source(self, handles.new(self, fn, ...))
  self._dispatcher:push(handle)
  return handle
end

--- The same: there is one thread only.
-- @function Loop:call_soon_threadsafe(fn, ...)
Loop.call_soon_threadsafe = Loop.call_soon

--- Have a function called at a time. What is due at one time is called in the
-- order given.
-- @tparam number when by `loop:time()`
-- @tparam function fn called with the further arguments
-- @treturn TimerHandle
-- @raise Closed; UsageError: when is no number, fn no function
function Loop:call_at(when, fn, ...)
  if type(when) ~= "number" or when ~= when then
    errors.usage("call_at: when must be a number of seconds, got %s",
                 tostring(when))
  end
  check_call(self, "call_at", fn)
  local handle = note_source(self, handles.timer(self, when, fn, ...))
  self._timers:add(handle)
  return handle
end

--- Have a function called later.
-- @tparam number delay seconds from now
-- @tparam function fn called with the further arguments
-- @treturn TimerHandle
-- @raise Closed; UsageError: delay is no number, fn no function
function Loop:call_later(delay, fn, ...)
  if type(delay) ~= "number" then
    errors.usage("call_later: the delay must be a number of seconds, got %s",
                 tostring(delay))
  end
  return self:call_at(self:time() + delay, fn, ...)
end

--- Its clock: seconds, never stepping.
-- @treturn number
function Loop:time()
  assert(self)
  return time.now()
end

--- Make a Future.
-- @treturn Future
function Loop:create_future()
  return futures.new(self)
end

--- Start a task in this loop: as `asyncio.create_task`.
-- @treturn Task
function Loop:create_task(fn, ...)
  check_open(self, "create_task")
  return tasks.create(self, "create_task", fn, ...)
end

-- Errors ----------------------------------------------------------------------

local function traceback_of(context)
  local err = context.exception
  local text = context.traceback
    or errors.is_error(err) and err.traceback or nil
  return text and asyncio_errors.trim(text)
end

--- What happens to errors if nothing else was set: they are printed on stderr.
-- @tparam table context message, exception, traceback and, where they apply,
-- future, task, handle, source_traceback
function Loop:default_exception_handler(context)
  assert(self)
  local lines = { "luvisor: " .. (context.message or "an error in asyncio") }
  if context.exception ~= nil then
    lines[1] = lines[1] .. ": " .. tostring(context.exception)
  end
  lines[#lines + 1] = traceback_of(context)
  if context.source_traceback then
    lines[#lines + 1] = "created at:\n" .. context.source_traceback
  end
  io.stderr:write(table.concat(lines, "\n"), "\n")
end

--- Tell of an error that nobody can be raised to.
-- @tparam table context see default_exception_handler
function Loop:call_exception_handler(context)
  local handler = self._handler
  if not handler then return self:default_exception_handler(context) end
  local ok, err = xpcall(handler, core.keep_traceback, self, context)
  if ok then return end
  self:default_exception_handler(context)
  self:default_exception_handler {
    message = "an error in the exception handler", exception = err,
  }
end

--- Set what is to happen to such errors.
-- @tparam ?function handler called with the loop and a context; nil: the
-- default again
function Loop:set_exception_handler(handler)
  if handler ~= nil and not awaitable.is_callable(handler) then
    errors.usage("set_exception_handler: expected a function or nil, got %s",
                 awaitable.show(handler))
  end
  self._handler = handler or false
end

--- @treturn ?function
function Loop:get_exception_handler()
  return self._handler or nil
end

-- State -----------------------------------------------------------------------

--- In debug mode tasks and handles know where they were made, and callbacks
-- that take long are told of.
-- @tparam boolean on
function Loop:set_debug(on)
  self._debug = not not on
end

--- @treturn boolean
function Loop:get_debug()
  return self._debug
end

--- Does it run? The program's always does.
-- @treturn boolean
function Loop:is_running()
  return self._is_program or self._gate ~= false
end

--- @treturn boolean
function Loop:is_closed()
  return self._is_closed
end

--- End it. What is left in it is cancelled. The program's own goes on, so that
-- scripts in the old style may close it; nor is it ever done twice.
-- @raise UsageError: it is running
function Loop:close()
  if self._is_program or self._is_closed then return end
  if self._gate then errors.usage "close: the loop is running" end
  if self._signals then self._signals:close() end
  self._is_closed = true
  self._host:close()
end

--- There is nothing to shut down: generators of Lua are no tasks.
function Loop:shutdown_asyncgens()
  assert(self)
end

function Loop:__tostring()
  local state = self._is_closed and "closed"
    or self:is_running() and "running" or "stopped"
  return ("<asyncio.Loop at %p [%s]>"):format(self, state)
end

return M
