--- Commands and functions of the configuration around the life of a service.
-- Each has a time limit, and none holds up another service.
--
-- A command is executed as the service's own process is: with its user, in its
-- folder and environment. What it leaves in the background when it ends is
-- ended, too.
-- @module luvisor.supervisor.hooks

local core = require "luvisor.core.task"
local environment = require "luvisor.supervisor.environment"
local errors = require "luvisor.error"
local process = require "luvisor.process"
local task = require "luvisor.task"

local M = {}

local LIMIT <const> = 1 -- seconds that a policy function may take
local KEPT <const> = 4096 -- bytes of what a command writes, for its error
local STOP <const> = { signal = "TERM", grace = 1 }

-- For those who look for processes it is an instance of its own.
local function unit_of(inst, what)
  return { name = inst.name .. "/" .. what, service = inst.service,
           spec = inst.spec, sup = inst.sup }
end

local function end_unit(unit)
  local d = unit.sup.descendants
  if unit.is_over then return end
  if d:any(unit) then d:stop(unit, STOP) end
  if unit.process then unit.process:wait() end
  d:forget(unit)
  unit.is_over = true
end

local function options(inst, unit, command)
  local opts = environment.options(inst, command)
  environment.lay_over(opts, {
    name = unit.name, stdin = "null", stdout = "pipe", stderr = "stdout",
    env = { LUVISOR_PID = inst.pid and tostring(inst.pid),
            LUVISOR_EXIT = inst.exit and tostring(inst.exit) },
  })
  environment.lay_over(opts, inst.sup.descendants:prepare(unit))
  return opts
end

local function read_tail(reader, tail)
  for chunk in reader:chunks() do
    tail.text = (tail.text .. chunk):sub(-KEPT)
  end
end

-- What it leaves may hold its pipe, so that goes first.
local function run_to_end(unit, tail)
  task.nursery(function(n)
    n:spawn(read_tail, unit.process.stdout, tail)
    unit.process:wait()
    end_unit(unit)
  end)
end

local function complain(unit, kind, why, tail)
  errors.raise { kind = kind, message = why, tail = tail.text,
                 status = unit.process.status }
end

--- Run a command. Waits until nothing of it is left.
-- @tparam Instance inst
-- @tparam table command
-- @tparam number timeout seconds
-- @tparam string what names it in messages
-- @raise ExitError, Timeout, with the end of what it wrote; SpawnError and what
-- else keeps it from being executed
function M.command(inst, command, timeout, what)
  local unit, tail = unit_of(inst, what), { text = "" }
  local _ <close> = setmetatable({}, { __close = function()
    task.shield(end_unit, unit)
    if unit.process then unit.process:close() end
  end })
  unit.process = process.spawn(options(inst, unit, command))
  inst.sup.descendants:started(unit)
  if not task.move_on(timeout, run_to_end, unit, tail) then
    complain(unit, "Timeout", ("timed out after %g s"):format(timeout), tail)
  end
  local status = unit.process.status
  if not status.ok then complain(unit, "ExitError", tostring(status), tail) end
end

-- The tasks that it starts end with it.
local function call(fn, ...)
  local args = table.pack(...)
  return task.nursery(function()
    return core.fairly(fn, table.unpack(args, 1, args.n))
  end)
end

--- Call a function of the configuration: others have their turn meanwhile.
-- @tparam ?number timeout seconds; nil: whoever calls has one
-- @return its values
-- @raise its error, Timeout
function M.call(fn, timeout, ...)
  if not timeout then return call(fn, ...) end
  return task.timeout(timeout, call, fn, ...)
end

local function run_hook(inst, hook, what)
  if hook.fn then return M.call(hook.fn, hook.timeout, inst:view()) end
  M.command(inst, hook.command, hook.timeout, what)
end

--- Run one of the service's hooks, if it has it. Waits.
-- @tparam Instance inst
-- @tparam string name pre_start, post_start, pre_stop, post_stop
-- @raise Failed: the hook, and why
function M.run(inst, name)
  local hook = inst.spec.hooks[name]
  if not hook then return end
  local ok, err = pcall(run_hook, inst, hook, name)
  if ok then return end
  local is_ours = errors.is_error(err) and err.message
  errors.raise { kind = "Failed", tail = is_ours and err.tail or nil,
    message = ("hook %s: %s"):format(name, is_ours or tostring(err)) }
end

--- The same; a failure is a line in luvisor's log.
function M.run_or_log(inst, name)
  local ok, err = pcall(M.run, inst, name)
  if ok then return end
  inst.sup.log:warning(tostring(err), { service = inst.name })
end

local answers = { restart = true, stop = true, fail = true }

--- What the configuration's on_exit says to an end. Waits.
-- @treturn string|nil "restart", "stop", "fail"
function M.on_exit(inst, status)
  local fn = inst.spec.on_exit
  if not fn then return nil end
  local ok, answer = pcall(M.call, fn, LIMIT, inst:view(), status)
  if ok and (answer == nil or answers[answer]) then return answer end
  local why = ok and ("it returned %s, not \"restart\", \"stop\" or \"fail\"")
    :format(tostring(answer)) or tostring(answer)
  inst.sup.log:warning("on_exit: " .. why, { service = inst.name })
  return nil
end

--- Tell a running service to read its configuration again. Waits.
-- @return its error, which is in luvisor's log, too; nil: there is none
function M.reload(inst)
  local how = inst.spec.reload
  local ok, err = pcall(function()
    if how.signal then
      return (inst.main or inst.process):send_signal(how.signal)
    end
    run_hook(inst, how, "reload")
  end)
  if ok then return end
  inst.sup.log:warning("reload: " .. tostring(err), { service = inst.name })
  return err
end

return M
