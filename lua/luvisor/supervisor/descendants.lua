--- The processes of each instance, whoever their parent is by now: found,
-- signalled, and stopped to the last one.
--
-- We are the subreaper, so every process that comes from a service is below us.
-- Where a cgroup can be made for an instance, that says who belongs to it.
-- Elsewhere what is below its leader does, and what is below an orphan (now our
-- child) that is in its session, has its mark in the environment, or was seen
-- below it before.
-- @module luvisor.supervisor.descendants

local core_os = require "luvisor.core.os"
local core_task = require "luvisor.core.task"
local guards = require "luvisor.supervisor.guard"
local leftovers = require "luvisor.supervisor.leftovers"
local random = require "luvisor.supervisor.random"
local stopping = require "luvisor.supervisor.stopping"
local task = require "luvisor.task"
local tree = require "luvisor.core.proctree"

local M = {}

local D = {}
D.__index = D
D.__name = "luvisor.supervisor.descendants"

local roots = 0

-- What a supervisor has left that was killed together with its guard.
local function remove_stale(own)
  for _, dir in ipairs(tree.cgroup_folders(own)) do
    local pid, start = dir:match "/luvisor%-(%d+)%.(%d+)%.%d+$"
    local owner = pid and tree.stat(tonumber(pid))
    local is_there = owner and owner.start == tonumber(start)
    if pid and not is_there then tree.cgroup_remove(dir) end
  end
end

-- A folder of our own in the cgroup that we are in; nil if that cannot be.
local function make_root()
  local own = tree.cgroup_own()
  if not own then return nil end
  remove_stale(own)
  local us = tree.stat(core_os.getpid())
  roots = roots + 1
  local root = ("%s/luvisor-%d.%d.%d"):format(own, us.pid, us.start, roots)
  local made = tree.cgroup_make(root) and tree.cgroup_make(root .. "/kill")
    and tree.cgroup_make(root .. "/live")
  if made then return root end
  tree.cgroup_remove(root)
  return nil
end

--- Become the reaper of all that services leave behind.
-- @tparam Supervisor sup
-- @tparam[opt] table opts cgroups = false: do without them
-- @treturn D
function M.open(sup, opts)
  local id = random.hex(16)
  local root = not (opts and opts.cgroups == false) and make_root() or nil
  tree.adopt_orphans()
  local self = setmetatable({
    id = id, _sup = sup, _root = root, _starts = 0,
    _leaders = {}, _marks = {}, -- instances by pid, by mark
    _known = {}, _families = {}, -- by process, and the other way round
    _nobodys = {}, -- orphans that belong to no instance
  }, D)
  -- The kernel ends all with process 1.
  if core_os.getpid() ~= 1 then self.guard = guards.open(sup, id, root) end
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
  self._marks[inst.mark] = inst
  local options = { session = true, env = { LUVISOR_MARK = inst.mark } }
  inst.cgroup = self._root and make_cgroup(self, inst) or nil
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
  self._leaders[pid] = inst
  if self.guard and inst.spec.on_supervisor_death == "kill" then
    inst.guard_slot = self.guard:note(pid)
  end
end

local key_of = stopping.key

local function remember(self, inst, one)
  local key = key_of(one)
  if self._known[key] then return end
  self._known[key] = inst
  local family = self._families[inst] or {}
  self._families[inst] = family
  family[#family + 1] = key
end

-- An orphan's environment is read once; while it is being executed it has none.
-- Returns an instance, nil, or false: not known yet.
local function owner_of(self, orphan)
  local inst = self._leaders[orphan.session]
  if inst then return inst end
  local key = key_of(orphan)
  if self._known[key] then return self._known[key] end
  if self._nobodys[key] then return nil end
  local mark = tree.env(orphan.pid, "LUVISOR_MARK")
  if mark == false then return false end
  inst = mark and self._marks[mark]
  if inst then remember(self, inst, orphan) end
  return inst
end

--- The orphans below us: each instance's, and those of nobody that we know.
-- One look serves all who ask within the same turn of the loop: none of them
-- has waited since.
-- @tparam[opt] boolean fresh look anew
-- @treturn table by instance, lists
-- @treturn {table,...} those of no instance
-- @treturn boolean is there one that may be any's?
function D:orphans(fresh)
  if fresh then self._seen = nil end
  local seen = self._seen
  if seen then return seen.of, seen.nobodys, seen.unsure end
  seen = { of = {}, nobodys = {}, unsure = false }
  local nobodys = {}
  for _, one in ipairs(tree.orphans()) do
    local inst = owner_of(self, one)
    if inst then
      seen.of[inst] = seen.of[inst] or {}
      table.insert(seen.of[inst], one.pid)
    else
      table.insert(seen.nobodys, one)
      seen.unsure = seen.unsure or inst == false
      if inst == nil then nobodys[key_of(one)] = true end
    end
  end
  self._seen, self._nobodys = seen, nobodys
  core_task.detached(function() self._seen = nil end)
  return seen.of, seen.nobodys, seen.unsure
end

local function is_running(inst)
  return inst.leader and inst.process and not inst.process.status
end

--- Who there is of an instance now; the dead are nobody.
-- @tparam Instance inst
-- @tparam[opt] boolean fresh look anew, though somebody has in this turn
-- @treturn {table,...} pid, ppid, session, start, state, name; each after its
-- parent, where there are no cgroups
function D:list(inst, fresh)
  if inst.cgroup then return tree.cgroup_list(inst.cgroup) end
  local orphans = self:orphans(fresh)[inst] or {}
  local tops = table.move(orphans, 1, #orphans, 1, {})
  if is_running(inst) then table.insert(tops, 1, inst.leader) end
  if #tops == 0 then return tops end
  local list = tree.below(tops)
  for _, one in ipairs(list) do remember(self, inst, one) end
  return list
end

--- Is anybody left of an instance? Waits, if one is just being executed of whom
-- that is not known yet.
-- @treturn boolean
function D:any(inst)
  if inst.cgroup then return tree.cgroup_populated(inst.cgroup) end
  if is_running(inst) then return true end
  local of, _, unsure = self:orphans()
  local pause = 0.001
  while not of[inst] and unsure and pause < 1 do
    task.sleep(pause)
    pause = 2 * pause
    of, _, unsure = self:orphans()
  end
  return of[inst] ~= nil
end

--- Signal all of an instance.
-- @treturn {table,...} who they were
function D:signal(inst, sig)
  local list = self:list(inst)
  for _, one in ipairs(list) do stopping.signal(one, sig) end
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
  if inst.cgroup then tree.cgroup_remove(inst.cgroup) end
  if inst.guard_slot then self.guard:forget(inst.guard_slot) end
  if inst.leader then self._leaders[inst.leader] = nil end
  if inst.mark then self._marks[inst.mark] = nil end
  for _, key in ipairs(self._families[inst] or {}) do
    self._known[key] = nil
  end
  self._families[inst] = nil
  inst.cgroup, inst.leader, inst.guard_slot = nil, nil, nil
end

--- Kill what is below us and belongs to nobody, and stop being the reaper.
-- Waits.
function D:close()
  if self.closed then return end
  self.closed = true
  leftovers.kill(self)
  if self._root then
    tree.cgroup_kill(self._root)
    leftovers.remove_cgroup(self._root)
  end
  if self.guard then self.guard:close() end
  tree.leave_orphans()
end

return M
