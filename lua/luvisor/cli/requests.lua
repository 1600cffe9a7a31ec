--- What start, stop, restart and reload have in common: names, how long to
-- wait, and what is said at the end.
-- @local

local errors = require "luvisor.error"
local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local patience = require "luvisor.cli.patience"
local remote = require "luvisor.cli.remote"
local rows = require "luvisor.cli.rows"
local settle = require "luvisor.cli.settle"
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

--- Converts an argument that is a number of lines or of events.
function M.count(text)
  local n = math.tointeger(tonumber(text))
  if n and n >= 0 then return n end
  return nil, ("expected a number, 0 or more, got '%s'"):format(text)
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

--- The services that are meant: those named, or all.
-- @tparam Remote r
-- @tparam table args names, all
-- @treturn {string,...}
-- @raise UsageError: neither, or both
function M.names(r, args)
  if args.all and #args.names > 0 then
    errors.usage "names and --all are not used together"
  end
  if #args.names > 0 then return args.names end
  if not args.all then
    errors.usage "which services? Say their names, or --all"
  end
  local names, seen = {}, {}
  for _, one in ipairs(r:list()) do
    if not seen[one.service] then names[#names + 1] = one.service end
    seen[one.service] = true
  end
  return names
end

--- How long to wait.
-- @treturn number|boolean|nil seconds; false: not at all; nil: as long as it
-- takes
-- @raise UsageError: both are said
function M.wait(args)
  if args.wait and args.no_wait then
    errors.usage "--wait and --no-wait are not used together"
  end
  if args.no_wait then return false end
  return args.wait
end

-- The states afterwards, of those that got there; why the others did not.
local function tell(outcomes, sentence)
  for _, one in ipairs(outcomes) do
    for _, status in ipairs(one.services or {}) do
      output.write((sentence or rows.sentence)(status), "\n")
    end
    if one.error then
      io.stderr:write("luvisor: ", tostring(one.error), "\n")
    end
  end
end

local function tell_json(outcomes)
  local services, failures = json.list {}, json.list {}
  for _, one in ipairs(outcomes) do
    for _, status in ipairs(one.services or {}) do
      services[#services + 1] = status
    end
    if one.error then
      failures[#failures + 1] = { name = one.name, kind = one.error.kind,
                                  message = one.error.message }
    end
  end
  output.json { services = services, errors = failures }
end

-- An error of ours is one for everybody.
local function is_told(err)
  return errors.is_error(err) and err.exit_code ~= target.NOBODY
end

--- Whoever gave up waiting wants to know what it waits for.
-- @tparam Remote r
-- @tparam string name of what was waited for
-- @tparam error err a Timeout; how things are is added to its message
function M.explain(r, name, err)
  local ok, list = pcall(r.status, r, name)
  for _, one in ipairs(ok and list or {}) do
    err.message = err.message .. "\n  " .. rows.sentence(one)
  end
end

local function perform(r, name, ask)
  local ok, result = pcall(ask, r, name)
  if ok then return { name = name, services = result } end
  if not is_told(result) then return { error = result, is_fatal = true } end
  if result.kind == "Timeout" then M.explain(r, name, result) end
  return { name = name, error = result }
end

--- Ask for something for each of the names, side by side, and say how it went.
-- @tparam table args names, all, json
-- @tparam function ask called with the remote and a name, returns statuses
-- @tparam[opt] function sentence of a status
-- @treturn integer the exit code
function M.each(args, ask, sentence)
  local r = remote.open(args)
  local outcomes, code = {}, 0
  patience.with(not args.json and r, function(waits)
    task.nursery(function(n)
      for i, name in ipairs(M.names(r, args)) do
        n:spawn(function()
          local _ <close> = waits(name)
          outcomes[i] = perform(r, name, ask)
        end)
      end
    end)
  end)
  for _, one in ipairs(outcomes) do
    if one.is_fatal then error(one.error, 0) end
    code = math.max(code, one.error and one.error.exit_code or 0)
  end
  if args.json then tell_json(outcomes) else tell(outcomes, sentence) end
  return code
end

--- A command that does one thing to services.
-- @tparam table command name, summary, description, example; starts: it starts
-- them, so that one that ends at once is to be told
-- @treturn table the command
function M.command(command)
  command.args = target.with { M.NAMES, M.ALL, M.WAIT, M.NO_WAIT, output.JSON }
  command.run = function(args)
    local opts = { wait = M.wait(args) }
    return M.each(args, function(r, name)
      local list = r[command.name](r, name, opts)
      if not command.starts or opts.wait == false then return list end
      return settle.look(r, name, list)
    end)
  end
  return command
end

return M
