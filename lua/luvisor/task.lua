--- Tasks: functions that run side by side, and nurseries that hold them.
-- A task is spawned into a nursery, and the nursery ends only when its tasks
-- have; so none is forgotten, and an error in one reaches who began it. The
-- script itself is the root nursery. Cancelling raises Cancelled where a task
-- waits, and again at every later wait, until the cancelled scope is left.
-- @module luvisor.task

local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"
local waiters = require "luvisor.waiters"

local M = {}

local pack, unpack = table.pack, table.unpack

--- Start a task in the nearest nursery around the caller. Does not wait: the
-- task runs when the caller does.
-- @function spawn(fn, ...)
-- @tparam function fn called with the further arguments
-- @treturn Task
-- @raise Closed when the program is ending
-- @usage local t = task.spawn(function(a, b) return a + b end, 1, 2)
-- print(t:join()) --> 3
M.spawn = core.spawn

--- Start a task of no nursery: if it fails, the error is printed and cancels
-- nobody; the program does not wait for it, but cancels it at its end.
-- @function detached(fn, ...)
-- @tparam function fn called with the further arguments
-- @treturn Task
M.detached = core.detached

--- Suspend the calling task, never for less; 0 is a turn of the others.
-- @function sleep
-- @tparam number seconds
M.sleep = core.sleep

--- Let the other ready tasks and the outside world have a turn; raises
-- Cancelled in a cancelled scope.
-- @function checkpoint
M.checkpoint = core.checkpoint

--- The running task; nil outside one (in a finalizer).
-- @function current
-- @treturn Task
M.current = core.current

--- All tasks that have not ended, oldest first.
-- @function list
-- @treturn {Task,...}
M.list = core.list

--- A text with every task, what it waits for and where. (So does SIGQUIT.)
-- @function dump
-- @treturn string
M.dump = core.dump

--- Call a function, in a task, when the script and its tasks have ended; the
-- last one given is called first, and each is called whatever becomes of the
-- others: an error is printed and makes the exit code 1.
-- @function at_exit
-- @tparam function fn may wait
M.at_exit = core.at_exit

-- What scope:run returned, for the caller: values, or the error. `cancelled`
-- makes the result where the scope itself was cancelled.
local function outcome(cancelled, ok, ...)
  if ok then return ... end
  if ok == nil then return cancelled(...) end
  error(errors.group(...), 0)
end

local function nothing() end

local Nursery = {}
Nursery.__index = Nursery
Nursery.__name = "luvisor.Nursery"

--- Start a task in this nursery.
-- @function Nursery:spawn
-- @tparam function fn called with the further arguments
-- @treturn Task
-- @raise Closed when the nursery has ended
function Nursery:spawn(fn, ...)
  return self._scope:spawn(fn, ...)
end

--- End the nursery quietly: its tasks and its body are cancelled where they
-- wait, and task.nursery returns. Never waits.
-- @function Nursery:cancel
-- @param[opt] reason becomes the `reason` of the Cancelled errors
function Nursery:cancel(reason)
  self._scope:cancel(reason)
end

local Undo = {}
Undo.__name = "luvisor.undo"

function Undo:__close()
  self.fn()
end

-- For a <close> variable: fn is called when its block is left, however.
local function on_leaving(fn)
  return setmetatable({ fn = fn }, Undo)
end

-- Stands between a nursery and a function that has yet to call started(): what
-- it raises before is for whoever starts it, what it raises after for the
-- nursery.
local function run_starting(start, fn, ...)
  local _ <close> = on_leaving(function() start.line:wake() end)
  local result = pack(xpcall(fn, core.keep_traceback, ...))
  if result[1] then return unpack(result, 2, result.n) end
  if start.values then error(result[2], 0) end
  start.failed, start.err = true, result[2]
end

