-- A luvisor that supervises, to be killed: does its guard end what it leaves?
-- local guarded = dofile(SOURCE .. "/tests/support/guarded.lua")

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local tree = require "luvisor.core.proctree"
local SUPPORT <const> = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local services = dofile(SUPPORT .. "services.lua")

local M = {}

M.services = services

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

-- Its table of services comes as text, by the environment: marks on its own
-- command line would be found. A log has one writer.
M.PROGRAM = [[
local services = dofile "]] .. SUPPORT .. [[services.lua"
local tree = require "luvisor.core.proctree"
if arg[1] == "without cgroups" then tree.cgroup_own = function() end end
local sup <close> = require "luvisor.supervisor".new(services.config(
  load("return " .. os.getenv "SERVICES")(), { log = { level = "warning",
    dir = services.TMP .. "/log/" .. require "luvisor.core.os".getpid() } }))
local guard = sup.descendants.guard
print(guard.process.pid)
sup:start_all()
sup:run()
]]

--- Start one.
-- @tparam string how "without cgroups"
-- @tparam string text of a table of services; MARK in it is the mark
-- @tparam[opt] string mark
-- @tparam[opt] table opts env, program, cgroup
-- @treturn Process
-- @treturn integer the pid of its guard
function M.start(how, text, mark, opts)
  opts = opts or {}
  local env = { SERVICES = text:gsub("MARK", mark or "") }
  for name, value in pairs(opts.env or {}) do env[name] = value end
  local p = process.spawn { LUVISOR, "-e", opts.program or M.PROGRAM,
    how, env = env, stdout = "pipe", stop = { signal = "KILL" },
    cgroup = opts.cgroup,
    stderr = { file = services.TMP .. "/stderr", append = true } }
  return p, tonumber(p.stdout:readline())
end

--- Call fn with a new cgroup, in which no other luvisor is; or skip the test.
function M.in_cgroup(fn)
  if not services.has_cgroups() then tap.skip "no cgroup can be made" end
  local dir = ("%s/probe-%s"):format(tree.cgroup_own(), services.mark())
  tap.ok(tree.cgroup_make(dir))
  fn(dir)
  tap.eventually(function() return tree.cgroup_remove(dir) end, 30,
    "nothing is left in it")
end

--- Wait until no process has the text in its command line.
function M.gone(text, name)
  return tap.eventually(function() return #services.alive(text) == 0 end, 30,
    name)
end

--- Wait until so many have.
function M.there(text, n)
  tap.eventually(function() return #services.alive(text) >= n end, 30)
end

function M.is_dead(pid)
  return tree.stat(pid) == nil
end

function M.kill(p)
  p:kill()
  p:wait()
end

--- What the luvisors since the last call, and their guards, have written.
function M.said()
  local text = fs.read_file(services.TMP .. "/stderr")
  fs.remove(services.TMP .. "/stderr")
  services.clean()
  return text
end

--- Is there no folder of a cgroup that it has made?
function M.no_cgroup_of(pid, own)
  own = own or services.has_cgroups() and tree.cgroup_own()
  for _, dir in ipairs(own and tree.cgroup_folders(own) or {}) do
    if dir:find("/luvisor-" .. pid .. ".", 1, true) then return false end
  end
  return true
end

--- The guards among the processes below a luvisor.
-- @treturn {integer,...}
function M.guards_of(p)
  local list = {}
  for _, one in ipairs(tree.look():below { p.pid }) do
    if one.name == "lv-guard" then list[#list + 1] = one.pid end
  end
  return list
end

--- Services that are hard to end; at least `COUNT` processes in all.
M.FAMILY = [[{
  a = { command = { shell = "sleep MARK & exec sleep MARK" } },
  stubborn = { command = { shell = [=[trap '' TERM; sh -c 'trap "" TERM
    while :; do sleep MARK; done' & while :; do sleep MARK; done]=] },
    stop = { grace = 0.2 } },
  session = { command = { shell = "setsid sleep MARK & exec sleep MARK" } },
  double = { command = { shell =
    "(sh -c '(setsid sleep MARK &)' &); exec sleep MARK" } },
  clean = { command = { shell = "env -i sleep MARK & exec sleep MARK" } },
  stopped = { command = { shell = "sh -c 'kill -STOP $$; sleep MARK'" } },
  both = { command = { shell =
    "sh -c 'env -i setsid sleep MARK & sleep MARK; :' & exec sleep MARK" } },
}]]
M.COUNT = 17

return M
