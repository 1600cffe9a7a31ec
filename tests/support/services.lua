-- What tests of supervised services need: a supervisor in a folder of its own,
-- processes that can be told from all others, with and without cgroups.
-- local services = dofile(SOURCE .. "/tests/support/services.lua")

local core_os = require "luvisor.core.os"
local fs = require "luvisor.fs"
local lv = require "luvisor"
local supervisor = require "luvisor.supervisor"
local tree = require "luvisor.core.proctree"

local M = {}

M.TMP = assert(os.getenv "TMPDIR", "TMPDIR is not set")

--- A configuration of these services, in TMPDIR.
function M.config(services, more)
  local config = { services = services,
    log = { dir = M.TMP .. "/log", level = "error" },
    state_dir = M.TMP .. "/state", defaults = { stop = { grace = 5 } } }
  for key, value in pairs(more or {}) do config[key] = value end
  return config
end

--- Call fn with a supervisor of these services, and close it.
function M.with(services, fn, more)
  local sup <close> = supervisor.new(M.config(services, more))
  fn(sup)
  sup:close()
  M.clean()
end

function M.clean()
  for _, name in ipairs { "/log", "/state" } do
    lv.try(fs.remove, M.TMP .. name, { recursive = true })
  end
end

local own_cgroup = tree.cgroup_own

--- Can a folder be made in our cgroup?
function M.has_cgroups()
  local own = own_cgroup()
  local dir = own and ("%s/probe-%d"):format(own, core_os.getpid())
  return dir ~= nil and tree.cgroup_make(dir) and tree.cgroup_remove(dir)
end

--- Call fn with the supervisor's cgroups, if there are any, and without.
function M.both_ways(fn)
  if M.has_cgroups() then fn "with cgroups" end
  tree.cgroup_own = function() return nil end
  local ok, err = pcall(fn, "without cgroups")
  tree.cgroup_own = own_cgroup
  if not ok then error(err, 0) end
end

local marks = 0

--- A number of seconds to sleep, which no other process has as an argument.
function M.mark()
  marks = marks + 1
  return ("%d.%04d"):format(core_os.getpid() + 100000, marks)
end

local function command_line(pid)
  local file <close> = io.open(("/proc/%s/cmdline"):format(pid))
  return file and file:read "a" or ""
end

--- The processes alive that have the text in their command line.
-- @tparam string text
-- @tparam[opt] string name only those of that name
-- @treturn {table,...} as proctree.stat
function M.alive(text, name)
  local list = {}
  for _, entry in ipairs(fs.scandir "/proc") do
    local pid = tonumber(entry.name)
    if pid and command_line(entry.name):find(text, 1, true) then
      local one = tree.stat(pid)
      if one and (not name or one.name == name) then list[#list + 1] = one end
    end
  end
  return list
end

return M
