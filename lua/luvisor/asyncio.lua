--- Python's asyncio, by its names, over luvisor's tasks.
-- Calling is awaiting: what Python writes as `await f(x)` is `f(x)` here, and
-- suspends the calling task only. What is to run beside it is given to
-- `create_task`, `gather` and the like as an *awaitable*: a Future or Task, a
-- function, or a list `{fn, arg, …}`, a call that has not begun (Python's
-- coroutine object). Keyword arguments go into a table at the end: `gather(a,
-- b, {return_exceptions = true})`. `async with` is `<close>`, `async for` is
-- `for`.
--
-- An event loop need not be made: outside `asyncio.run` the script itself is a
-- task of the program's loop.
-- @module luvisor.asyncio
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   asyncio.run(function()
--     local t = asyncio.create_task(asyncio.sleep, 0.1, "slept")
--     print(t:await()) --> slept
--   end)

local M = {}

-- Where each name is made: it is loaded when it is first used.
local home = {
  ALL_COMPLETED = "wait",
  Barrier = "barrier",
  BaseProtocol = "protocols",
  BoundedSemaphore = "semaphore",
  BrokenBarrierError = "errors",
  BrokenPipeError = "errors",
  CancelledError = "errors",
  Condition = "condition",
  ConnectionResetError = "errors",
  Event = "locks",
  FIRST_COMPLETED = "wait",
  FIRST_EXCEPTION = "wait",
  Future = "futures",
  IncompleteReadError = "errors",
  InvalidStateError = "errors",
  LifoQueue = "queues",
  LimitOverrunError = "errors",
  Lock = "locks",
  PriorityQueue = "queues",
  ProcessLookupError = "errors",
  Protocol = "protocols",
  Queue = "queues",
  QueueEmpty = "errors",
  QueueFull = "errors",
  QueueShutDown = "errors",
  Runner = "runners",
  Semaphore = "semaphore",
  StreamReader = "reader",
  StreamReaderProtocol = "protocols",
  StreamWriter = "writer",
  SubprocessProtocol = "protocols",
  Task = "tasks",
  TaskGroup = "taskgroups",
  Timeout = "timeouts",
  TimeoutError = "errors",
  all_tasks = "tasks",
  as_completed = "wait",
  await = "tasks",
  connect_read_pipe = "pipes",
  connect_write_pipe = "pipes",
  create_subprocess_exec = "subprocess",
  create_subprocess_shell = "subprocess",
  create_task = "tasks",
  current_task = "tasks",
  ensure_future = "tasks",
  gather = "gather",
  get_event_loop = "loop",
  get_running_loop = "loop",
  isfuture = "futures",
  new_event_loop = "loop",
  open_connection = "connections",
  open_unix_connection = "connections",
  pcall = "tasks",
  run = "runners",
  run_coroutine_threadsafe = "tasks",
  set_event_loop = "loop",
  shield = "shield",
  sleep = "tasks",
  start_server = "servers",
  start_unix_server = "servers",
  streams = "streams",
  subprocess = "subprocess",
  subprocess_exec = "processes",
  subprocess_shell = "processes",
  timeout = "timeouts",
  timeout_at = "timeouts",
  to_thread = "executor",
  wait = "wait",
  wait_for = "wait",
}

return setmetatable(M, {
  __index = function(asyncio, name)
    local file = home[name]
    if not file then return nil end
    local value = require("luvisor.asyncio." .. file)[name]
    rawset(asyncio, name, value)
    return value
  end,
})
