--- Commands and functions of the configuration around the life of a service.
-- Each has a time limit, and none holds up another service.
-- @module luvisor.supervisor.hooks

local core = require "luvisor.core.task"
local envfile = require "luvisor.supervisor.envfile"
local errors = require "luvisor.error"
local process = require "luvisor.process"
local task = require "luvisor.task"

local M = {}

local LIMIT <const> = 1 -- seconds that a policy function may take

local function options(inst, command, timeout)
  local spec = inst.spec
  local env = spec.env_file and envfile.read(spec.env_file) or {}
  for name, value in pairs(spec.env) do env[name] = value end
  env.LUVISOR_SERVICE = inst.service
  env.LUVISOR_PID = inst.pid and tostring(inst.pid) or nil
  local opts = command.shell and { shell = command.shell }
    or table.move(command, 1, #command, 1, {})
  opts.env, opts.cwd, opts.user, opts.groups = env, spec.cwd, spec.user,
    spec.groups
  opts.timeout, opts.max_output = timeout, 1 << 20
  return opts
end

--- Run a command as the service's user, in its folder and environment. Waits.
-- @raise ExitError, Timeout, SpawnError
function M.command(inst, command, timeout)
  return process.run(options(inst, command, timeout))
end

--- Call a function of the configuration: others have their turn meanwhile.
-- @tparam number timeout seconds
-- @return its values
-- @raise its error, Timeout
function M.call(fn, timeout, ...)
  return task.timeout(timeout, core.fairly, fn, ...)
end

local function run_hook(inst, hook)
  if hook.fn then return M.call(hook.fn, hook.timeout, inst:view()) end
  M.command(inst, hook.command, hook.timeout)
end

--- Run one of the service's hooks, if it has it. Waits.
-- @tparam Instance inst
-- @tparam string name pre_start, post_start, pre_stop, post_stop
-- @raise Failed: the hook, and why
function M.run(inst, name)
  local hook = inst.spec.hooks[name]
  if not hook then return end
  local ok, err = pcall(run_hook, inst, hook)
  if ok then return end
  errors.raise { kind = "Failed", cause = err,
    message = ("hook %s: %s"):format(name, tostring(err)) }
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

--- Tell a running service to read its configuration again.
function M.reload(inst)
  local how = inst.spec.reload
  local ok, err = pcall(function()
    if how.signal then
      return (inst.main or inst.process):send_signal(how.signal)
    end
    run_hook(inst, how)
  end)
  if ok then return end
  inst.sup.log:warning("reload: " .. tostring(err), { service = inst.name })
end

return M
