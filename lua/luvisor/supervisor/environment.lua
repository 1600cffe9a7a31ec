--- The environment of what is executed for a service: its own process, and the
-- commands of its hooks and probes.
-- @module luvisor.supervisor.environment

local envfile = require "luvisor.supervisor.envfile"
local facts = require "luvisor.supervisor.facts"

local M = {}

-- What is meant for luvisor alone is not inherited.
local private = {
  "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID",
  "LISTEN_FDNAMES",
}

local function lay_over(env, more)
  for name, value in pairs(more) do env[name] = value end
end

--- What is laid over luvisor's own environment. Waits.
-- @tparam Instance inst
-- @treturn table
-- @raise OSError, ConfigError: env_file; Failed: a fact that there is not
function M.of(inst)
  local spec, env = inst.spec, {}
  for _, name in ipairs(private) do env[name] = false end
  if spec.env_file then lay_over(env, envfile.read(spec.env_file)) end
  lay_over(env, facts.resolve(inst, spec.env))
  env.LUVISOR_SERVICE = inst.service
  if inst.number then env.LUVISOR_INSTANCE = tostring(inst.number) end
  return env
end

--- A command as options of process.spawn.
-- @tparam Instance inst
-- @tparam table command its words, or shell = "…"
-- @treturn table a new one
-- @raise Failed: a fact that there is not
function M.command(inst, command)
  if command.shell then return { shell = command.shell } end
  return facts.resolve(inst, command)
end

-- Keys of a service that are options of process.spawn by the same name, for
-- its commands as well.
local same = {
  "cwd", "umask", "nice", "limits", "oom_score_adj", "cpu_affinity",
  "no_new_privs", "groups", "user",
}

--- The options of process.spawn that all of them share. Waits.
-- @tparam Instance inst
-- @tparam table command
-- @treturn table a new one
-- @raise as `of`
function M.options(inst, command)
  local options = M.command(inst, command)
  for _, key in ipairs(same) do options[key] = inst.spec[key] end
  options.env = M.of(inst)
  return options
end

--- Lay options over others; env and fds are joined.
-- @tparam table options
-- @tparam table more
function M.lay_over(options, more)
  for key, value in pairs(more) do
    if key == "env" or key == "fds" then
      options[key] = options[key] or {}
      lay_over(options[key], value)
    else
      options[key] = value
    end
  end
end

return M
