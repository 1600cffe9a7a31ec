--- luvisor shutdown
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local target = require "luvisor.cli.target"

return {
  name = "shutdown",
  summary = "stop all services and the supervisor",
  description = [[
Stop all services in the reverse of their order, and then the supervisor, as
TERM does. Returns when it has ended.]],
  args = target.with { requests.WAIT, requests.NO_WAIT, output.JSON },
  example = "luvisor shutdown",
  run = function(args)
    local wait = requests.wait(args)
    remote.open(args):shutdown(wait)
    if args.json then output.json { ok = true } end
  end,
}
