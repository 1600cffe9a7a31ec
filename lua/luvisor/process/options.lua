--- The options of spawn, run and capture: their types and ranges, what goes
-- together. What must be looked up (a user, a file, a stream) is C's.
-- @local

local errors = require "luvisor.error"
local signal = require "luvisor.core.signal"

local M = {}

local INT_MAX <const> = 0x7fffffff

-- Types for errors.check_options: functions that return whether the value is
-- right, and what it should have been.

local function range(low, high)
  local expected = ("an integer from %d to %d"):format(low, high)
  return function(value)
    return math.type(value) == "integer" and value >= low and value <= high,
      expected
  end
end

-- No system call takes a zero byte.
local function is_text(value)
  return type(value) == "string" and not value:find("\0", 1, true)
end

local function text(value)
  return is_text(value), "a string without zero bytes"
end

local function text_or_number(value)
  return type(value) == "number" or is_text(value),
    "a string without zero bytes or a number"
end

local function name_or_id(value)
  return math.type(value) == "integer" or is_text(value),
    "a name without zero bytes or an integer"
end

-- An integer, or its octal digits.
local function octal(most)
  local is_number = range(0, most)
  return function(value)
    if type(value) == "string" and value:find "^[0-7]+$" and #value < 12 then
      value = tonumber(value, 8)
    end
    return is_number(value), "an integer or octal digits as \"022\""
  end
end

local function signal_name(value)
  return pcall(signal.number, value), "a signal as \"TERM\" or 15"
end

local function is_limit(value)
  return value == "unlimited" or math.type(value) == "integer" and value >= 0
end

local function is_above(soft, hard)
  return hard ~= "unlimited" and (soft == "unlimited" or soft > hard)
end

local function limit(value)
  if type(value) ~= "table" then
    return is_limit(value), "an integer, \"unlimited\" or { soft, hard }"
  end
  local soft, hard = value[1], value[2]
  if not is_limit(soft) or not is_limit(hard) then
    return false, "{ soft, hard }, each an integer or \"unlimited\""
  end
  return not is_above(soft, hard), "{ soft, hard } with soft not above hard"
end

local is_id = range(0, INT_MAX) -- of groups, of descriptors

local function group(value)
  return type(value) == "boolean" or is_id(value),
    "true, false or the number of a group"
end

local is_permissions = octal(4095)

local function file_mode(value)
  local named = value == "r" or value == "w" or value == "a" or value == "rw"
  return named or is_permissions(value),
    "\"r\", \"w\", \"a\", \"rw\" or permissions as \"0644\""
end

local spawn = {
  text_or_number, -- the elements of argv
  shell = text, executable = text, argv0 = text, cwd = text, chroot = text,
  env = "table", clear_env = "boolean",
  stdin = "any", stdout = "any", stderr = "any", fds = "table",
  pty = "boolean|table",
  user = name_or_id, group = name_or_id, groups = "table",
  umask = octal(511), nice = range(-20, 19), limits = "table",
  oom_score_adj = range(-1000, 1000), cpu_affinity = "table",
  no_new_privs = "boolean", pdeathsig = signal_name,
  session = "boolean", process_group = group, cgroup = text,
  pipe_size = range(1, INT_MAX), limit = "count", max_line = "count",
  name = "string", stop = "table|function", protocol = "table",
}

--- The types of the options of spawn, and more.
local function extended(more)
  local spec = {}
  for name, kind in pairs(spawn) do spec[name] = kind end
  for name, kind in pairs(more) do spec[name] = kind end
  return spec
end

M.extended = extended

local run = extended {
  input = "string|table|function|userdata", timeout = "seconds",
  check = "boolean|table", max_output = "size", linger = "seconds",
  leftover = "string",
}

M.communicate = { timeout = "seconds", max_output = "size",
                  linger = "seconds" }

-- The spec of each option that is itself a table.
local nested = {
  groups = { name_or_id },
  cpu_affinity = { range(0, 1023) },
  pty = { rows = range(1, 65535), cols = range(1, 65535), echo = "boolean" },
  stop = { signal = signal_name, grace = "seconds" },
  limits = {},
}
for name in ("as core cpu data fsize locks memlock msgqueue nice nofile nproc "
  .. "rss rtprio rttime sigpending stack"):gmatch "%a+" do
  nested.limits[name] = limit
end

local file = { file = text, append = "boolean", mode = file_mode }

local is_further = range(3, INT_MAX)

-- A list that tells of each of its words, too, that it is there.
local function words(list)
  for i = 1, #list do list[list[i]] = true end
  return list
end

