--- luvisor logs
-- @local

local errors = require "luvisor.error"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local target = require "luvisor.cli.target"
local task = require "luvisor.task"
local time = require "luvisor.time"
local units = require "luvisor.supervisor.units"

-- "10m" ago, or a time: "12:30", "2026-01-31", "2026-01-31 12:30:00".
local function since_of(text)
  local ago = units.duration(text)
  if ago then return time.wall() - ago end
  local at = os.date "*t"
  local year, month, day = text:match "^(%d%d%d%d)-(%d%d)-(%d%d)"
  local hour, min, sec = text:match "(%d?%d):(%d%d):?(%d?%d?)$"
  if not year and not hour then
    return nil, ("expected a duration (10m: ten minutes ago) or a time "
      .. "(12:30, 2026-01-31, '2026-01-31 12:30:00'), got '%s'"):format(text)
  end
  return os.time {
    year = year or at.year, month = month or at.month, day = day or at.day,
    hour = hour or 0, min = min or 0, sec = tonumber(sec) or 0,
  }
end

-- Only with several is it said whose line it is.
local function prefix(names, name)
  if #names == 1 then return "" end
  local width = 0
  for _, one in ipairs(names) do width = math.max(width, #one) end
  return ("%-" .. width .. "s | "):format(name)
end

local function writer(args, names, name)
  if args.json then
    local json = require "luvisor.json"
    return function(line)
      output.write(json.encode { service = name, line = line } .. "\n")
    end
  end
  local before = prefix(names, name)
  return function(line) output.write(before .. line .. "\n") end
end

-- All at once if they are followed; else one after the other.
local function show(r, args, names)
  local opts = { lines = args.lines, since = args.since, follow = args.follow }
  if not args.follow then
    for _, name in ipairs(names) do
      local write = writer(args, names, name)
      for _, line in ipairs(r:log_lines(name, opts)) do write(line) end
    end
    return
  end
  task.nursery(function(n)
    for _, name in ipairs(names) do
      n:spawn(function()
        local write = writer(args, names, name)
        for line in r:follow_log(name, opts) do write(line) end
      end)
    end
  end)
end

local function instances_of(r, args)
  if #args.names == 0 then
    errors.usage "which services? Say their names, or --all"
  end
  local names = {}
  for _, one in ipairs(r:list(args.names)) do names[#names + 1] = one.name end
  return names
end

return {
  name = "logs",
  summary = "show what services have written",
  description = [[
Show the last lines that services have written, their standard output and
standard error as they came. With more than one, each line begins with whose it
is.]],
  args = target.with {
    requests.NAMES,
    { flag = "-f --follow", description = "Go on with what comes." },
    { option = "-n --lines", argname = "N", convert = math.tointeger,
      description = "So many lines of each (default: 50)." },
    { option = "--since", argname = "TIME", convert = since_of,
      description = "Only what is newer: 10m (ago), 12:30,\n"
        .. "2026-01-31, '2026-01-31 12:30:00'." },
    output.JSON,
  },
  example = "luvisor logs -f web\nluvisor logs -n 1000 --since 1h web worker",
  run = function(args)
    local r <close> = remote.open(args)
    args.lines = args.lines or (not args.since and 50 or nil)
    show(r, args, instances_of(r, args))
  end,
}
