--- What start, stop, restart and reload have in common: names, how long to
-- wait, and what is said at the end.
-- @local

local errors = require "luvisor.error"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local table_of = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"
local task = require "luvisor.task"
local units = require "luvisor.supervisor.units"

local M = {}

--- Converts an argument that is a duration, for argparse.
function M.duration(text)
  local seconds = units.duration(tonumber(text) or text)
  if seconds then return seconds end
  return nil, ("expected seconds or a duration as 10s, got '%s'"):format(text)
end

M.NAMES = {
  argument = "names", argname = "NAME", args = "*", names = "services",
  description = "Services (all their instances) or\ninstances, as worker@2.",
}
M.ALL = { flag = "--all", description = "All services." }
M.WAIT = {
  option = "--wait", argname = "S", convert = M.duration,
  description = "Wait for at most S seconds (10, 1m30s);\nwithout it, as long "
    .. "as it takes.",
}
M.NO_WAIT = { flag = "--no-wait", description = "Do not wait at all." }

-- The services that are meant.
local function names_of(args, list)
  if args.all and #args.names > 0 then
    errors.usage "names and --all are not used together"
  end
  if not args.all and #args.names == 0 then
    errors.usage "which services? Say their names, or --all"
  end
  if not args.all then return args.names end
  local names, seen = {}, {}
  for _, one in ipairs(list) do
    if not seen[one.service] then names[#names + 1] = one.service end
    seen[one.service] = true
  end
  return names
end

local function wait_of(args)
  if args.wait and args.no_wait then
    errors.usage "--wait and --no-wait are not used together"
  end
  if args.no_wait then return false end
  return args.wait
end

local function tell(err)
  io.stdout:flush()
  io.stderr:write("luvisor: ", tostring(err), "\n")
end

-- Their states afterwards, of those that were meant.
local function report(args, names, results, list)
  local wanted = {}
  for i, name in ipairs(names) do wanted[name] = results[i].ok end
  local told = {}
  for _, one in ipairs(list) do
    if wanted[one.name] or wanted[one.service] then told[#told + 1] = one end
  end
  if args.json then return output.json { services = told } end
  for _, one in ipairs(told) do io.write(table_of.sentence(one), "\n") end
end

--- Ask for something for each of the names, side by side.
-- @tparam table args names, all, wait, no_wait, json
-- @tparam function ask called with the remote, a name, and how long to wait
-- (seconds, false: not at all, nil: as long as it takes)
-- @treturn integer the exit code
function M.each(args, ask)
  local wait = wait_of(args)
  local r <close> = remote.open(args)
  local names = names_of(args, args.all and r:list() or {})
  local asks = {}
  for i, name in ipairs(names) do
    asks[i] = function() ask(r, name, wait) end
  end
  local results = task.settle(table.unpack(asks))
  report(args, names, results, r:list())
  local code = 0
  for _, result in ipairs(results) do
    if not result.ok then
      tell(result.error)
      code = math.max(code, remote.exit_code(result.error))
    end
  end
  return code
end

--- A command that does one thing to services.
-- @tparam table command name, summary, description, example
-- @treturn table the command
function M.command(command)
  command.args = target.with { M.NAMES, M.ALL, M.WAIT, M.NO_WAIT, output.JSON }
  command.run = function(args)
    return M.each(args, function(r, name, wait)
      r:act(name, command.name, { wait = wait })
    end)
  end
  return command
end

return M
