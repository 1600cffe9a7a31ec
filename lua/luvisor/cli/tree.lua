--- luvisor tree
-- @local

local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local rows = require "luvisor.cli.rows"
local screen = require "luvisor.cli.screen"
local target = require "luvisor.cli.target"

local function branches()
  if screen.is_utf8() then return "├─ ", "└─ ", "│  " end
  return "|- ", "`- ", "|  "
end

-- Those whose parent is not among them hang below the instance itself.
local function children_of(processes)
  local there, children = {}, {}
  for _, one in ipairs(processes) do there[one.pid] = true end
  for _, one in ipairs(processes) do
    local parent = there[one.ppid] and one.ppid or "instance"
    children[parent] = children[parent] or {}
    table.insert(children[parent], one)
  end
  return children
end

local function add_below(lines, children, parent, indent)
  local list = children[parent] or {}
  local branch, last_branch, bar = branches()
  for i, one in ipairs(list) do
    local is_last = i == #list
    lines[#lines + 1] = ("%s%s%d %s\n"):format(indent,
      is_last and last_branch or branch, one.pid, output.plain(one.name))
    add_below(lines, children, one.pid, indent .. (is_last and "   " or bar))
  end
end

local function relations(service)
  local parts = {}
  for _, key in ipairs { "requires", "wants", "after" } do
    local list = service[key]
    if #list > 0 then
      parts[#parts + 1] = key .. " " .. table.concat(list, ", ")
    end
  end
  if service.group then parts[#parts + 1] = "group " .. service.group end
  return #parts > 0 and " (" .. table.concat(parts, "; ") .. ")" or ""
end

local function tell(service)
  local lines = {}
  for _, inst in ipairs(service.instances) do
    lines[#lines + 1] = ("%s  %s%s\n"):format(inst.name,
      rows.state(inst.state), relations(service))
    add_below(lines, children_of(inst.processes), "instance", "")
  end
  output.write(table.concat(lines))
end

return {
  name = "tree",
  summary = "show the processes of each service, and what it requires",
  description = [[
Show the services in the order in which they start, what each of them requires,
and all processes that belong to it, whoever their parent is by now.]],
  args = target.with { output.JSON },
  example = "luvisor tree",
  run = function(args)
    local services = remote.open(args):tree()
    if args.json then
      return output.json { services = json.list(services) }
    end
    for _, service in ipairs(services) do tell(service) end
  end,
}
