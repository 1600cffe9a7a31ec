--- The options of spawn, run and capture: their types, what goes together.
-- What a value means (a user's name, a limit) is looked at in C.
-- @local

local errors = require "luvisor.error"

local M = {}

local STDIO <const> = "string|table|integer|userdata"

local spawn = {
  "string|number", -- the elements of argv
  shell = "string", executable = "string", argv0 = "string", cwd = "string",
  env = "table", clear_env = "boolean",
  stdin = STDIO, stdout = STDIO, stderr = STDIO, fds = "table",
  pty = "boolean|table",
  user = "string|integer", group = "string|integer", groups = "table",
  umask = "string|integer", nice = "integer", limits = "table",
  oom_score_adj = "integer", cpu_affinity = "table",
  no_new_privs = "boolean", chroot = "string", pdeathsig = "string|integer",
  session = "boolean", process_group = "boolean|integer", cgroup = "string",
  pipe_size = "count", limit = "count", max_line = "count",
  name = "string", stop = "table|function", protocol = "table",
}

local stop = { signal = "string|integer", grace = "seconds" }
local pty = { rows = "count", cols = "count", echo = "boolean" }

local function extended(more)
  local spec = {}
  for name, kind in pairs(spawn) do spec[name] = kind end
  for name, kind in pairs(more) do spec[name] = kind end
  return spec
end

local run = extended {
  input = "string|table|function|userdata", timeout = "seconds",
  check = "boolean|table", max_output = "size", linger = "seconds",
  leftover = "string",
}

M.communicate = { timeout = "seconds", max_output = "size",
                  linger = "seconds" }

local leftovers = { kill = true, wait = true, leave = true }

local function check_command(where, opts)
  if (opts.shell ~= nil) == (opts[1] ~= nil) then
    errors.usage("%s: either a command { \"ls\", \"-l\" } or shell = \"…\" is "
      .. "needed%s", where, opts.shell and ", not both" or "")
  end
end

local function check_nested(where, opts)
  if type(opts.stop) == "table" then
    errors.check_options(where .. ": stop", opts.stop, stop)
  end
  if type(opts.pty) == "table" then
    errors.check_options(where .. ": pty", opts.pty, pty)
  end
end

-- A shell is argv, too; the script's table is left as it is.
local function with_shell(opts)
  local copy = {}
  for name, value in pairs(opts) do copy[name] = value end
  copy[1], copy[2], copy[3] = "/bin/sh", "-c", opts.shell
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
  check_nested(where, opts)
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
