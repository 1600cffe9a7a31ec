--- The processes of each instance, whoever their parent is by now: found,
-- signalled, and stopped to the last one.
--
-- We are the subreaper, so every process that comes from a service is below us.
-- Where a cgroup can be made for an instance, that says who belongs to it.
-- Elsewhere what is below its leader does, and what is below an orphan that is
-- its (looks.lua).
-- @module luvisor.supervisor.descendants

local core_os = require "luvisor.core.os"
local folders = require "luvisor.supervisor.folders"
local guards = require "luvisor.supervisor.guard"
local leftovers = require "luvisor.supervisor.leftovers"
local looks = require "luvisor.supervisor.looks"
local random = require "luvisor.supervisor.random"
local stopping = require "luvisor.supervisor.stopping"
local task = require "luvisor.task"
local tree = require "luvisor.core.proctree"

local M = {}

local D = {}
D.__index = D
D.__name = "luvisor.supervisor.descendants"

local PATIENCE <const> = 0.5 -- seconds to wait until what is in doubt is known

-- Without /proc we know no more than our own children.
local function is_blind(sup)
  for _ = 1, 3 do -- one look may fail for other reasons
    if tree.stat(core_os.getpid()) then return false end
  end
  sup.log:warning("there is no /proc: what leaves the process group of its "
    .. "service cannot be found")
  return true
end

--- Become the reaper of all that services leave behind.
-- @tparam Supervisor sup
-- @tparam[opt] table opts cgroups = false: do without them
-- @treturn D
function M.open(sup, opts)
  local id = random.hex(16)
  local root, lock
  if not (opts and opts.cgroups == false) then
    root, lock = folders.open(sup, id)
  end
  tree.adopt_orphans()
  local self = setmetatable({
    id = id, _sup = sup, _root = root, _lock = lock, _starts = 0,
    looks = looks.new(), blind = is_blind(sup),
  }, D)
  -- The kernel ends all with process 1.
  if core_os.getpid() ~= 1 then
    self.guard = guards.open(sup, id, root, lock)
  end
  leftovers.opened(self)
  return self
end

local function make_cgroup(self, inst)
  local dir = ("%s/%s/%s-%d"):format(self._root,
    inst.spec.on_supervisor_death == "kill" and "kill" or "live",
    inst.name:gsub("[^%w_.@-]", "_"), self._starts)
  return tree.cgroup_make(dir) and dir or nil
end

--- What the next spawn of an instance needs.
-- @treturn table options of process.spawn: session, env, cgroup, pdeathsig
function D:prepare(inst)
  self._starts = self._starts + 1
  inst.mark = ("%s:%s:%d"):format(self.id, inst.name, self._starts)
  self.looks:mark(inst)
  local options = { session = true, env = { LUVISOR_MARK = inst.mark } }
  inst.cgroup = self._root and make_cgroup(self, inst) or nil
  inst.is_empty = nil
  options.cgroup = inst.cgroup
  if inst.spec.on_supervisor_death == "kill" then
    options.env.LUVISOR_RUN = self.id
    options.pdeathsig = "KILL"
  end
  return options
end

--- The instance has a process now.
function D:started(inst)
  local pid = inst.process.pid
  if not pid then return end
  inst.leader = pid
  self.looks:lead(inst)
  if self.guard and inst.spec.on_supervisor_death == "kill" then
    inst.guard_slot = self.guard:note(pid)
  end
end

local function is_running(inst)
  return inst.leader and inst.process and not inst.process.status
end

-- Its leader, by its own handle.
local function leader_of(inst)
  if not is_running(inst) then return {} end
  return { { pid = inst.leader, ppid = core_os.getpid(), session = inst.leader,
             start = 0, state = "?", name = inst.name,
             process = inst.process } }
end

