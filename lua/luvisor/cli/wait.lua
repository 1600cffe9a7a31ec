--- luvisor wait
-- @local

local errors = require "luvisor.error"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local rows = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"

local states = { "ready", "running", "stopped", "waiting", "starting",
                 "stopping", "backoff", "failed", "done" }

return {
  name = "wait",
  summary = "wait until a service is in a state",
  description = [[
Wait until a service, all instances of it, is in a state. `running` is ready,
too; `ready` is running, or done for one that runs once. The exit code is 1 if
the time is over before.]],
  args = target.with {
    { argument = "name", argname = "NAME", names = "services",
      description = "A service or an instance." },
    { argument = "state", argname = "STATE", choices = states,
      description = "The state." },
    { option = "--timeout", argname = "S", convert = requests.duration,
      description = "Give up after S seconds (10, 1m30s)." },
    output.JSON,
  },
  example = "luvisor wait db ready --timeout 30 && ./migrate",
  run = function(args)
    local r = remote.open(args)
    local ok, result = pcall(r.wait, r, args.name, args.state, args.timeout)
    if ok then return rows.tell(args, result) end
    if errors.is_error(result) and result:is "Timeout" then
      requests.explain(r, args.name, result)
    end
    error(result, 0)
  end,
}
