--- Runs a configuration file: Lua with its pure functions only, bounded in
-- instructions and memory, that leaves behind what it declared.
-- @module luvisor.supervisor.sandbox

local core = require "luvisor.core.os"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local glob = require "luvisor.supervisor.glob"

local M = {}

local STEP <const> = 1000 -- instructions between two looks
local MOST_STEPS <const> = 20000
local MOST_MEMORY <const> = 64 * 1024 -- kB more than before

local pure = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "rawset", "select", "tonumber", "tostring", "type", "xpcall",
  "getmetatable", "_VERSION",
}

local function copy(lib, without)
  local new = {}
  for name, value in pairs(lib) do
    if name ~= without then new[name] = value end
  end
  return new
end

-- A finalizer would run outside every bound.
local function safe_setmetatable(object, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    error("__gc is not allowed in a configuration", 2)
  end
  return setmetatable(object, meta)
end

local function host_facts()
  local name, system, release, machine = core.uname()
  return {
    name = name, system = system, kernel = release, arch = machine,
    cpus = core.processors(), uid = core.geteuid(),
  }
end

local function getenv(name, default)
  local value = os.getenv(name)
  if value == nil then return default end
  return value
end

local function base(run)
  local env = {
    string = copy(string, "dump"), table = copy(table), math = copy(math),
    utf8 = copy(utf8), os = { time = os.time, date = os.date },
    setmetatable = safe_setmetatable, env = getenv, host = host_facts(),
  }
  for _, name in ipairs(pure) do env[name] = _G[name] end
  env._G = env
  function env.load(chunk, name, mode, scope)
    if type(chunk) ~= "string" then
      error("load takes a string in a configuration", 2)
    end
    if mode ~= nil and mode ~= "t" then
      error("load takes text only in a configuration", 2)
    end
    return load(chunk, name or "=(load)", "t", scope or run.env)
  end
  return env
end

-- Where the configuration's line is that called: the stack has frames of ours
-- and of C in between.
local function caller(run)
  for level = 3, 10 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    local file = run.chunks[info.source]
    if file then return file, info.currentline end
  end
  return run.file, 0
end

local function add_error(run, file, line, message)
  run.errors[#run.errors + 1] = { file = file, line = line, message = message }
end

local function declare(run, list, what, name, body, file, line)
  if type(body) ~= "table" then
    return add_error(run, file, line, ("%s %q: expected a table, got %s")
      :format(what, name, type(body)))
  end
  list[#list + 1] = { name = name, body = body, file = file, line = line,
    dir = file:match "^(.*)/[^/]*$" or "." }
end

local function is_name(name)
  return type(name) == "string" and name:find "^[%w_][%w_.-]*$" ~= nil
end

local function declarer(run, list, what)
  return function(name)
    local file, line = caller(run)
    if not is_name(name) then
      add_error(run, file, line, ("%s: a name is of letters, digits, "
        .. "\"_\", \"-\" and \".\", got %s"):format(what,
          type(name) == "string" and ("%q"):format(name) or type(name)))
      return function() end
    end
    local undone = { what = what, name = name, file = file, line = line }
    run.open[undone] = true
    return function(body)
      run.open[undone] = nil
      declare(run, list, what, name, body, file, line)
    end
  end
end

local function bounded(run, fn)
  local thread = coroutine.running()
  local start = collectgarbage "count"
  local function look()
    run.steps = run.steps + 1
    if run.steps > MOST_STEPS then
      error("the configuration takes too long to evaluate", 2)
    end
    if collectgarbage "count" - start > MOST_MEMORY then
      error("the configuration takes too much memory", 2)
    end
  end
  local _ <close> = setmetatable({}, { __close = function()
    debug.sethook(thread)
  end })
  debug.sethook(thread, look, "", STEP)
  return pcall(fn)
end

local function check_owner(path, stat)
  if core.geteuid() ~= 0 then return end
  if stat.mode & 18 ~= 0 then
    errors.raise { kind = "ConfigError", message = ("%s: others may write it "
      .. "(mode %03o): as root it is not read"):format(path, stat.mode & 511) }
  end
end

local function source_of(path)
  check_owner(path, fs.stat(path))
  return fs.read_file(path)
end

local run_file

local function including(run, dir)
  return function(pattern)
    local file, line = caller(run)
    if type(pattern) ~= "string" then
      return add_error(run, file, line, "include: expected a path or pattern")
    end
    local paths = glob.paths(pattern, dir)
    if #paths == 0 and not pattern:find "[%*%?%[]" then
      return add_error(run, file, line,
        ("include: no such file: %s"):format(pattern))
    end
    for _, path in ipairs(paths) do
      if run.texts[path] then
        add_error(run, file, line, ("include: %s is read already"):format(path))
      else
        run_file(run, path)
      end
    end
  end
end

-- An error of Lua is "file:line: what".
local function note_failure(run, path, err)
  local line, text = tostring(err):match "^[^\n]-:(%d+): ([^\n]*)"
  add_error(run, path, tonumber(line) or 0, text or tostring(err))
end

function run_file(run, path)
  local ok, text = pcall(source_of, path)
  if not ok then return add_error(run, path, 0, tostring(text)) end
  run.texts[path] = text
  run.files[#run.files + 1] = path
  run.chunks["@" .. path] = path
  local env = setmetatable({ include = including(run,
    path:match "^(.*)/[^/]*$" or ".") }, { __index = run.env,
    __newindex = run.env })
  local chunk, why = load(text, "@" .. path, "t", env)
  if not chunk then return note_failure(run, path, why) end
  local fine, err = pcall(chunk)
  if not fine then note_failure(run, path, err) end
end

--- Evaluate a file and what it includes.
-- @tparam string path absolute
-- @treturn table settings, services, groups: lists of {name, body, file, line,
-- dir}; errors: list of {file, line, message}; files; texts by file
function M.evaluate(path)
  local run = {
    file = path, chunks = {}, steps = 0, errors = {}, files = {}, texts = {},
    settings = {}, services = {}, groups = {}, open = {},
  }
  run.env = base(run)
  run.env.service = declarer(run, run.services, "service")
  run.env.group = declarer(run, run.groups, "group")
  function run.env.luvisor(body)
    local file, line = caller(run)
    declare(run, run.settings, "luvisor", "settings", body, file, line)
  end
  local ok, err = bounded(run, function() run_file(run, path) end)
  if not ok then note_failure(run, path, err) end
  for undone in pairs(run.open) do
    add_error(run, undone.file, undone.line, ("%s %q has no table after it")
      :format(undone.what, undone.name))
  end
  return run
end

return M
