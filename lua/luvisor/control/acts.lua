--- Doing what a client asks for.
-- What has begun goes on, though the client leaves or does not want to wait any
-- longer: a restart that ends half-way would leave services down.
-- @local

local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"
local problems = require "luvisor.control.problems"
local task = require "luvisor.task"

local M = {}

--- The instances that a name in a path means.
-- @tparam Supervisor sup
-- @tparam string name
-- @treturn {Instance,...}
-- @raise NotFound, with the near name
function M.find(sup, name)
  local ok, result = pcall(sup.find, sup, name)
  if ok then return result end
  if not errors.is_error(result) then error(result, 0) end
  problems.raise("NotFound", "%s", result.message)
end

local function raise_late(what, seconds)
  problems.raise("Timeout", "%s: not done after %g s; it goes on", what,
    seconds)
end

--- Wait for a function as long as the query's `wait` says; it is cancelled
-- then.
-- @raise Timeout, and what it raises
function M.limited(call, what, fn)
  local limit = call.query.wait
  if not limit then return fn() end
  if not task.move_on(limit, fn) then
    problems.raise("Timeout", "%s: not so after %g s", what, limit)
  end
end

-- Its error is for who waits for it; one that nobody hears is logged.
local function run(call, what, fn, outcome)
  local ok, err = xpcall(fn, core_task.keep_traceback)
  outcome.done, outcome.err = true, not ok and err or nil
  if ok or outcome.heard then return end
  call.sup.log:warning(what .. " failed, and who asked has gone", {
    by = call.by, error = tostring(err),
  })
end

local Hearing = {}

function Hearing:__close()
  self.outcome.heard = false
end

--- Do it in a task of its own and wait for it, as long as the query's `wait`
-- says.
-- @tparam table call
-- @tparam string what "restart web", for messages
-- @tparam function fn
-- @treturn boolean false: it goes on (wait = 0)
-- @raise what it raises; Timeout: it goes on
function M.perform(call, what, fn)
  local outcome, limit = { heard = true }, call.query.wait
  local _ <close> = setmetatable({ outcome = outcome }, Hearing)
  local t = task.detached(run, call, what, fn, outcome)
  if limit == 0 then
    task.checkpoint() -- what is refused is refused at once
  elseif not limit then
    t:join()
  elseif not task.move_on(limit, t.join, t) then
    raise_late(what, limit)
  end
  if outcome.err then error(outcome.err, 0) end
  return outcome.done or false
end

return M
