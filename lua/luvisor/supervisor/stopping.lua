--- Ending all processes of an instance: ask, wait, kill.
-- @local

local errors = require "luvisor.error"
local looks = require "luvisor.supervisor.looks"
local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"

local M = {}

local FREEZES <const> = 20 -- rounds of STOP against something that forks
local FIRST <const> = 0.25 -- seconds until somebody looks who has come since …
local LAST <const> = 1 -- … growing up to this
local NAMED <const> = 10 -- how many are named in a line of the log

--- Seconds of life after KILL that are worth a word; tests have less time.
M.stubborn = 5

local key_of = looks.key

-- The handle by which its life waits for it: surely that process, and it knows
-- how it ended.
local function handle_of(inst, one)
  for _, p in ipairs { inst.main or false, inst.process or false } do
    if p and p.pid == one.pid and not p.status then return p end
  end
  return nil
end

local function send(one, sig, inst)
  if one.process then return one.process:send_signal(sig, "group") or true end
  local handle = inst and handle_of(inst, one)
  if handle then return handle:send_signal(sig) or true end
  return tree.signal(one.pid, one.start, sig)
end

--- Signal a process, if it is still that one.
-- @tparam table one
-- @param sig
-- @tparam[opt] Instance inst whose it is
-- @treturn boolean false: it has ended, or we may not
-- @treturn boolean we may not
function M.signal(one, sig, inst)
  local ok, sent = pcall(send, one, sig, inst)
  if ok then return sent, false end
  return false, errors.is_error(sent) and sent.code == "EPERM"
end

local function is_alive(one)
  local now = tree.stat(one.pid)
  return now ~= nil and now.start == one.start
end

-- Where there are no pidfds, or none is left.
local function poll(one)
  local pause = 0.001
  repeat
    task.sleep(pause)
    pause = math.min(2 * pause, LAST)
  until not is_alive(one)
end

local function wait_for(one)
  local ok, p = pcall(process.adopt, one.pid)
  if not ok then return poll(one) end
  local _ <close> = p
  if is_alive(one) then p:wait() end
end

--- Wait for the end of all that are there. Those that come meanwhile are the
-- caller's to find.
function M.wait_for_all(list, inst)
  local only = #list == 1 and inst and handle_of(inst, list[1])
  if only then return only:wait() end
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
local function ask_fresh(inst, list, asked, sig)
  for _, one in ipairs(list) do
    local key = one.pid == inst.leader and inst.leader or key_of(one)
    if not asked[key] then
      asked[key] = true
      M.signal(one, sig, inst)
      M.signal(one, "CONT", inst)
    end
  end
end

-- Ask, and wait until nobody is left; what comes meanwhile is asked, too. The
-- service may ask for more time (EXTEND_TIMEOUT_USEC): stop_until.
-- Returns whether all have gone, and whether that is certain.
local function ask(d, inst, how)
  local asked, pause = {}, FIRST
  inst.stop_until = time.now() + how.grace
  local list, certain = d:remaining(inst)
  while #list > 0 do
    local left = inst.stop_until - time.now()
    if left <= 0 then return false end
    ask_fresh(inst, list, asked, how.signal)
    task.move_on(math.min(pause, left), M.wait_for_all, list, inst)
    pause = math.min(2 * pause, LAST)
    list, certain = d:remaining(inst)
  end
  return true, certain
end

-- What forks faster than it is killed is stopped first, until a look finds
-- nobody new.
local function freeze(d, inst)
  local stopped = {}
  for _ = 1, FREEZES do
    local fresh = false
    for _, one in ipairs(d:remaining(inst)) do
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

-- Returns whether there is one that we may signal.
local function kill_all(d, inst)
  if inst.cgroup and tree.cgroup_kill(inst.cgroup) then return true end
  freeze(d, inst)
  local list, may = d:list(inst), false
  for _, one in ipairs(list) do
    local _, forbidden = M.signal(one, "KILL")
    may = may or not forbidden
  end
  return may or #list == 0
end

-- What is asleep in the kernel, as on a disk that does not answer, dies when it
-- wakes up: it is waited for, and named once. What runs as a user whom we may
-- not signal is given up.
local function kill(d, inst)
  local killed, seen, warned = {}, {}, false
  local list = d:remaining(inst)
  while #list > 0 do
    for _, one in ipairs(list) do
      if not seen[key_of(one)] then killed[#killed + 1] = one end
      seen[key_of(one)] = true
    end
    local may = kill_all(d, inst)
    local done = task.move_on(M.stubborn, M.wait_for_all, list, inst)
    if not done and not warned then
      warned = true
      inst.sup.log:warning(may and "it does not end though killed"
        or "it lives on: we may not signal it",
        { service = inst.name, processes = names_of(list) })
    end
    list = (done or may) and d:remaining(inst) or {}
  end
  return killed
end

--- See descendants.lua.
function M.stop(d, inst, how)
  local gone, certain = ask(d, inst, how)
  inst.stop_until = nil
  local killed = not gone and kill(d, inst) or {}
  local may_hide = inst.cgroup and not certain
  if may_hide then tree.cgroup_kill(inst.cgroup) end
  if #killed > 0 then
    inst.sup.log:warning(("did not end in %g s: killed"):format(how.grace),
      { service = inst.name, processes = names_of(killed) })
  end
  return { killed = killed }
end

return M
