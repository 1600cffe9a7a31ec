--- Worker processes, for Lua that computes.
-- Tasks share one thread: while one computes, the others stand still. A pool
-- takes such functions to processes of their own, and only the calling task
-- waits for the answer. A worker is this program itself, with the module of the
-- pool loaded; it is started when a call needs it.
--
-- Arguments and results are copied: nil, booleans, integers, floats, strings of
-- any bytes, and tables of these, also as keys. A table that stands in several
-- places of one call is one table on the other side, too, and may contain
-- itself. Functions, coroutines and userdata raise UsageError, which says where
-- they stand. Metatables stay behind, except those of errors, Status and
-- Result.
-- @module luvisor.pool
-- @usage
-- local pool = require "luvisor.pool"
-- local p <close> = pool.new { workers = 2 }
-- local function sum(n)
--   local total = 0
--   for i = 1, n do total = total + i end
--   return total
-- end
-- print(p:call(sum, 1000000)) --> 500000500000
-- print(table.concat(p:map(sum, { 10, 20, 30 }), " ")) --> 55 210 465

local caller = require "luvisor.caller"
local code = require "luvisor.pool.code"
local core = require "luvisor.core.pool"
local core_os = require "luvisor.core.os"
local crews = require "luvisor.pool.crew"
local errors = require "luvisor.error"
local task = require "luvisor.task"
local values = require "luvisor.pool.values"

local M = {}

local Pool = {}
Pool.__index = Pool
Pool.__name = "luvisor.Pool"

local options = { workers = "count", module = "string", recycle = "count" }

-- As the command line tells a script from a word.
local function is_file(module)
  return module:find("/", 1, true) or module:find "%.lua$"
end

local function check_file(path)
  local file, why = io.open(path)
  if not file then errors.usage("pool.new: module: %s", why) end
  file:close()
end

-- As require will look for it in a worker, which has our package.path.
local function check_name(name)
  if name == "luvisor" or name:find "^luvisor%." then return end
  local found, tried = package.searchpath(name, package.path)
  if not found then
    local why
    found, why = package.searchpath(name, package.cpath)
    tried = tried .. "\n\t" .. (why or "")
  end
  found = found or package.searchpath(name:match "^[^.]*", package.cpath)
  if found then return end
  errors.usage("pool.new: module %q not found:\n\t%s", name, tried)
end

--- Make a pool. Its workers are started later, one by one, as calls come that
-- find none idle. They get the descriptors 1 and 2, the environment, the
-- working directory, package.path and package.cpath of this program; their
-- stdin is /dev/null.
-- @tparam[opt] table opts workers: how many at most (default: the number of
-- processors); module: a name for `require`, or a file (with a slash, or
-- ending in .lua), whose functions can be called by name: those in the table
-- that it returns, or else its globals; recycle: after how many calls a worker
-- is replaced (default: never)
-- @treturn Pool to be closed, or a variable with `<close>`
-- @raise UsageError: an option is wrong, or there is no such module
-- @usage
-- local pool = require "luvisor.pool"
-- local p <close> = pool.new { workers = 1, module = "luvisor.words" }
-- print(p:call("quote", "it's")) --> 'it'\''s'
function M.new(opts)
  opts = errors.check_options("pool.new", opts, options)
  local module = opts.module
  local from_file = module and is_file(module)
  if module then (from_file and check_file or check_name)(module) end
  local hello = values.encode(true, module, from_file, package.path,
    package.cpath)
  local most = opts.workers or core_os.processors()
  return setmetatable({
    workers = most, module = module, _where = caller(),
    _crew = crews.new(most, hello, opts.recycle),
  }, Pool)
end

--- Worker processes, and calls that wait for them.
-- @type Pool
-- @tfield integer workers how many there are at most
-- @tfield ?string module as it was given

-- What to call, for the worker: a name and nothing, or a title and its code.
local function target(self, where, fn)
  if type(fn) == "function" then
    local bytes, title = code.dump(where, fn)
    return title, bytes
  end
  if type(fn) ~= "string" then
    errors.usage("%s: expected the name of a function, or a function, got %s",
      where, type(fn))
  end
  if not self.module then
    errors.usage("%s: %q can be called only in a pool that was given a module",
      where, fn)
  end
  return fn
end

-- Errors of a worker tell both where they were raised and where we called.
local function raise(link, err)
  local there = ("stack traceback (worker %d):"):format(link.process.pid)
  local inner = type(err.traceback) == "string" and err.traceback or there
  local here = debug.traceback("called from:", 3)
  err.traceback = inner:gsub("^stack traceback:", there) .. "\n"
    .. here:gsub("\nstack traceback:", "", 1)
  error(err, 0)