--- Start a task and wait until it is ready: fn is called with a function
-- `started` before its arguments, and what it gives to that is returned here.
-- What fn raises before it has called started is raised here, and the nursery
-- goes on. If this wait is cancelled, so is the task.
-- @function Nursery:start
-- @tparam function fn called with started and the further arguments
-- @return what fn gave to started
-- @raise UsageError when fn returns without having called started; Cancelled
-- when its task was cancelled before
-- @usage
-- task.nursery(function(n)
--   local port = n:start(function(started)
--     local server <close> = process.spawn { shell = "echo 8080; sleep 60",
--                                            stdout = "pipe" }
--     started(server.stdout:readline())
--     server:wait()
--   end)
--   print(port) --> 8080
--   n:cancel()
-- end)
function Nursery:start(fn, ...)
  local start = { line = waiters.new "a task to start" }
  local function started(...)
    start.values = start.values or pack(...)
    start.line:wake()
  end
  local child = self._scope:spawn(run_starting, start, fn, started, ...)
  local _ <close> = on_leaving(function()
    if not start.values then child:cancel() end
  end)
  start.line:wait()
  if start.values then return unpack(start.values, 1, start.values.n) end
  if start.failed then error(start.err, 0) end
  child:join()
  errors.usage("start: the function returned without having called started()")
end

--- Run fn with a nursery, and return when it and all tasks spawned into the
-- nursery have ended. If one fails, the others and fn are cancelled, and its
-- error is raised here (an ErrorGroup if several failed).
-- @tparam function fn called with the nursery
-- @return fn's values; nothing if the nursery was cancelled
-- @usage
-- task.nursery(function(n)
--   n:spawn(task.sleep, 0.1)
--   n:spawn(task.sleep, 0.2)
-- end) -- 0.2 seconds later
function M.nursery(fn)
  local s = scope.new "nursery"
  return outcome(nothing, s:run(fn, setmetatable({ _scope = s }, Nursery)))
end

local function raise_timeout(seconds)
  return function()
    errors.raise {
      kind = "Timeout",
      message = ("timed out after %g s"):format(seconds),
      seconds = seconds,
    }
  end
end

-- nil would be no limit at all: probably a name misspelt.
local function check_limit(where, seconds)
  local is_limit = type(seconds) == "number" and seconds >= 0
  if not is_limit then
    errors.usage("%s: the limit must be a number of seconds, got %s", where,
      tostring(seconds))
  end
end

--- Call fn, but no longer than this: then it is cancelled where it waits. 0 is
-- at its first wait.
-- @tparam number seconds
-- @tparam function fn called with the further arguments; may wait
-- @return fn's values
-- @raise Timeout
-- @usage
-- local p <close> = process.spawn { "sleep", "0.1" }
-- print(task.timeout(5, p.wait, p)) --> exited 0
function M.timeout(seconds, fn, ...)
  check_limit("timeout", seconds)
  return outcome(raise_timeout(seconds), scope.new("scope", seconds)
    :run(fn, ...))
end

local function call_yes(fn, ...)
  return true, fn(...)
end

local function no()
  return false
end

--- Call fn, but no longer than this, and go on.
-- @tparam number seconds
-- @tparam function fn called with the further arguments; may wait
-- @return true and fn's values, or false if the time was over
function M.move_on(seconds, fn, ...)
  check_limit("move_on", seconds)
  return outcome(no, scope.new("scope", seconds):run(call_yes, fn, ...))
end

--- Call fn untouched by cancellations from outside; they are felt after it.
-- @tparam function fn called with the further arguments; may wait
-- @return fn's values
function M.shield(fn, ...)
  return outcome(nothing, scope.new "shield":run(fn, ...))
end

--- As shield, but no longer than this: for cleanup that must wait.
-- @tparam number seconds
-- @tparam function fn called with the further arguments; may wait
-- @return fn's values
-- @raise Timeout, as an ordinary error
function M.shield_for(seconds, fn, ...)
  check_limit("shield_for", seconds)
  return outcome(raise_timeout(seconds), scope.new("shield", seconds)
    :run(fn, ...))
end

-- A task may stand where a function may: it is joined.
local function call(f)
  if type(f) == "userdata" then return f:join() end
  return f()
end

local function is_callable(f)
  if type(f) == "function" then return true end
  local meta = getmetatable(f)
  return type(meta) == "table"
    and (meta.__call ~= nil or meta.__name == "luvisor.Task")
