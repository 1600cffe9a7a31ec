--- The configuration: found, evaluated, checked as a whole, and made into
-- plain data with every default filled in.
-- @module luvisor.supervisor.config

local checker = require "luvisor.supervisor.checker"
local core = require "luvisor.core.os"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local paths = require "luvisor.supervisor.paths"
local process = require "luvisor.process"
local relations = require "luvisor.supervisor.relations"
local sandbox = require "luvisor.supervisor.sandbox"
local schema = require "luvisor.supervisor.schema"
local serial = require "luvisor.supervisor.serial"
local specs = require "luvisor.supervisor.spec"

local M = {}

local DEADLINE <const> = 3 -- seconds for the evaluation in a child
local MEMORY <const> = 1 << 30 -- bytes for it

-- An empty variable is one that is not set.
local function given(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local function home()
  return given "HOME" or "/"
end

local function is_root()
  return core.geteuid() == 0
end

-- As the XDG base directories say.
local function defaults()
  if is_root() then
    return { config = "/etc/luvisor/luvisor.lua", state = "/run/luvisor",
             log = "/var/log/luvisor" }
  end
  local runtime = given "XDG_RUNTIME_DIR"
  return {
    config = (given "XDG_CONFIG_HOME" or home() .. "/.config")
      .. "/luvisor/luvisor.lua",
    state = runtime and runtime .. "/luvisor"
      or ("/tmp/luvisor-%d"):format(core.geteuid()),
    log = (given "XDG_STATE_HOME" or home() .. "/.local/state")
      .. "/luvisor",
  }
end

--- Which file is meant.
-- @tparam[opt] string path as given by -c; else $LUVISOR_CONFIG, else the
-- default. Never the current directory on its own.
-- @treturn string absolute
function M.find(path)
  path = path or given "LUVISOR_CONFIG" or defaults().config
  return paths.absolute(path, core.getcwd())
end

-- Line 0 is the file as a whole.
local function as_text(err)
  local where = err.line > 0 and ("%s:%d: "):format(err.file, err.line)
    or err.file .. ": "
  if err.service then where = where .. ("service %q: "):format(err.service) end
  if err.key and err.key ~= "" then where = where .. err.key .. ": " end
  return where .. err.message
end

local function raise(list)
  table.sort(list, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    return as_text(a) < as_text(b)
  end)
  local lines = {}
  for i, err in ipairs(list) do lines[i] = as_text(err) end
  errors.raise {
    kind = "ConfigError", errors = list, message = table.concat(lines, "\n"),
  }
end

-- The line of a key of a table that begins on a line: the first on which it
-- stands, before the next declaration.
local function line_of(texts, file, line, key)
  local text = texts and texts[file]
  local name = key and key:match "[%w_]+$"
  if not text or not name then return line end
  local at = 0
  for one in (text .. "\n"):gmatch "([^\n]*)\n" do
    at = at + 1
    if at > line and one:find "^%s*[%w_]*%s*service%s*[%(\"']" then break end
    if at >= line and one:find("%f[%w_]" .. name .. "%s*=") then return at end
  end
  return line
end

local function reporter(list, texts, one, what)
  return function(key, message)
    list[#list + 1] = {
      file = one.file, line = line_of(texts, one.file, one.line, key),
      service = what == "service" and one.name or nil,
      key = (what == "group" and ("group %q: "):format(one.name) or "") .. key,
      message = message,
    }
  end
end

local function check_settings(run, list)
  local body, report = {}, nil
  for _, one in ipairs(run.settings) do
    report = reporter(list, run.texts, one, "settings")
    body = checker.merge(body, one.body, schema.settings)
  end
  local first = run.settings[1]
  local settings = checker.check(body, schema.settings,
    { dir = first and first.dir or run.dir }, report or error)
  local control = settings.control
  if control.tcp and (control.token or "") == "" then
    report("control.tcp", "needs a token, or whoever reaches it could do "
      .. "anything")
  end
  return settings
end

local function check_groups(run, list, config)
  for _, one in ipairs(run.groups) do
    local group = checker.check(one.body, schema.group, { dir = one.dir },
      reporter(list, run.texts, one, "group"))
    group.name, group.members = one.name, {}
    config.groups[one.name] = group
  end
  for _, name in ipairs(config.order) do
    local group = config.services[name].group
    if group then
      config.groups[group] = config.groups[group]
        or { name = group, strategy = "one_for_one", members = {} }
      table.insert(config.groups[group].members, name)
    end
  end
end

local function fill_settings(config, settings)
  local default = defaults()
  config.state_dir = settings.state_dir or default.state
  -- Defaults are shared: what is filled in goes into copies.
  config.log = checker.merge(settings.log, {}, {})
  config.control = checker.merge(settings.control, {}, {})
  config.log.dir = config.log.dir or default.log
  config.control.socket = config.control.socket
    or config.state_dir .. "/control.sock"
end

-- What was declared, as a checked configuration; or all errors are raised.
local function build(run)
  local list = run.errors
  local config = {
    path = run.file, files = run.files, services = {}, order = {}, groups = {},
  }
  local settings = check_settings(run, list)
  fill_settings(config, settings)
  local reports, check_service = {}, specs.checker(settings.defaults)
  for _, one in ipairs(run.services) do
    local report = reporter(list, run.texts, one, "service")
    local spec, wrong = check_service(one, report)
    spec.wrong = wrong
    if config.services[one.name] then
      report("", ("declared twice, also at %s:%d"):format(
        config.services[one.name].file, config.services[one.name].line))
    else
      config.order[#config.order + 1] = one.name
      config.services[one.name], reports[one.name] = spec, report
    end
  end
  check_groups(run, list, config)
  relations.check(config, reports)
  if #list > 0 then raise(list) end
  for _, spec in pairs(config.services) do spec.wrong = nil end
  return config
end

local function self_path()
  return "/proc/self/exe"
end

local PROBE <const> = [[
require "luvisor.supervisor.sandbox".evaluate(arg[1])
io.stdout:write "done"
]]

-- Bytes of our address space, of which a sanitizer makes terabytes.
local function own_size()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmSize:%s*(%d+)"
    if size then return tonumber(size) * 1024 end
  end
end

-- A file that hangs inside a C function, or eats all memory there, would end
-- us: first it is evaluated in a child that has a deadline and little memory,
-- and that the kernel ends before us.
local function evaluate_in_child(path)
  local size = own_size()
  local ok, result = pcall(process.run, {
    self_path(), "-e", PROBE, path, timeout = DEADLINE, check = false,
    limits = { core = 0, as = size and size + MEMORY },
    oom_score_adj = 1000, max_output = 1 << 20, stop = { signal = "KILL" },
  })
  if ok and result.stdout == "done" then return end
  local why = ok and ("its evaluation %s"):format(tostring(result))
    or result:is "Timeout"
    and ("its evaluation takes longer than %d s"):format(DEADLINE)
    or tostring(result)
  raise { { file = path, line = 0, message = why } }
end

--- Load and check a file and what it includes. Waits.
-- @tparam[opt] string path see `find`
-- @treturn table path, files, state_dir, log, control, services (specs by
-- name), order (names), groups
-- @raise ConfigError: `errors` has all of them as {file, line, service, key,
-- message}
function M.load(path)
  path = M.find(path)
  local ok, err = pcall(fs.stat, path)
  if not ok then
    local hint = path == defaults().config
      and ": -c FILE or $LUVISOR_CONFIG names another" or ""
    raise { { file = path, line = 0, message = err.code == "ENOENT"
      and "there is no such file" .. hint or tostring(err) } }
  end
  evaluate_in_child(path)
  local run = sandbox.evaluate(path)
  run.dir = path:match "^(.*)/[^/]*$"
  return build(run)
end

--- Where the supervisor of a file is to be found, whatever is wrong with its
-- services: a file that is being edited must not hide it. Waits.
-- @tparam[opt] string path see `find`
-- @treturn table path, state_dir, log, control; errors: a text, if the file
-- cannot be read or evaluated; is_told: it has said its settings all the same,
-- else these are the defaults
function M.locate(path)
  path = M.find(path)
  local run = { file = path, settings = {}, texts = {}, errors = {} }
  if fs.exists(path) then
    run = sandbox.evaluate(path, true)
  else
    run.errors[1] = { file = path, line = 0, message = "there is no such file" }
  end
  run.dir = path:match "^(.*)/[^/]*$"
  local config = { path = path }
  fill_settings(config, check_settings(run, {}))
  local first = run.errors[1]
  config.errors = first and as_text(first)
  config.is_told = #run.settings > 0
  return config
end

-- Where the script calls the library.
local function script_line()
  for level = 3, 12 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.currentline > 0 and not info.source:find "^@?luvisor/" then
      return info.short_src, info.currentline
    end
  end
  return "script", 0
end

local function sorted_pairs(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  local i = 0
  return function()
    i = i + 1
    return names[i], t[names[i]]
  end
end

--- Check a configuration that a script gives as a table: services = {name =
-- {…}}, groups = {name = {…}}, and the settings.
-- @tparam table t
-- @treturn table as `load`
-- @raise ConfigError with all errors
function M.check_table(t)
  if type(t) ~= "table" then
    errors.usage("supervisor: expected a table or the name of a file, got %s",
      type(t))
  end
  local file, line = script_line()
  local dir = core.getcwd()
  local run = { file = file, dir = dir, files = {}, errors = {}, texts = {},
                services = {}, groups = {}, settings = {} }
  local settings = {}
  for key, value in pairs(t) do
    if key ~= "services" and key ~= "groups" then settings[key] = value end
  end
  settings.log = checker.merge({ level = "warning" }, settings.log or {}, {})
  local function one(name, body)
    return { name = name, body = body, file = file, line = line, dir = dir }
  end
  run.settings[1] = one("settings", settings)
  for name, body in sorted_pairs(t.services or {}) do
    table.insert(run.services, one(name, body))
  end
  for name, body in sorted_pairs(t.groups or {}) do
    table.insert(run.groups, one(name, body))
  end
  return build(run)
end

--- A string that differs where what is executed differs.
-- @treturn string
function M.exec_key(spec)
  local part = {}
  for key, entry in pairs(schema.service) do
    if entry.exec then part[key] = spec[key] end
  end
  return serial.text(part)
end

--- The keys in which two specs differ.
-- @treturn {string,...} sorted
function M.difference(old, new)
  local keys = {}
  for _, key in ipairs(checker.keys_of(schema.service)) do
    if serial.text(old[key]) ~= serial.text(new[key]) then
      keys[#keys + 1] = key
    end
  end
  return keys
end

return M
