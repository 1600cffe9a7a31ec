--- luvisor shutdown
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local target = require "luvisor.cli.target"

return {
  name = "shutdown",
  summary = "stop all services and the supervisor",
  description = [[
Stop all services in the reverse of their order, and then the supervisor, as
TERM does. Returns when it has ended.]],
  args = target.with { output.JSON },
  example = "luvisor shutdown",
  run = function(args)
    local r <close> = remote.open(args)
    r:shutdown()
    if args.json then output.json { ok = true } end
  end,
}