end

-- Functions or tasks, packed.
local function check_all(where, ...)
  local fns = pack(...)
  for i = 1, fns.n do
    if not is_callable(fns[i]) then
      errors.usage("%s: argument %d must be a function or a task, got %s",
        where, i, type(fns[i]))
    end
  end
  return fns
end

--- Call functions side by side; an error in one cancels the others.
-- @param ... functions (or tasks, which are joined)
-- @return the first value of each, in their order
-- @usage
-- local kernel, host = task.gather(
--   function() return process.capture { "uname", "-r" } end,
--   function() return process.capture { "uname", "-n" } end)
-- print(kernel, host)
function M.gather(...)
  local fns, results = check_all("gather", ...), {}
  M.nursery(function(n)
    for i = 1, fns.n do
      n:spawn(function() results[i] = call(fns[i]) end)
    end
  end)
  return unpack(results, 1, fns.n)
end

--- Call functions side by side, to the end of each, whatever fails.
-- @param ... functions (or tasks)
-- @treturn {table,...} for each `{ok = true, value =}` or `{ok = false, error
-- =}`
function M.settle(...)
  local fns, results = check_all("settle", ...), {}
  M.nursery(function(n)
    for i = 1, fns.n do
      n:spawn(function()
        local ok, value = pcall(call, fns[i])
        results[i] = ok and { ok = true, value = value }
          or { ok = false, error = value }
      end)
    end
  end)
  return results
end

--- Call functions side by side until the first has ended; the others are
-- cancelled.
-- @param ... functions (or tasks)
-- @return its place among the arguments, and its values
-- @raise its error, if it failed
function M.race(...)
  local fns, winner = check_all("race", ...), nil
  if fns.n == 0 then errors.usage("race: expected functions, got none") end
  M.nursery(function(n)
    for i = 1, fns.n do
      n:spawn(function()
        local values = pack(call(fns[i]))
        winner = winner or { i, values }
        n:cancel()
      end)
    end
  end)
  return winner[1], unpack(winner[2], 1, winner[2].n)
end

--- Call fn for each item, a number of calls at once.
-- @tparam table list
-- @tparam function fn called with item and index; may wait
-- @tparam[opt] table opts jobs: how many at once (default: all)
-- @treturn table the first value of each call, in the order of the list
-- @raise the first error; the other calls are cancelled
function M.map(list, fn, opts)
  opts = errors.check_options("task.map", opts, { jobs = "count" })
  local results, next_index = {}, 0
  local function work()
    while next_index < #list do
      next_index = next_index + 1
      local i = next_index
      results[i] = fn(list[i], i)
    end
  end
  M.nursery(function(n)
    for _ = 1, math.min(opts.jobs or #list, #list) do n:spawn(work) end
  end)
  return results
end

local function is_part(value)
  return type(value) == "number" and value >= 0 and value <= 1,
    "a number from 0 to 1"
end

local retry_options = {
  times = "count", delay = "seconds", factor = "number", max = "seconds",
  jitter = is_part,
}

--- Call fn until it succeeds.
-- @tparam ?table opts times: calls in all (3); delay: seconds before the second
-- call (0.1); factor: by which the delay grows (2); max: seconds (60); jitter:
-- the part of the delay that is random, 0 to 1 (0)
-- @tparam function fn called with the further arguments; may wait
-- @return fn's values
-- @raise the last error; a cancellation at once
function M.retry(opts, fn, ...)
  opts = errors.check_options("task.retry", opts, retry_options)
  local times, delay = opts.times or 3, opts.delay or 0.1
  for attempt = 1, times do
    local result = pack(xpcall(fn, core.keep_traceback, ...))
    if result[1] then return unpack(result, 2, result.n) end
    if attempt == times then error(result[2], 0) end
    local jitter = 1 - (opts.jitter or 0) * math.random()
    M.sleep(math.min(delay, opts.max or 60) * jitter)
    delay = delay * (opts.factor or 2)
  end
end

return M