end

-- Stands for: the worker had died before the call could reach it.
local MISSED = {}

local is_death = { BrokenPipe = true, IncompleteRead = true }

local function failed(self, link, name, err)
  local kind = errors.is_error(err) and err.kind
  if kind == "Closed" and self._crew.closed then
    errors.raise { kind = "Closed", message = "the pool was closed during "
      .. name }
  end
  if kind == "BrokenPipe" and link.calls > 1 then return MISSED end
  if is_death[kind] then err = link:obituary(name) end
  error(err, 0)
end

-- What Link:ask has returned, or raised, for the caller.
local function outcome(self, link, name, ok, success, ...)
  if not ok then return failed(self, link, name, success) end
  if success then return ... end
  if success == nil then link.done = false end -- it could not load the module
  raise(link, (...))
end

local function attempt(self, message, name)
  local lease <close> = self._crew:acquire()
  local link = lease.link
  return outcome(self, link, name, pcall(link.ask, link, message))
end

-- Again, with another worker, if the first one has missed the call.
local function settle(self, message, name, ...)
  if rawequal((...), MISSED) then
    local function once_more(...)
      if not rawequal((...), MISSED) then return ... end
      errors.raise { kind = "WorkerDied", subject = name,
                     message = "the workers died before " .. name }
    end
    return once_more(attempt(self, message, name))
  end
  return ...
end

local function call(self, where, what, first, fn, ...)
  core.check_wait()
  local name, bytes = target(self, where, fn)
  local message = values.encode(name, bytes, ...)
  if not message then values.refuse(where, what, first, ...) end
  return settle(self, message, name, attempt(self, message, name))
end

--- Call a function in a worker and wait for what it returns. A worker serves
-- one call at a time; while all are busy, calls wait in turn. The function runs
-- in a task and may use all of luvisor; the call ends when the tasks that it
-- has spawned have. If the call is cancelled, or a time limit ends it, its
-- worker and the worker's children are killed, and another takes its place.
-- @tparam string|function fn the name of a function of the pool's module; or a
-- Lua function that uses nothing from outside but globals, which are the
-- worker's
-- @param ... its arguments
-- @return copies of its results
-- @raise the error of the function: an error object as it was, anything else as
-- the `value` of a WorkerError; its `traceback` is of the worker, and of the
-- caller after it. WorkerDied, with `status`: the worker ended during the call.
-- Closed: the pool was closed. UsageError: there is no such function, or a
-- value cannot be sent.
-- @usage
-- local pool = require "luvisor.pool"
-- local p <close> = pool.new { workers = 1 }
-- local ok, err = pcall(p.call, p, function(x) return x.y.z end, {})
-- print(err:is("WorkerError"), err.message) --> true …attempt to index a nil…
function Pool:call(fn, ...)
  return call(self, "pool:call", "argument", 1, fn, ...)
end

--- Call a function for each item, in as many workers as there are.
-- @tparam string|function fn called with the item; as for `call`
-- @tparam table list
-- @treturn table the first result of each call, in the order of the list
-- @raise the first error, as `call`: the other calls are cancelled, their
-- workers replaced
-- @usage
-- local pool = require "luvisor.pool"
-- local p <close> = pool.new { workers = 2, module = "luvisor.words" }
-- print(table.concat(p:map("quote", { "a b", "c" }), " ")) --> 'a b' c
function Pool:map(fn, list)
  if type(list) ~= "table" then
    errors.usage("pool:map: takes a function and a list, got %s and %s",
      type(fn), type(list))
  end
  target(self, "pool:map", fn)
  return task.map(list, function(item, index)
    return (call(self, "pool:map", "element", index, fn, item))
  end, { jobs = self.workers })
end

--- End the workers. Those that are idle get the time to clean up, the others
-- are killed; calls under way, and those that wait, raise Closed. Waits until
-- all are gone, which a cancellation does not end. Twice is harmless. The end
-- of the script does the same.
function Pool:close()
  self._crew:close()
end

Pool.__close = Pool.close

function Pool:__gc()
  if not self._crew:abandon() then return end
  io.stderr:write(("luvisor: warning: the pool made at %s was dropped while it "
    .. "has workers; they end\n"):format(self._where))
end

function Pool:__tostring()
  local all, busy, waiting = self._crew:counts()
  return ("pool (%d of %d workers, %d busy, %d calls waiting%s)"):format(all,
    self.workers, busy, waiting, self._crew.closed and ", closed" or "")
end

return M
