--- luvisor scale
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
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
Have so many instances of a service that has `instances` in the configuration.
It holds until the number in the file changes, also over a restart of luvisor.
Those with the highest numbers are stopped first.]],
  args = target.with {
    { argument = "pairs", argname = "NAME=N", args = "+", convert = pair_of,
      names = "services", description = "As worker=3." },
    output.JSON,
  },
  example = "luvisor scale worker=8",
  run = function(args)
    local r <close> = remote.open(args)
    local names = {}
    for i, pair in ipairs(args.pairs) do
      r:scale(pair.name, pair.n)
      names[i] = pair.name
    end
    local list = {}
    for _, one in ipairs(r:list()) do
      for _, name in ipairs(names) do
        if one.service == name then list[#list + 1] = one end
      end
    end
    if args.json then return output.json { services = list } end
    for _, one in ipairs(list) do io.write(rows.sentence(one), "\n") end
  end,
}
