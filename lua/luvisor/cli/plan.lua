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
Have the supervisor read its configuration again, and say what `luvisor apply`
would do. Nothing is changed. If there are errors, all of them are said, and the
exit code is 1.]],
  args = target.with { output.JSON },
  example = "luvisor plan",
  run = function(args)
    return steps.tell(args, remote.open(args):plan(), "nothing would change")
  end,
}
