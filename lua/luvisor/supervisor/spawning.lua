--- The options with which the process of an instance is spawned: what the
-- configuration says, and what each part of the supervisor adds.
-- @module luvisor.supervisor.spawning

local envfile = require "luvisor.supervisor.envfile"
local ready = require "luvisor.supervisor.ready"
local sockets = require "luvisor.supervisor.sockets"

local M = {}

-- Keys of a service that are options of process.spawn by the same name.
local same = {
  "cwd", "umask", "nice", "limits", "oom_score_adj", "cpu_affinity",
  "no_new_privs", "pty", "groups", "user",
}

local function lay_over(options, more)
  for key, value in pairs(more) do
    if key == "env" or key == "fds" then
      options[key] = options[key] or {}
      for name, one in pairs(value) do options[key][name] = one end
    else
      options[key] = value
    end
  end
end

local function command(spec)
  if spec.command.shell then return { shell = spec.command.shell } end
  return table.move(spec.command, 1, #spec.command, 1, {})
end

-- What is meant for luvisor alone is not inherited.
local private = {
  "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID",
  "LISTEN_FDNAMES",
}

local function environment(inst)
  local spec, env = inst.spec, {}
  for _, name in ipairs(private) do env[name] = false end
  if spec.env_file then lay_over(env, envfile.read(spec.env_file)) end
  lay_over(env, spec.env)
  env.LUVISOR_SERVICE = inst.service
  if inst.number then env.LUVISOR_INSTANCE = tostring(inst.number) end
  return env
end

--- The options for the next start of an instance.
-- @tparam Instance inst
-- @treturn table for process.spawn
-- @raise OSError: env_file cannot be read
function M.options(inst)
  local spec = inst.spec
  local options = command(spec)
  options.name = inst.name
  for _, key in ipairs(same) do options[key] = spec[key] end
  options.stdin = spec.stdin
  options.env = environment(inst)
  if not spec.pty then lay_over(options, inst.log:stdio()) end
  lay_over(options, ready.prepare(inst))
  lay_over(options, sockets.prepare(inst))
  lay_over(options, inst.sup.descendants:prepare(inst))
  return options
end

return M
