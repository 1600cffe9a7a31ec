--- The options with which the process of an instance is spawned: what the
-- configuration says, and what each part of the supervisor adds.
-- @module luvisor.supervisor.spawning

local environment = require "luvisor.supervisor.environment"
local ready = require "luvisor.supervisor.ready"
local sockets = require "luvisor.supervisor.sockets"

local M = {}

local lay_over = environment.lay_over

--- The options for the next start of an instance. Waits.
-- @tparam Instance inst
-- @treturn table for process.spawn
-- @raise OSError: env_file cannot be read, an address is in use; Failed: a fact
-- that there is not
function M.options(inst)
  local spec = inst.spec
  local options = environment.options(inst, spec.command)
  options.name, options.pty, options.stdin = inst.name, spec.pty, spec.stdin
  local io = inst.log:stdio() -- with a terminal, too: it must be possible
  if not spec.pty then lay_over(options, io) end
  lay_over(options, ready.prepare(inst))
  lay_over(options, sockets.prepare(inst))
  lay_over(options, inst.sup.descendants:prepare(inst))
  return options
end

return M
