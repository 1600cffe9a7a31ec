--- luvisor logs
-- @local

local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local screen = require "luvisor.cli.screen"
local since = require "luvisor.cli.since"
local target = require "luvisor.cli.target"
local task = require "luvisor.task"

local LINES <const> = 50

local function width_of(list)
  local width = 0
  for _, one in ipairs(list) do width = math.max(width, #one.name) end
  return width
end

-- Only with several is it said whose line it is.
local function writer(args, list)
  if args.json then
    return function(line, name)
      output.write(json.encode { service = name, line = line }, "\n")
    end
  end
  if #list == 1 then
    return function(line) output.write(output.line(line), "\n") end
  end
  local format = "%-" .. width_of(list) .. "s | "
  return function(line, name)
    output.write(screen.paint(format:format(name), "grey"), output.line(line),
      "\n")
  end
end

local function show(r, name, opts, write)
  for line, whose in r:logs(name, opts) do write(line, whose or name) end
end

-- All at once if they are followed; else one after the other.
local function show_all(r, list, opts, write)
  if not opts.follow then
    for _, one in ipairs(list) do show(r, one.name, opts, write) end
    return
  end
  task.nursery(function(n)
    for _, one in ipairs(list) do n:spawn(show, r, one.name, opts, write) end
  end)
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
    requests.ALL,
    { flag = "-f --follow", description = "Go on with what comes." },
    { option = "-n --lines", argname = "N", convert = requests.count,
      description = "So many lines of each (default: 50)." },
    { option = "--since", argname = "TIME", convert = since.parse,
      description = "Only what is newer: 10m (ago), 12:30,\n"
        .. "2026-01-31, '2026-01-31 12:30:00'. The\nlog needs timestamps." },
    output.JSON,
  },
  example = "luvisor logs -f web\nluvisor logs -n 1000 --since 1h web worker",
  run = function(args)
    local r = remote.open(args)
    local list = r:list(requests.names(r, args))
    show_all(r, list, {
      n = args.lines or (not args.since and LINES or nil),
      since = args.since, follow = args.follow,
    }, writer(args, list))
  end,
}
