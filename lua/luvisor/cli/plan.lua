--- luvisor plan
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local steps = require "luvisor.cli.steps"
local target = require "luvisor.cli.target"

return {
  name = "plan",
  summary = "say what apply would do",
  description = [[
Read the configuration that the supervisor runs again, and say what `luvisor
apply` would do. Nothing is changed. The exit code is 1 if it has errors, and
all of them are said.]],
  args = target.with { output.JSON },
  example = "luvisor plan",
  run = function(args)
    local r <close> = remote.open(args)
    return steps.tell(args, r:plan(), "nothing would change")
  end,
}
