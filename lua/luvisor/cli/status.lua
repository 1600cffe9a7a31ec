--- luvisor status
-- @local

local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local rows = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"

local NOT_WELL <const> = 3
local LAST_WORDS <const> = 5 -- lines

local function tail(r, name, n)
  local lines = {}
  for line in r:logs(name, { n = n }) do lines[#lines + 1] = line end
  return lines
end

-- What those that were asked for by name, and are not well, said last.
local function count(one, args)
  if args.lines then return args.lines end
  return #args.names > 0 and not one.well and LAST_WORDS or 0
end

local function tell_logs(r, list, args)
  for _, one in ipairs(list) do
    local n = count(one, args)
    local lines = n > 0 and tail(r, one.name, n) or {}
    if #lines > 0 then
      output.write("\n", one.name, ", the last lines of its log:\n")
    end
    for _, line in ipairs(lines) do
      output.write("  ", output.line(line), "\n")
    end
  end
end

local function tell_json(r, list, args)
  for _, one in ipairs(list) do
    local n = count(one, args)
    if n > 0 then one.log = json.list(tail(r, one.name, n)) end
  end
  output.json { services = json.list(list) }
end

local function is_each_well(list)
  for _, one in ipairs(list) do
    if not one.well then return false end
  end
  return true
end

return {
  name = "status",
  summary = "show services and how they are",
  description = [[
Show services: their state, since when and why. Of those that are asked for by
name and are not well, the last lines of their log follow.

The exit code is 0 if all that is shown is well: running, done, a job that waits
for its time, or stopped as it should be (by hand, after a success code, or not
started by itself). It is 3 if something is not, 4 if there is no such service,
and 5 if no supervisor runs.]],
  args = target.with {
    requests.NAMES,
    { option = "-n --lines", argname = "N", convert = requests.count,
      description = "So many lines of each log, too." },
    output.JSON,
  },
  example = "luvisor status\nluvisor status web --json",
  run = function(args)
    local r = remote.open(args)
    local list = r:list(args.names)
    if args.json then
      tell_json(r, list, args)
    else
      if #list == 0 then output.write "there are no services\n" end
      if #list > 0 then rows.write(list) end
      tell_logs(r, list, args)
    end
    return is_each_well(list) and 0 or NOT_WELL
  end,
}
