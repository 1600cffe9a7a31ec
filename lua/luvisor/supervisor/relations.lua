--- What services have to do with each other and with the machine: names that
-- must exist, cycles, programs, files that two would write.
-- @local

local facts = require "luvisor.supervisor.facts"
local fs = require "luvisor.fs"
local graph = require "luvisor.supervisor.graph"
local logs = require "luvisor.supervisor.logs.settings"
local options = require "luvisor.options"
local process = require "luvisor.process"

local M = {}

local function check_names(config, spec, report)
  for _, key in ipairs { "requires", "wants", "after", "conflicts" } do
    for _, name in ipairs(spec[key]) do
      local exists = config.services[name]
      if not exists then
        local near = options.nearest(name, config.order)
        report(key, ("no service %q%s"):format(name,
          near and ("; did you mean %q?"):format(near) or ""))
      elseif name == spec.name then
        report(key, "it names itself")
      end
    end
  end
  for _, name in ipairs(spec.conflicts) do
    for _, required in ipairs(spec.requires) do
      if name == required then
        report("conflicts", ("it requires %q, too"):format(name))
      end
    end
  end
end

-- Each { fact = "db.port" } is of a service that it requires, or may be absent.
local function check_facts(spec, key, values, report)
  for _, value in pairs(values) do
    local service = type(value) == "table" and facts.split(value.fact)
    local name = service and service:gsub("@%d+$", "")
    local required = false
    for _, one in ipairs(spec.requires) do
      required = required or one == service or one == name
    end
    if service and not required then
      report(key, ("the fact %q is of a service that it does not require")
        :format(value.fact))
    end
  end
end

-- What only a process can do.
local function check_run(spec, report)
  local ready = spec.ready and spec.ready.kind
  if ready == "notify" or ready == "fd" or ready == "log" then
    report("ready", ("%s is for commands; a function has no process")
      :format(ready))
  end
  for _, key in ipairs { "watchdog", "sockets" } do
    if spec[key] then
      report(key, "is for commands; a function has no process")
    end
  end
end

local function check_descriptors(spec, report)
  local ready = spec.ready
  if not spec.sockets or not ready or ready.kind ~= "fd" then return end
  if ready.value < 3 + #spec.sockets then
    report("ready.fd", ("descriptor %d is a socket's; they begin with 3")
      :format(ready.value))
  end
end

local function no_program(name)
  if not name:find("/", 1, true) then
    return ("there is no program %q in PATH"):format(name)
  end
  local ok, stat = pcall(fs.stat, name)
  if not ok then return ("there is no program %q"):format(name) end
  return stat.type == "directory"
    and ("%q is a folder, not a program"):format(name)
    or ("%q cannot be executed (mode %03o)"):format(name, stat.mode & 511)
end

local function check_program(spec, report)
  local command = spec.command
  if not command or command.shell then return end
  local path = spec.env.PATH
  if type(path) == "table" then return end
  if not process.which(command[1], path or nil) then
    report("command", no_program(command[1]))
  end
end

local function check_kind(spec, report)
  if spec.wrong.command or spec.wrong.run then return end
  if not spec.command and not spec.run then
    report("command", "is missing: what is to be executed? (or run = "
      .. "function)")
  elseif spec.command and spec.run then
    report("run", "there is a command, too")
  end
  if spec.schedule and spec.type ~= "job" then
    report("schedule", ("only a job has one: type = \"job\"; this is a %s")
      :format(spec.type))
  end
  if spec.log.file and (spec.log.stdout or spec.log.stderr) then
    report("log.file", "there is log.stdout or log.stderr, too")
  end
  if spec.instances and spec.sockets then
    report("sockets", "instances cannot share them")
  end
end

-- The shortest form of an absolute path; links are not followed.
local function plain(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return "/" .. table.concat(parts, "/")
end

-- Who shares a terminal does no harm.
local function is_device(path)
  return path:find "^/dev/" ~= nil and not path:find "^/dev/shm/"
end

-- What an instance writes: by file the key that says so.
local function log_files(config, spec, number)
  local files, sup = {}, { config = config }
  local name = number and ("%s@%d"):format(spec.name, number) or spec.name
  for _, one in ipairs(logs.outlets {
    name = name, service = spec.name, number = number, spec = spec, sup = sup,
  }) do
    local key = spec.log.file and "log.file" or "log." .. one.streams[1]
    if not spec.log[key:sub(5)] then key = "log" end
    local path = one.target == "file" and plain(one.path)
    if path and not is_device(path) then files[path] = key end
  end
  return files
end

local function check_logs(config, reports)
  local writers = {}
  local function note(spec, number)
    for path, key in pairs(log_files(config, spec, number)) do
      local other = writers[path]
      if other and other ~= spec.name then
        reports[spec.name](key, ("service %q writes %q, too"):format(other,
          spec.log[key:sub(5)] or path))
      end
      writers[path] = spec.name
    end
  end
  for _, name in ipairs(config.order) do
    local spec = config.services[name]
    if not spec.instances then note(spec) end
    for number = 1, spec.instances or 0 do note(spec, number) end
  end
end

local function check_main(config, reports)
  local main
  for _, name in ipairs(config.order) do
    if config.services[name].main then
      if main then
        reports[name]("main", ("%q is the main service"):format(main))
      end
      main = main or name
    end
  end
end

--- Check the whole.
-- @tparam table config
-- @tparam table reports a function of key and sentence by service
function M.check(config, reports)
  for _, name in ipairs(config.order) do
    local spec, report = config.services[name], reports[name]
    check_names(config, spec, report)
    check_kind(spec, report)
    check_facts(spec, "env", spec.env, report)
    check_facts(spec, "command", spec.command or {}, report)
    if spec.run then check_run(spec, report) end
    check_descriptors(spec, report)
    check_program(spec, report)
  end
  check_logs(config, reports)
  check_main(config, reports)
  local cycle = graph.new(config.services, config.order):cycle()
  if cycle then
    reports[cycle[1]]("requires", "a cycle of dependencies: "
      .. table.concat(cycle, " -> "))
  end
end

return M
