--- luvisor scale
-- @local

local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local rows = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"

local function pair_of(text)
  local name, n = text:match "^(.+)=(%d+)$"
  if not name then
    return nil, ("expected NAME=NUMBER as worker=3, got '%s'"):format(text)
  end
  return { name = name, n = math.tointeger(tonumber(n)) }
end

return {
  name = "scale",
  summary = "change how many instances of a service run",
  description = [[
Have so many instances of a service that has `instances` in the configuration,
and wait until those that are taken away have ended. It holds until the number
in the file changes, also over a restart of luvisor. Those with the highest
numbers are stopped first.]],
  args = target.with {
    { argument = "pairs", argname = "NAME=N", args = "+", convert = pair_of,
      names = "services", description = "As worker=3." },
    requests.WAIT, requests.NO_WAIT, output.JSON,
  },
  example = "luvisor scale worker=8",
  run = function(args)
    local opts = { wait = requests.wait(args) }
    local r, list = remote.open(args), json.list {}
    for _, pair in ipairs(args.pairs) do
      local now = r:scale(pair.name, pair.n, opts)
      table.move(now, 1, #now, #list + 1, list)
    end
    rows.tell(args, list)
  end,
}
