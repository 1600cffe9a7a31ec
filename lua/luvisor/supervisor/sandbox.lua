--- Runs a configuration file: Lua with its pure functions only, bounded in
-- instructions and memory, that leaves behind what it declared.
-- @module luvisor.supervisor.sandbox

local core = require "luvisor.core.os"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local glob = require "luvisor.supervisor.glob"
local quota = require "luvisor.core.quota"
local time = require "luvisor.time"

local M = {}

local STEP <const> = 1000 -- instructions between two looks
local MOST_STEPS <const> = 20000
local MOST_SECONDS <const> = 2 -- less than config.lua gives to its child
local MOST_MEMORY <const> = 64 * 1024 -- kB more than before …
local QUOTA <const> = 2 * MOST_MEMORY * 1024 -- … and bytes within one step

local pure = {
  "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "rawset", "select", "tonumber", "tostring", "type", "xpcall",
  "_VERSION",
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

-- That of strings is luvisor's own.
local function safe_getmetatable(object)
  return type(object) == "table" and getmetatable(object) or nil
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
    setmetatable = safe_setmetatable, getmetatable = safe_getmetatable,
    env = getenv, host = host_facts(),
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

local plain = {
  string = true, number = true, boolean = true, ["function"] = true,
}

-- Tables without metatables, which would call functions of the configuration
-- where nothing bounds them. nil and a sentence if it is none.
local function copy_plain(value, open)
  if type(value) ~= "table" then
    if plain[type(value)] then return value end
    return nil, "a " .. type(value) .. " is nothing that a configuration says"
  end
  if getmetatable(value) then return nil, "a table has a metatable" end
  if open[value] then return nil, "a table contains itself" end
  open[value] = true
  local new = {}
  for key, one in next, value do
    local same, why = copy_plain(one, open)
    if why then return nil, why end
    new[key] = same
  end
  open[value] = nil
  return new
end

local function declare(run, list, what, name, body, file, line)
  local new, why
  if type(body) == "table" then
    new, why = copy_plain(body, {})
  else
    why = "expected a table, got " .. type(body)
  end
  if why then
    return add_error(run, file, line, ("%s %q: %s"):format(what, name, why))
  end
  list[#list + 1] = { name = name, body = new, file = file, line = line,
    dir = file:match "^(.*)/[^/]*$" or "." }
end

local function is_name(name)
  return type(name) == "string" and name:find "^[%w_][%w_.-]*$" ~= nil
end

-- service "web" { … }, and service("web", { … }).
local function declarer(run, list, what)
  return function(name, more)
    local file, line = caller(run)
    if not is_name(name) then
      add_error(run, file, line, ("%s: a name is of letters, digits, "
        .. "\"_\", \"-\" and \".\", got %s"):format(what,
          type(name) == "string" and ("%q"):format(name) or type(name)))
      return function() end
    end
    if more ~= nil then
      return declare(run, list, what, name, more, file, line)
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
  local start, deadline = collectgarbage "count", time.now() + MOST_SECONDS
  local function look()
    run.steps = run.steps + 1
    if run.steps > MOST_STEPS or time.now() > deadline then
      error("the configuration takes too long to evaluate", 2)
    end
    if collectgarbage "count" - start > MOST_MEMORY then
      error("the configuration takes too much memory", 2)
    end
  end
  local _ <close> = setmetatable({}, { __close = function()
    debug.sethook(thread)
    quota.set(nil)
  end })
  debug.sethook(thread, look, "", STEP)
  quota.set(QUOTA)
  return pcall(fn)
end

-- Others run while it waits: what they take is theirs.
local function unbounded(fn, ...)
  local left = quota.set(nil)
  local _ <close> = setmetatable({}, { __close = function()
    quota.set(left)
  end })
  return fn(...)
end

local function check_owner(stat)
  if core.geteuid() ~= 0 then return end
  if stat.uid ~= 0 then
    errors.raise { kind = "ConfigError", message = ("user %d may write it: as "
      .. "root it is not read"):format(stat.uid) }
  elseif stat.mode & 18 ~= 0 then
    errors.raise { kind = "ConfigError", message = ("others may write it (mode "
      .. "%03o): as root it is not read"):format(stat.mode & 511) }
  end
end

local function source_of(path)
  check_owner(fs.stat(path))
  return fs.read_file(path, { max = MOST_MEMORY * 1024 })
end

-- One file has many names.
local function is_read(run, path)
  local ok, real = pcall(unbounded, fs.realpath, path)
  real = ok and real or path
  local was = run.seen[real]
  run.seen[real] = true
  return was
end

local run_file

local function including(run, dir)
  return function(pattern)
    local file, line = caller(run)
    if type(pattern) ~= "string" then
      return add_error(run, file, line, "include: expected a path or pattern")
    end
    local paths = unbounded(glob.paths, pattern, dir)
    if #paths == 0 and not pattern:find "[%*%?%[]" then
      return add_error(run, file, line,
        ("include: no such file: %s"):format(pattern))
    end
    for _, path in ipairs(paths) do
      if is_read(run, path) then
        add_error(run, file, line, ("include: %s is read already"):format(path))
      else
        run_file(run, path)
      end
    end
  end
end

-- What a configuration has by itself.
local function names_of(env)
  local names = { "include" }
  for name in pairs(env) do
    if name ~= "_G" and name ~= "_VERSION" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- Lua's complaint about a name that is not there, in other words.
local function explained(run, text)
  if text == "not enough memory" then
    return "the configuration takes too much memory"
  end
  local name = text:match "^attempt to %a+ a nil value %(global '(.-)'%)"
  if not name then return text end
  local near = errors.nearest(name, names_of(run.env))
  if near then
    return ("there is no %q; did you mean %q?"):format(name, near)
  end
  return ("there is no %q: a configuration has functions that compute, but no "
    .. "files, commands and modules"):format(name)
end

-- An error of Lua is "file:line: what".
local function note_failure(run, path, err)
  local line, text = tostring(err):match "^[^\n]-:(%d+): ([^\n]*)"
  add_error(run, path, tonumber(line) or 0,
    explained(run, text or tostring(err)))
end

-- As many lines from the top as make sense; what is being edited stands mostly
-- below them.
local function sound_part(text, path, env)
  local chunk
  repeat
    text = text:match "^(.*)\n" or ""
    chunk = load(text, "@" .. path, "t", env)
  until chunk
  return chunk
end

function run_file(run, path)
  local ok, text = pcall(unbounded, source_of, path)
  if not ok then return add_error(run, path, 0, tostring(text)) end
  run.texts[path] = text
  run.files[#run.files + 1] = path
  run.chunks["@" .. path] = path
  local env = setmetatable({ include = including(run,
    path:match "^(.*)/[^/]*$" or ".") }, { __index = run.env,
    __newindex = run.env })
  local chunk, why = load(text, "@" .. path, "t", env)
  if not chunk then
    note_failure(run, path, why)
    if not run.in_part then return end
    chunk = sound_part(text, path, env)
  end
  local fine, err = pcall(chunk)
  if not fine then note_failure(run, path, err) end
end

--- Evaluate a file and what it includes.
-- @tparam string path absolute
-- @tparam[opt] boolean in_part of a file with an error of syntax, the part
-- above it
-- @treturn table settings, services, groups: lists of {name, body, file, line,
-- dir}; errors: list of {file, line, message}; files; texts by file
function M.evaluate(path, in_part)
  local run = {
    in_part = in_part, seen = {},
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
  is_read(run, path)
  local ok, err = bounded(run, function() run_file(run, path) end)
  if not ok then note_failure(run, path, err) end
  for undone in pairs(run.open) do
    add_error(run, undone.file, undone.line, ("%s %q has no table after it")
      :format(undone.what, undone.name))
  end
  return run
end

return M
