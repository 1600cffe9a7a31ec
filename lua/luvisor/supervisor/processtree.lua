--- The services in the order in which they start, with all their processes.
-- @local

local M = {}

local function processes_of(sup, inst)
  local list = {}
  for i, one in ipairs(sup.descendants:list(inst)) do
    list[i] = { pid = one.pid, ppid = one.ppid, name = one.name,
                main = one.pid == inst.pid }
  end
  return list
end

local function instances_of(sup, name)
  local list = {}
  for i, inst in ipairs(sup:instances(name)) do
    list[i] = inst:status()
    list[i].processes = processes_of(sup, inst)
  end
  return list
end

--- What `luvisor tree` shows.
-- @tparam Supervisor sup
-- @treturn {table,...} service, group, requires, wants, after; instances: their
-- statuses, each with processes: pid, ppid, name, main
function M.of(sup)
  local list = {}
  for i, name in ipairs(sup.graph:order()) do
    local spec = sup.services[name].spec
    list[i] = {
      service = name, group = spec.group, requires = spec.requires,
      wants = spec.wants, after = spec.after,
      instances = instances_of(sup, name),
    }
  end
  return list
end

return M
