--- Looks at the processes below us, and whose the orphans among them are.
--
-- Where there are no cgroups, an orphan (now our child) is an instance's if it
-- is in its session, has its mark in the environment, or was seen below it
-- before. Where the kernel does not list children, a look reads all of /proc:
-- so one serves as many as possible.
--
-- A look at which nobody is there and nobody is dead proves that nobody is: who
-- leaves a child and dies meanwhile is our child as well, and a zombie until we
-- reap it. So a zombie that was not there at the look before means doubt.
-- @local

local core_task = require "luvisor.core.task"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"
local waiters = require "luvisor.waiters"

local M = {}

local Looks = {}
Looks.__index = Looks
Looks.__name = "luvisor.supervisor.looks"

local REST <const> = 4 -- after a look that took a second, so many of rest …
local LONGEST <const> = 0.25 -- … but no more seconds than that

--- The name of a process that no other ever has.
-- @treturn string
function M.key(one)
  return one.pid .. ":" .. one.start
end

local key_of = M.key

--- @treturn Looks
function M.new()
  return setmetatable({
    _leaders = {}, _marks = {}, -- instances by pid, by mark
    _known = {}, _families = {}, -- by process, and the other way round
    _nobodys = {}, _dead = {}, -- at the look before
    _next = 0, _count = 0, _line = waiters.new "a look at /proc",
  }, Looks)
end

--- Processes with this mark in their environment are the instance's.
function Looks:mark(inst)
  self._marks[inst.mark] = inst
end

--- So are those in the session of its leader.
function Looks:lead(inst)
  self._leaders[inst.leader] = inst
end

local function family_of(self, inst)
  local family = self._families[inst]
  if not family then
    family = { now = {}, before = {} }
    self._families[inst] = family
  end
  return family
end

local function remember(self, inst, one)
  local key = key_of(one)
  self._known[key] = inst
  family_of(self, inst).now[key] = true
end

--- These are its, as that look shows. Those that were not at the last two looks
-- either are forgotten, for services run long and have many children.
function Looks:saw(inst, list, seen)
  local family = family_of(self, inst)
  if family.look == seen.number then return end
  family.look = seen.number
  local gone = family.before
  family.now, family.before = {}, family.now
  for _, one in ipairs(list) do remember(self, inst, one) end
  for key in pairs(gone) do
    if not family.now[key] and not family.before[key] then
      self._known[key] = nil
    end
  end
end

--- Nothing is left of it.
function Looks:forget(inst)
  if inst.leader then self._leaders[inst.leader] = nil end
  if inst.mark then self._marks[inst.mark] = nil end
  local family = family_of(self, inst)
  for key in pairs(family.now) do self._known[key] = nil end
  for key in pairs(family.before) do self._known[key] = nil end
  self._families[inst] = nil
end

-- An orphan's environment is read once; while it is being executed it has none.
-- Returns an instance, nil, or false: not known yet.
local function owner_of(self, orphan, key)
  local inst = self._leaders[orphan.session] or self._known[key]
  if inst or self._nobodys[key] then return inst end
  local mark = tree.env(orphan.pid, "LUVISOR_MARK")
  if mark == false then return false end
  inst = mark and self._marks[mark]
  if inst then remember(self, inst, orphan) end
  return inst
end

local function sort_alive(self, seen, alive)
  local nobodys = {}
  for _, one in ipairs(alive) do
    local key = key_of(one)
    local inst = owner_of(self, one, key)
    if inst then
      seen.of[inst] = seen.of[inst] or {}
      table.insert(seen.of[inst], one.pid)
    else
      table.insert(seen.nobodys, one)
      if inst == false then seen.unsure = true else nobodys[key] = true end
    end
  end
  self._nobodys = nobodys
end

-- A zombie has no environment.
local function sort_dead(self, seen, dead)
  local all = {}
  for _, one in ipairs(dead) do
    local key = key_of(one)
    local inst = self._leaders[one.session] or self._known[key]
    if inst then
      seen.doubts[inst] = not self._dead[key]
    elseif not self._dead[key] then
      seen.unsure = true
    end
    all[key] = true
  end
  self._dead = all
end

--- Look now.
-- @treturn table of (pids of orphans by instance), nobodys (list of processes),
-- unsure (is there one that may be any's?), doubts (one that was an instance's
-- has just died), and look, core.proctree's
function Looks:fresh()
  local began = time.now()
  local look = tree.look()
  local alive, dead = look:orphans()
  self._count = self._count + 1
  local seen = {
    number = self._count, look = look, of = {}, nobodys = {}, doubts = {},
    unsure = false,
  }
  sort_alive(self, seen, alive)
  sort_dead(self, seen, dead)
  local now = time.now()
  self._next = now + math.min(REST * (now - began), LONGEST)
  self._seen = seen
  core_task.lasting(function()
    if self._seen == seen then self._seen = nil end
  end)
  return seen
end

--- The last look, if it was in this turn of the loop: who asks has not waited
-- since. Else a new one.
function Looks:now()
  return self._seen or self:fresh()
end

local function look_for_all(self, delay)
  task.sleep(delay)
  self._is_due = false
  self._line:wake_all { pcall(self.fresh, self) }
end

--- A look that begins after the call, together with all who ask until then.
-- Waits, if the last one was just now.
-- @raise OSError: without descriptors, or memory
function Looks:next()
  local delay = self._next - time.now()
  if delay <= 0 and not self._is_due then return self:fresh() end
  if not self._is_due then
    self._is_due = true
    core_task.lasting(look_for_all, self, delay)
  end
  local result = self._line:wait()
  if not result[1] then error(result[2], 0) end
  return result[2]
end

return M
