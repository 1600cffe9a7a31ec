--- The program of a worker: load the module, then answer calls until the pool
-- hangs up. It listens during a call, too: a pool that is gone ends the call.
-- @local

local code = require "luvisor.pool.code"
local core = require "luvisor.core.pool"
local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"
local task = require "luvisor.task"
local values = require "luvisor.pool.values"
require "luvisor.core.stream" -- the classes of what attach returns

local encode = values.encode
local exit = os.exit -- whatever the module makes of it

-- What stands in a traceback below the called function is ours.
local function trimmed(traceback)
  local kept = {}
  for line in traceback:gmatch "[^\n]+" do
    if line:find("luvisor/pool/worker.lua:", 1, true) then
      if kept[#kept]:find "%[C%]: in" then kept[#kept] = nil end
      break
    end
    kept[#kept + 1] = line
  end
  return table.concat(kept, "\n")
end

-- Where a value was raised that cannot carry that itself.
local function traceback_of(value)
  local registry = debug.getregistry()
  local is_it = rawequal(registry["luvisor.last_error"], value)
  return is_it and registry["luvisor.last_traceback"]
end

local function describe(value)
  local ok, text = pcall(tostring, value)
  return ok and text or "an error that cannot be shown"
end

-- Whatever was raised, as an error object.
local function as_error(value)
  if not errors.is_error(value) then
    value = errors.new {
      kind = "WorkerError", message = describe(value), value = value,
      traceback = traceback_of(value) or nil,
    }
  end
  if type(value.traceback) == "string" then
    value.traceback = trimmed(value.traceback)
  end
  return value
end

-- The answer of a call that failed.
local function failure(value)
  local err = as_error(value)
  return encode(false, err) or encode(false, values.presentable(err))
end

-- The answer of a call that returned `...` from its scope.
local function answer(ok, ...)
  if not ok then return failure(errors.group((...))) end
  local message = encode(true, ...)
  if message then return message end
  values.refuse("pool:call", "result", 1, ...)
end

local function run(fn, ...)
  return answer(scope.new "nursery":run(fn, ...))
end

local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function"
    or type(meta) == "table" and meta.__call ~= nil
end

local function names_of(module)
  local names = {}
  for name, value in pairs(module) do
    if type(name) == "string" and is_callable(value) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function find(module, title, name)
  local fn = module[name]
  if is_callable(fn) then return fn end
  local near = errors.nearest(name, names_of(module))
  errors.usage("pool:call: %s has no function %q%s", title, name,
    near and ("; did you mean %q?"):format(near) or "")
end

-- What the called function has printed goes out before its answer.
local function flush()
  io.stdout:flush()
  local stream = package.loaded["luvisor.stream"]
  for _, name in ipairs { "stdout", "stderr" } do
    local writer = stream and rawget(stream, name)
    if writer and writer:pending() > 0 then writer:drain() end
  end
end

local function perform(worker, name, bytes, ...)
  local fn = bytes and code.load(bytes)
    or find(worker.module, worker.title, name)
  return run(fn, ...)
end

local function send(worker, message)
  worker.answered = true
  worker.output:write(message)
end

local function serve(worker, name, bytes, ...)
  worker.answered = false
  local _ <close> = worker
  task.current().name = name
  local ok, message = pcall(perform, worker, name, bytes, ...)
  if not ok then message = failure(message) end
  pcall(flush)
  send(worker, message)
  core.stay_awake()
end

local Worker = {}

-- A call that has cancelled its own task is over without an answer. One that
-- has ended the program will not have any.
function Worker.__close(worker)
  if worker.answered then return end
  core_task.spawn_root(function()
    if core_task.is_cancelled() then return end
    send(worker, failure(errors.new {
      kind = "Cancelled", message = "the call has cancelled its own task",
    }))
  end)
end

local function load_file(path)
  local chunk, why = loadfile(path)
  if not chunk then error(why, 0) end
  return chunk(path)
end

-- The module's functions: those in what it returns, or else the globals.
local function load_module(name, is_file)
  if not name then return _G end
  local module = (is_file and load_file or require)(name)
  return type(module) == "table" and module or _G
end

local function prepare(worker, there, name, is_file, path, cpath)
  if not there then return false end
  package.path, package.cpath = path, cpath
  worker.title = ("module %q"):format(name or "none")
  local ok, module = xpcall(load_module, as_error, name, is_file)
  if ok then
    worker.module = module
    return true
  end
  local err = errors.new {
    kind = "WorkerError", traceback = module.traceback, cause = module,
    message = ("module %q cannot be loaded"):format(name),
  }
  send(worker, encode(nil, err) or encode(nil, values.presentable(err)))
  return false
end

-- The next message's values; nothing when the pool has hung up.
local function receive(input)
  if input:peek(1) then return values.receive(input) end
end

local function listen(worker, name, ...)
  if not name then return false end
  task.spawn(serve, worker, name, ...)
  return true
end

return function()
  local input, output = core.attach()
  local worker = setmetatable({ output = output }, Worker)
  if not prepare(worker, receive(input)) then return end
  while listen(worker, receive(input)) do end
  exit(0)
end
