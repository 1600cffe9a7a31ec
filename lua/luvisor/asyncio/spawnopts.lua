--- From subprocess.Popen's options, by Python's names, to those of
-- luvisor.process.
-- @local

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local options = require "luvisor.process.options"
local readers = require "luvisor.asyncio.reader"
local writers = require "luvisor.asyncio.writer"

local M = {}

local O_CLOEXEC <const> = 0x80000 -- as in /proc/self/fdinfo
local FIRST_FURTHER <const> = 3 -- descriptor

-- A path may be an object that tostring makes a string of.
local function has_text(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__tostring ~= nil
end

local function path(value)
  return type(value) == "string" or has_text(value),
    "a string or a path object"
end

local function as_text(value)
  return has_text(value) and tostring(value) or value
end

-- Those that go to luvisor.process, under another name or the same.
local renamed = {
  start_new_session = "session", extra_groups = "groups",
  pipesize = "pipe_size",
}
local kept = { "umask", "user", "group", "argv0", "nice", "limits",
               "oom_score_adj", "cpu_affinity", "no_new_privs", "pdeathsig",
               "cgroup", "chroot", "name" }
local paths = { "cwd", "executable" }

local spec = {
  stdin = "any", stdout = "any", stderr = "any", limit = "any", cwd = path,
  env = "table", executable = path, start_new_session = "boolean",
  process_group = "integer", pass_fds = "table", close_fds = "boolean",
  restore_signals = "boolean", extra_groups = "table", pipesize = "integer",
  preexec_fn = "any", text = "any", encoding = "any", errors = "any",
  universal_newlines = "any", bufsize = "any", shell = "any", loop = "any",
}
for _, name in ipairs(kept) do spec[name] = "any" end

local bytes_only = ": streams carry bytes, which are Lua's strings"

-- Options that are refused, unless they say what is so anyway.
local refused = {
  text = { nil, false, bytes_only },
  universal_newlines = { nil, false, bytes_only },
  encoding = { nil, nil, bytes_only },
  errors = { nil, nil, bytes_only },
  bufsize = { nil, 0, ", but 0: what is written is not kept back" },
  preexec_fn = { nil, nil,
    ": no Lua can run in the child before its program does" },
}

local function check_refused(where, opts, is_shell)
  for name, rule in pairs(refused) do
    local value = opts[name]
    if value ~= nil and value ~= rule[2] then
      errors.usage("%s: %s cannot be given%s", where, name, rule[3])
    end
  end
  if opts.shell ~= nil and (not not opts.shell) ~= is_shell then
    errors.usage("%s: shell cannot be %s: that is create_subprocess_%s", where,
      tostring(opts.shell), is_shell and "exec" or "shell")
  end
end

-- ---- descriptors ----

-- A stream of ours stands for the native one.
local function as_native(value)
  local meta = type(value) == "table" and getmetatable(value)
  if meta == readers.StreamReader then return readers.give(value) end
  if meta == writers.StreamWriter then return value._w end
  return value
end

local function pass(where, fds, value)
  value = as_native(value)
  local number = value
  if type(value) == "userdata" and value.fileno then
    number = value:fileno()
  end
  if math.type(number) ~= "integer" or number < 0 then
    errors.usage("%s: pass_fds: expected a descriptor or a stream, got %s",
      where, tostring(value))
  end
  if number >= FIRST_FURTHER then fds[number] = value end
end

local function is_inheritable(fd)
  local info <close> = io.open(("/proc/self/fdinfo/%d"):format(fd))
  local flags = info and info:read "a":match "flags:%s*(%d+)"
  return flags ~= nil and tonumber(flags, 8) & O_CLOEXEC == 0
end

-- Which descriptors from 3 on the child gets, by number. What is open with us
-- is closed at an exec, but for what we were started with.
local function further(where, opts)
  local fds = {}
  if opts.close_fds == false then
    for _, fd in ipairs(core_os.fds()) do
      if fd >= FIRST_FURTHER and is_inheritable(fd) then fds[fd] = fd end
    end
  end
  for _, value in ipairs(opts.pass_fds or {}) do pass(where, fds, value) end
  return next(fds) ~= nil and fds or nil
end

-- None, the default, and -1 are no group of its own.
local function process_group(opts)
  local group = opts.process_group or -1
  if group == 0 then return true end
  if group > 0 then return group end
  return opts.start_new_session and true or false
end

local function given(value)
  return value ~= -1 and value or nil
end

-- ---- all of them ----

local function translate(where, to, opts, defaults)
  local limit = readers.check_limit(where, opts.limit)
  to.limit, to.max_line = 2 * limit, limit
  for from, name in pairs(renamed) do to[name] = given(opts[from]) end
  for _, name in ipairs(kept) do to[name] = given(opts[name]) end
  for _, name in ipairs(paths) do to[name] = as_text(opts[name]) end
  for name, default in pairs(defaults) do
    local value = opts[name]
    if value == nil then value = default end
    to[name] = value == false and "inherit" or as_native(value)
  end
  if opts.env then to.env, to.clear_env = opts.env, true end
  to.process_group = process_group(opts)
  to.fds = further(where, opts)
  return limit
end

-- Options are a plain table at the end.
local function split(args)
  local last = args[args.n]
  if type(last) ~= "table" or getmetatable(last) ~= nil then return {} end
  args[args.n], args.n = nil, args.n - 1
  return last
end

local function check_argument(where, i, value)
  if type(value) == "string" or type(value) == "number" or has_text(value) then
    return as_text(value)
  end
  errors.usage("%s: %s must be a string, a number or a path object, got %s",
    where, i == 1 and "the program" or "argument " .. i - 1, type(value))
end

local function finish(where, to, opts, defaults)
  local limit = translate(where, to, opts, defaults)
  local checked = options.check_spawn(where, to)
  checked._keep_sigpipe = opts.restore_signals == false
  return checked, limit
end

--- What stdin, stdout and stderr are if nothing is said of them; false is
-- Python's None.
M.inherited = { stdin = "inherit", stdout = "inherit", stderr = "inherit" }
M.piped = { stdin = "pipe", stdout = "pipe", stderr = "pipe" }

--- The options of process.spawn for a program, its arguments and Python's
-- options.
-- @tparam string where the function, for messages
-- @tparam table defaults `inherited` or `piped`
-- @treturn table
-- @treturn integer the limit of the streams
-- @raise UsageError
function M.exec(where, defaults, ...)
  local to = table.pack(...)
  local opts = errors.check_options(where, split(to), spec)
  check_refused(where, opts, false)
  for i = 1, math.max(to.n, 1) do to[i] = check_argument(where, i, to[i]) end
  to.n = nil
  return finish(where, to, opts, defaults)
end

--- The same for a command line.
function M.shell(where, defaults, command, opts)
  opts = errors.check_options(where, opts, spec)
  check_refused(where, opts, true)
  if type(command) ~= "string" then
    errors.usage("%s: the command must be a string, got %s", where,
      type(command))
  end
  return finish(where, { shell = command }, opts, defaults)
end

return M
