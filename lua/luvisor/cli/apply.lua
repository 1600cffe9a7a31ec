--- luvisor apply
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local steps = require "luvisor.cli.steps"
local target = require "luvisor.cli.target"

return {
  name = "apply",
  summary = "make the configuration that was edited take effect",
  description = [[
Read the configuration again, check it as a whole, and do the least that makes
it so: start what is new, stop what is gone, restart what is executed in another
way, change everything else while it runs. What was stopped by hand stays
stopped. If there is an error, nothing is changed.]],
  args = target.with { output.JSON },
  example = "luvisor plan && luvisor apply",
  run = function(args)
    local r <close> = remote.open(args)
    return steps.tell(args, r:apply(), "nothing has changed")
  end,
}
