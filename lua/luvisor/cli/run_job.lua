--- luvisor run-job
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local rows = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"

return {
  name = "run-job",
  summary = "run a job now, out of its time",
  description = [[
Start a job now. Its schedule goes on as before. It does not wait for its end:
`luvisor wait NAME waiting` does.]],
  args = target.with {
    { argument = "name", argname = "NAME", names = "services",
      description = "A service of type \"job\"." },
    output.JSON,
  },
  example = "luvisor run-job backup && luvisor wait backup waiting",
  run = function(args)
    rows.tell(args, remote.open(args):run_job(args.name))
  end,
}