-- What descriptors may be called.
local standard = {
  stdin = words { "inherit", "pipe", "null", "close" },
  stdout = words { "inherit", "pipe", "null", "close" },
  stderr = words { "inherit", "pipe", "null", "close", "stdout" },
}
local further = words { "inherit", "pipe", "null", "close", "pipe-in" }

local leftovers = { kill = true, wait = true, leave = true }

local function check_command(where, opts)
  if (opts.shell ~= nil) == (opts[1] ~= nil) then
    errors.usage("%s: either a command { \"ls\", \"-l\" } or shell = \"…\" is "
      .. "needed%s", where, opts.shell and ", not both" or "")
  end
  local n, last = 0, 0
  for key in pairs(opts) do
    if type(key) == "number" then n, last = n + 1, math.max(last, key) end
  end
  if n ~= last then errors.usage("%s: an argument is nil", where) end
end

local function check_env(where, env)
  for name, value in pairs(env) do
    if not is_text(name) or name == "" or name:find "=" then
      errors.usage("%s: env: %s cannot be the name of a variable", where,
        type(name) == "string" and ("%q"):format(name) or tostring(name))
    end
    if type(value) ~= "boolean" and not text_or_number(value) then
      errors.usage("%s: env: %q must be a string without zero bytes, a number, "
        .. "false (none) or true (the child's pid), got %s", where, name,
        tostring(value))
    end
  end
end

local function check_word(where, name, word, known)
  if known[word] then return end
  local near = errors.nearest(word, known)
  errors.usage("%s: %s is one of \"%s\", a file { file = … }, a descriptor or "
    .. "a stream, got %q%s", where, name, table.concat(known, "\", \""),
    word, near and ("; did you mean \"%s\"?"):format(near) or "")
end

local function check_table(where, name, value)
  if type(rawget(value, "_reader")) == "userdata" then return end -- a Duplex
  where = where .. ": " .. name
  errors.check_options(where, value, file)
  if value.file == nil then
    errors.usage("%s: a table here is { file = \"name\" }", where)
  end
end

-- One of stdin, stdout, stderr and the elements of fds.
local function check_descriptor(where, name, value, known)
  local kind = type(value)
  if kind == "string" then
    check_word(where, name, value, known)
  elseif kind == "table" then
    check_table(where, name, value)
  elseif kind ~= "userdata" and not is_id(value) then
    errors.usage("%s: %s must be a word as \"pipe\", a file { file = … }, a "
      .. "descriptor or a stream, got %s", where, name, tostring(value))
  end
end

local function check_descriptors(where, opts)
  for name, known in pairs(standard) do
    local value = opts[name]
    if value ~= nil then check_descriptor(where, name, value, known) end
  end
  if not opts.fds then return end
  for fd, value in pairs(opts.fds) do
    if not is_further(fd) then
      errors.usage("%s: fds: a key is a descriptor of 3 or more, got %s",
        where, tostring(fd))
    end
    check_descriptor(where, ("fds[%d]"):format(fd), value, further)
  end
end

local function check_group(where, opts)
  local own = opts.process_group
  if (opts.session or opts.pty) and own ~= nil and own ~= true then
    errors.usage("%s: a session begins with a group of its own: process_group "
      .. "cannot be %s", where, tostring(own))
  end
end

-- A shell is argv, too; the script's table is left as it is.
local function with_shell(opts)
  local copy = {}
  for name, value in pairs(opts) do copy[name] = value end
  copy[1], copy[2], copy[3] = opts.executable or "/bin/sh", "-c", opts.shell
  return copy
end

--- Check the options of spawn.
-- @tparam string where for messages, as "process.spawn"
-- @tparam table opts
-- @treturn table the options with argv in their list part
function M.check_spawn(where, opts, spec)
  if type(opts) ~= "table" then
    errors.usage("%s: expected a table as { \"ls\", \"-l\" }, got %s", where,
      type(opts))
  end
  errors.check_options(where, opts, spec or spawn)
  check_command(where, opts)
  if opts.env then check_env(where, opts.env) end
  check_descriptors(where, opts)
  check_group(where, opts)
  for name, inner in pairs(nested) do
    if type(opts[name]) == "table" then
      errors.check_options(where .. ": " .. name, opts[name], inner)
    end
  end
  return opts.shell and with_shell(opts) or opts
end

--- Check the options of run and capture.
function M.check_run(where, opts)
  local checked = M.check_spawn(where, opts, run)
  if opts.leftover and not leftovers[opts.leftover] then
    errors.usage("%s: leftover is \"kill\", \"wait\" or \"leave\", got %q",
      where, opts.leftover)
  end
  if opts.input ~= nil and opts.stdin ~= nil and opts.stdin ~= "pipe" then
    errors.usage("%s: input is given to stdin, which is not a pipe", where)
  end
  return checked
end

return M
