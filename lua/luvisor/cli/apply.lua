--- luvisor apply
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local steps = require "luvisor.cli.steps"
local target = require "luvisor.cli.target"

return {
  name = "apply",
  summary = "make the configuration that was edited take effect",
  description = [[
Read the configuration again, check it as a whole, and do the least that makes
it so: start what is new, stop what is gone, restart what is executed in another
way, change everything else while it runs. What was stopped by hand stays
stopped. If there is an error, nothing is changed, all errors are said, and the
exit code is 1.

It waits until what has to be stopped has ended, not until what it starts is
ready: `luvisor wait NAME ready` does.]],
  args = target.with { requests.WAIT, output.JSON },
  example = "luvisor plan && luvisor apply",
  run = function(args)
    local done = remote.open(args):apply { wait = args.wait }
    return steps.tell(args, done, "nothing has changed")
  end,
}
