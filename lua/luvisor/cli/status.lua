--- luvisor status
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local rows = require "luvisor.cli.rows"
local target = require "luvisor.cli.target"

local NOT_WELL <const> = 3

local function tell_table(list)
  local cells = { rows.TITLES }
  for _, one in ipairs(list) do cells[#cells + 1] = rows.row(one) end
  output.table(cells)
end

-- What those that were asked for by name, and are not well, said last.
local function tell_logs(r, list, args)
  for _, one in ipairs(list) do
    local lines = args.lines or (#args.names > 0 and not one.well and 5) or 0
    local tail = lines > 0 and r:log_lines(one.name, { lines = lines }) or {}
    if #tail > 0 then
      io.write("\n", one.name, ", the last lines of its log:\n")
      for _, line in ipairs(tail) do io.write("  ", line, "\n") end
    end
  end
end

local function all_well(list)
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
started by itself). It is 3 if something is not, and 4 if there is no such
service or no supervisor runs.]],
  args = target.with {
    requests.NAMES,
    { option = "-n --lines", argname = "N", convert = math.tointeger,
      description = "So many lines of each log, too." },
    output.JSON,
  },
  example = "luvisor status\nluvisor status web --json",
  run = function(args)
    local r <close> = remote.open(args)
    local list = r:list(args.names)
    if args.json then
      output.json { services = list }
    else
      tell_table(list)
      tell_logs(r, list, args)
    end
    return all_well(list) and 0 or NOT_WELL
  end,
}
