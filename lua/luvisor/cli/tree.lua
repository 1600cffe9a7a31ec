--- luvisor tree
-- @local

local output = require "luvisor.cli.output"
local remote = require "luvisor.cli.remote"
local target = require "luvisor.cli.target"

-- Those whose parent is not among them hang below the instance itself.
local function children_of(processes)
  local there, children = {}, { roots = {} }
  for _, one in ipairs(processes) do there[one.pid] = true end
  for _, one in ipairs(processes) do
    local parent = there[one.ppid] and one.ppid or "roots"
    children[parent] = children[parent] or {}
    table.insert(children[parent], one)
  end
  return children
end

local function tell_below(children, parent, indent)
  local list = children[parent] or {}
  for i, one in ipairs(list) do
    local last = i == #list
    io.write(indent, last and "└─ " or "├─ ",
      ("%d %s\n"):format(one.pid, output.plain(one.name)))
    tell_below(children, one.pid, indent .. (last and "   " or "│  "))
  end
end

local function relations(service)
  local parts = {}
  for _, key in ipairs { "requires", "wants", "after" } do
    local list = service[key] or {}
    if #list > 0 then
      parts[#parts + 1] = key .. " " .. table.concat(list, ", ")
    end
  end
  if service.group then parts[#parts + 1] = "group " .. service.group end
  return #parts > 0 and " (" .. table.concat(parts, "; ") .. ")" or ""
end

local function tell(service)
  for _, inst in ipairs(service.instances) do
    io.write(("%s  %s%s\n"):format(inst.name, inst.state, relations(service)))
    tell_below(children_of(inst.processes), "roots", "")
  end
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
    local r <close> = remote.open(args)
    local services = r:tree()
    if args.json then return output.json { services = services } end
    for _, service in ipairs(services) do tell(service) end
  end,
}
