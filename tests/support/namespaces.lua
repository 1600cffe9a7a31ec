-- A luvisor that is process 1 of a namespace of its own, as in a container.
-- local namespaces = dofile(SOURCE .. "/tests/support/namespaces.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local tree = require "luvisor.core.proctree"

local M = {}

local LUVISOR <const> = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local UNSHARE <const> = { "unshare", "--pid", "--fork", "--mount-proc",
                          "--kill-child" }
local AS_USER <const> = { "--user", "--map-root-user" }

local function joined(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  return all
end

local function works(command)
  command = joined(command, { "true" })
  command.check, command.stderr = false, "null"
  local ok, result = pcall(process.run, command)
  return ok and result.ok
end

-- As root without a namespace of users, for in one some mounts are refused.
local function find_command()
  if works(UNSHARE) then return UNSHARE end
  local with_user = joined(UNSHARE, AS_USER)
  return works(with_user) and with_user or nil
end

local command = find_command()

--- Skip the test where there can be no such namespace.
function M.need()
  if not command then tap.skip "no PID namespace can be made here" end
end

--- May we mount there?
function M.need_mounts()
  M.need()
  if not works(joined(command, { "mount", "-t", "tmpfs", "none", "/mnt" })) then
    tap.skip "nothing can be mounted here"
  end
end

local function with_options(argv, opts)
  for name, value in pairs(opts or {}) do argv[name] = value end
  return argv
end

--- Run a command as process 1, to its end.
-- @tparam {string,...} argv
-- @tparam[opt] table opts those of process.run
-- @treturn Result
function M.run(argv, opts)
  M.need()
  local all = with_options(joined(command, argv), opts)
  if all.check == nil then all.check = false end
  all.timeout = all.timeout or 60
  return process.run(all)
end

--- Run a script by a luvisor that is process 1.
function M.script(script, opts)
  return M.run({ LUVISOR, "-e", script }, opts)
end

--- Start a command as process 1.
-- @treturn Process of unshare, whose status is the command's
function M.start(argv, opts)
  M.need()
  return process.spawn(with_options(joined(command, argv), opts))
end

--- Run a command in the namespace of a process 1, as `docker exec` does.
-- @tparam integer pid of it, outside
-- @treturn Result
function M.exec(pid, argv)
  local enter = { "nsenter", "-t", tostring(pid), "-p", "-m" }
  if command ~= UNSHARE then
    table.move({ "-U", "--preserve-credentials" }, 1, 2, #enter + 1, enter)
  end
  return process.run(joined(enter, argv))
end

--- The number that process 1 has outside. Waits until it is there.
function M.pid_of(p)
  return tap.eventually(function()
    for _, one in ipairs(tree.look():below { p.pid }) do
      if one.ppid == p.pid then return one.pid end
    end
  end, 20, "it is there")
end

return M
