--- What services have to do with each other and with the machine: names that
-- must exist, cycles, programs, files that two would write.
-- @local

local graph = require "luvisor.supervisor.graph"
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

local function check_program(spec, report)
  local command = spec.command
  if not command or command.shell then return end
  local path = spec.env.PATH
  if not process.which(command[1], path or nil) then
    report("command", ("there is no program %q%s"):format(command[1],
      command[1]:find("/", 1, true) and "" or " in PATH"))
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

local function check_logs(config, reports)
  local writers = {}
  for _, name in ipairs(config.order) do
    local log = config.services[name].log
    for _, key in ipairs { "file", "stdout", "stderr" } do
      local file = log[key]
      if file and writers[file] and writers[file] ~= name then
        reports[name]("log." .. key, ("service %q writes %q, too"):format(
          writers[file], file))
      end
      if file then writers[file] = name end
    end
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
