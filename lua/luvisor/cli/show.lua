--- The effective configuration as a configuration: what `check --show` prints
-- can be checked again, but for its functions.
-- @local

local json = require "luvisor.json"
local schema = require "luvisor.supervisor.schema"
local serial = require "luvisor.supervisor.serial"

local M = {}

-- What the checker made of a value, back as it is written.
local function written_address(value)
  return type(value) == "table" and value.text or value
end

local function written_probe(probe)
  local written = {}
  for key, value in pairs(probe) do written[key] = value end
  written.kind, written.value = nil, nil
  local name = probe.kind == "function" and "fn" or probe.kind
  written[name] = written_address(probe.value)
  return written
end

local function written_schedule(schedule)
  local written = {}
  for key, value in pairs(schedule) do written[key] = value end
  written.at = schedule.at and schedule.at.text
  return written
end

local function written_sockets(list)
  local written = {}
  for i, socket in ipairs(list) do written[i] = written_address(socket) end
  return written
end

local writers = {
  ready = written_probe,
  health = written_probe,
  schedule = written_schedule,
  sockets = written_sockets,
  umask = function(mask) return ("%03o"):format(mask) end,
}

-- The keys of a schema alone.
local function only(keys, t)
  local written = {}
  for key in pairs(keys) do written[key] = t[key] end
  return written
end

local function service(spec)
  local written = only(schema.service, spec)
  for key, write in pairs(writers) do
    if written[key] ~= nil then written[key] = write(written[key]) end
  end
  return written
end

local function settings(config)
  local control = {}
  for key, value in pairs(config.control) do
    control[key] = written_address(value)
  end
  return { state_dir = config.state_dir, log = config.log, control = control }
end

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- As Lua.
-- @tparam table config as luvisor.supervisor.config gives it
-- @treturn string
function M.text(config)
  local parts = { ("-- %s, as it takes effect\nluvisor %s\n"):format(
    config.path, serial.text(settings(config), "")) }
  for _, name in ipairs(config.order) do
    parts[#parts + 1] = ("service %q %s\n"):format(name,
      serial.text(service(config.services[name]), ""))
  end
  for _, name in ipairs(sorted(config.groups)) do
    parts[#parts + 1] = ("group %q %s\n"):format(name,
      serial.text(only(schema.group, config.groups[name]), ""))
  end
  return table.concat(parts, "\n")
end

local is_list = {
  after = true, command = true, conflicts = true, cpu_affinity = true,
  groups = true, requires = true, sockets = true, success_codes = true,
  wants = true,
}

-- JSON has no functions: they are where they stand.
local function without_functions(value)
  if type(value) == "function" then
    local info = debug.getinfo(value, "S")
    return ("function at %s:%d"):format(info.short_src, info.linedefined)
  end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, one in pairs(value) do copy[key] = without_functions(one) end
  return copy
end

-- JSON tells an empty list from an empty object.
local function for_json(written)
  local copy = without_functions(written)
  for key, value in pairs(copy) do
    if is_list[key] and not value.shell then json.list(value) end
  end
  return copy
end

--- As a table for JSON: path, files, settings, services by name, order, groups.
-- @tparam table config
-- @treturn table
function M.plain(config)
  local services, groups = {}, {}
  for name, spec in pairs(config.services) do
    services[name] = for_json(service(spec))
    services[name].name = name
    services[name].file, services[name].line = spec.file, spec.line
  end
  for name, group in pairs(config.groups) do
    groups[name] = only(schema.group, group)
    groups[name].members = json.list(group.members)
  end
  return {
    path = config.path, files = json.list(config.files),
    settings = without_functions(settings(config)),
    order = json.list(config.order), services = services, groups = groups,
  }
end

return M