-- Who there is of it at a look.
local function members(self, inst, seen)
  local orphans = seen.of[inst] or {}
  local tops = table.move(orphans, 1, #orphans, 1, {})
  if is_running(inst) then table.insert(tops, 1, inst.leader) end
  if #tops == 0 then return tops end
  local list = seen.look:below(tops)
  self.looks:saw(inst, list, seen)
  return list
end

local function list_of(self, inst)
  if inst.is_empty then return {} end
  if inst.cgroup then return tree.cgroup_list(inst.cgroup) end
  if self.blind then return leader_of(inst) end
  return members(self, inst, self.looks:now())
end

--- Who there is of an instance now; the dead are nobody. Does not wait.
-- @tparam Instance inst
-- @treturn {table,...} pid, ppid, session, start, state, name; each after its
-- parent, where there are no cgroups
function D:list(inst)
  local ok, list = pcall(list_of, self, inst)
  return ok and list or leader_of(inst)
end

-- Once its leader has ended nobody comes into its cgroup from outside: to
-- remove it is to ask, in one call, whether somebody is there. False if folders
-- are in it, even with nobody in them.
local function has_emptied(inst)
  if is_running(inst) then return false end
  inst.is_empty = inst.is_empty or tree.cgroup_remove_empty(inst.cgroup)
  return inst.is_empty
end

-- Returns who there is now, and whether it is certain that those are all.
local function look(self, inst)
  if inst.cgroup then
    if has_emptied(inst) then return {}, true end
    local list = tree.cgroup_list(inst.cgroup)
    return list, #list > 0 or not tree.cgroup_populated(inst.cgroup)
  end
  if self.blind then return leader_of(inst), true end
  local seen = self.looks:next()
  local list = members(self, inst, seen)
  local doubt = seen.unsure or seen.doubts[inst] or is_running(inst)
  return list, #list > 0 or not doubt
end

-- Without descriptors or memory nobody can look, but its leader can be told to
-- end and waited for, and that gives some back.
-- Returns as look does, and whether it could.
local function survey(self, inst)
  local ok, list, certain = pcall(look, self, inst)
  if ok then return list, certain, true end
  self._sup.log:warning("its processes cannot be looked for now",
    { service = inst.name, error = tostring(list) })
  list = leader_of(inst)
  return list, #list > 0, false
end

--- Who there is of an instance, as seen after the call. An empty list means
-- that nobody is left. Waits a little, if need be.
-- @treturn {table,...} as of `list`
-- @treturn boolean is it certain that those are all?
function D:remaining(inst)
  local pause = 0.001
  local list, certain, could = survey(self, inst)
  while not certain and (pause < PATIENCE or not could) do
    task.sleep(pause)
    pause = math.min(2 * pause, PATIENCE)
    list, certain, could = survey(self, inst)
  end
  return list, certain
end

--- Is anybody left of an instance? Waits a little, if need be.
-- @treturn boolean
function D:any(inst)
  if is_running(inst) then return true end
  if inst.cgroup then
    return not has_emptied(inst) and tree.cgroup_populated(inst.cgroup)
  end
  return inst.leader ~= nil and #self:remaining(inst) > 0
end

--- Signal all of an instance.
-- @treturn {table,...} who they were
function D:signal(inst, sig)
  local list = self:list(inst)
  for _, one in ipairs(list) do stopping.signal(one, sig, inst) end
  return list
end

--- Stop all of an instance: the signal to each, and after the grace KILL to
-- what remains. Returns when nobody is left.
-- @tparam Instance inst
-- @tparam table how signal, grace (seconds)
-- @treturn table killed: {pid, name} of those that had to be
function D:stop(inst, how)
  return stopping.stop(self, inst, how)
end

--- The instance has ended, to the last process.
function D:forget(inst)
  if inst.cgroup and not inst.is_empty then tree.cgroup_remove(inst.cgroup) end
  if inst.guard_slot then self.guard:forget(inst.guard_slot) end
  self.looks:forget(inst)
  inst.cgroup, inst.leader, inst.guard_slot = nil, nil, nil
end

--- Kill what is below us and belongs to nobody, and stop being the reaper.
-- Waits.
function D:close()
  if self.closed then return end
  self.closed = true
  local ok, err = pcall(leftovers.kill, self)
  if self._root then folders.close(self._root, self._lock) end
  if self.guard then self.guard:close() end
  tree.leave_orphans()
  if not ok then error(err, 0) end
end

return M
