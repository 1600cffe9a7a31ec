--- Ending all processes of an instance: ask, wait, kill.
-- @local

local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"

local M = {}

local SETTLE <const> = 2 -- looks in a row that must find nobody
local FREEZES <const> = 20 -- rounds of STOP against something that forks
local FIRST <const> = 0.05 -- seconds until who has come meanwhile is looked for …
local LAST <const> = 1 -- … growing up to this
local STUBBORN <const> = 5 -- seconds of life after KILL that are worth a word
local NAMED <const> = 10 -- how many are named in a line of the log

--- The name of a process that no other ever has.
-- @treturn string
function M.key(one)
  return one.pid .. ":" .. one.start
end

local key_of = M.key

--- Signal a process, if it is still that one.
-- @treturn boolean false: it has ended, or we may not
function M.signal(one, sig)
  local ok, sent = pcall(tree.signal, one.pid, one.start, sig)
  return ok and sent
end

local function is_alive(one)
  local now = tree.stat(one.pid)
  return now ~= nil and now.start == one.start
end

-- Where there are no pidfds, or none is left.
local function poll(one)
  local pause = 0.001
  while is_alive(one) do
    task.sleep(pause)
    pause = math.min(2 * pause, LAST)
  end
end

local function wait_for(one)
  local ok, p = pcall(process.adopt, one.pid)
  if not ok then return poll(one) end
  local _ <close> = p
  if is_alive(one) then p:wait() end
end

-- The handle by which its life waits for it knows how it ended.
local function handle_of(inst, one)
  for _, p in ipairs { inst.main or false, inst.process or false } do
    if p and p.pid == one.pid and not p.status then return p end
  end
  return nil
end

--- Wait for the end of all that are there. Those that come meanwhile are the
-- caller's to find.
function M.wait_for_all(list, inst)
  task.nursery(function(n)
    for _, one in ipairs(list) do
      local handle = inst and handle_of(inst, one)
      if handle then
        n:spawn(handle.wait, handle)
      else
        n:spawn(wait_for, one)
      end
    end
  end)
end

-- Who of a list is asked for the first time.
local function ask_fresh(list, asked, sig)
  for _, one in ipairs(list) do
    local key = key_of(one)
    if not asked[key] then
      asked[key] = true
      M.signal(one, sig)
      M.signal(one, "CONT")
    end
  end
end

-- Ask, and wait until nobody is left; what comes meanwhile is asked, too. The
-- service may ask for more time (EXTEND_TIMEOUT_USEC): stop_until.
-- Returns whether all have gone.
local function ask(d, inst, how)
  local asked, pause = {}, FIRST
  inst.stop_until = time.now() + how.grace
  local list = d:list(inst)
  while #list > 0 do
    local left = inst.stop_until - time.now()
    if left <= 0 then return false end
    ask_fresh(list, asked, how.signal)
    task.move_on(math.min(pause, left), M.wait_for_all, list, inst)
    pause = math.min(2 * pause, LAST)
    list = d:list(inst)
  end
  return true
end

-- What forks faster than it is killed is stopped first, until a look finds
-- nobody new.
local function freeze(d, inst)
  local stopped = {}
  for _ = 1, FREEZES do
    local fresh = false
    for _, one in ipairs(d:list(inst, true)) do
      local key = key_of(one)
      fresh = fresh or not stopped[key]
      if not stopped[key] then M.signal(one, "STOP") end
      stopped[key] = true
    end
    if not fresh then return end
  end
end

local function names_of(list)
  local names = {}
  for i = 1, math.min(#list, NAMED) do
    names[i] = ("%s (%d)"):format(list[i].name, list[i].pid)
  end
  if #list > NAMED then
    names[#names + 1] = ("and %d more"):format(#list - NAMED)
  end
  return table.concat(names, ", ")
end

M.names_of = names_of

-- One that KILL does not end is in the kernel's hands, or another user's.
local function wait_for_dead(inst, list, warned)
  local done = task.move_on(STUBBORN, M.wait_for_all, list, inst)
  if done or warned then return warned end
  inst.sup.log:warning("it does not end though killed",
    { service = inst.name, processes = names_of(list) })
  return true
end

local function kill(d, inst)
  local killed, seen, quiet, warned = {}, {}, 0, false
  while quiet < SETTLE do
    local list = d:list(inst, true)
    quiet = #list == 0 and quiet + 1 or 0
    if #list > 0 then
      for _, one in ipairs(list) do
        if not seen[key_of(one)] then killed[#killed + 1] = one end
        seen[key_of(one)] = true
      end
      if not (inst.cgroup and tree.cgroup_kill(inst.cgroup)) then
        freeze(d, inst)
        d:signal(inst, "KILL")
      end
      warned = wait_for_dead(inst, list, warned)
    end
  end
  return killed
end

--- See descendants.lua.
function M.stop(d, inst, how)
  local gone = ask(d, inst, how)
  inst.stop_until = nil
  if gone then return { killed = {} } end
  local killed = kill(d, inst)
  if #killed > 0 then
    inst.sup.log:warning("had to be killed",
      { service = inst.name, processes = names_of(killed) })
  end
  return { killed = killed }
end

return M
