--- luvisor events
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local requests = require "luvisor.cli.requests"
local target = require "luvisor.cli.target"

local function text_of_state(event)
  local text = ("%s -> %s"):format(event.from, event.to)
  if event.reason then text = text .. ": " .. event.reason end
  if event.by then text = text .. (" (by %s)"):format(event.by) end
  return text
end

local known = { seq = true, time = true, mono = true, type = true,
                service = true }

local function text_of_fields(event)
  local names = {}
  for name in pairs(event) do
    if not known[name] then names[#names + 1] = name end
  end
  table.sort(names)
  local parts = { event.type }
  for _, name in ipairs(names) do
    local value = event[name]
    if type(value) == "table" then value = table.concat(value, ",") end
    parts[#parts + 1] = ("%s=%s"):format(name, tostring(value))
  end
  return table.concat(parts, " ")
end

local function write(args, event)
  if args.json then
    return output.write(require "luvisor.json".encode(event) .. "\n")
  end
  local text = event.type == "state" and text_of_state(event)
    or text_of_fields(event)
  output.write(("%s  %s  %s\n"):format(output.time(event.time),
    event.service or "-", output.plain(text)))
end

return {
  name = "events",
  summary = "show what has happened",
  description = [[
Show the last events: each change of a service's state, why it was, and who
asked for it. The supervisor remembers the last 1000.]],
  args = target.with {
    { flag = "-f --follow", description = "Go on with what comes." },
    { option = "-n --lines", argname = "N", convert = requests.count,
      default = "50", description = "So many of the last ones." },
    output.JSON,
  },
  example = "luvisor events -f\nluvisor events --json | jq .reason",
  run = function(args)
    local opts = { n = args.lines, follow = args.follow or false }
    for event in remote.open(args):events(opts) do
      write(args, event)
    end
  end,
}
