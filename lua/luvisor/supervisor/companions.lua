--- Groups at work: who is restarted with whom, and when that is too often.
-- @local

local groups = require "luvisor.supervisor.groups"
local machine = require "luvisor.supervisor.machine"

local M = {}

local function group_of(inst)
  return inst.sup.config.groups[inst.spec.group]
end

-- The instances of all its members, in the order of the file.
local function members(sup, group)
  local list = {}
  for _, name in ipairs(group.members) do
    for _, inst in ipairs(sup:instances(name)) do list[#list + 1] = inst end
  end
  return list
end

local function affected(inst, group)
  return groups.affected({ strategy = group.strategy,
    members = members(inst.sup, group) }, inst)
end

-- Those, and who was taken along before and still waits for it.
local function still_with(inst, list)
  local all, is_in = table.move(list, 1, #list, 1, {}), {}
  for _, other in ipairs(list) do is_in[other] = true end
  for _, other in ipairs(inst.taken or {}) do
    if other.with == inst and not is_in[other] then all[#all + 1] = other end
  end
  return all
end

-- What it needs itself cannot wait for it.
local function comes_first(inst, other)
  return not inst.sup.graph:comes_after(inst.service, other.service)
end

--- It is started again after an end of its own: those whom the strategy names
-- are, too, and after it.
function M.take_along(inst)
  local group = group_of(inst)
  if not group then return end
  local list, takers = {}, {}
  for _, other in ipairs(affected(inst, group)) do
    if machine.has_process[other.state] and other.wanted == "up" then
      list[#list + 1] = other
      if other.taken_by then takers[other.taken_by] = true end
      other.again, other.taken_by = true, inst
      other.with = comes_first(inst, other) and inst or nil
    end
  end
  inst.taken = still_with(inst, list)
  for i = #list, 1, -1 do
    list[i]:event("restart", { reason = "with " .. inst.name })
  end
  for taker in pairs(takers) do inst.sup:look_again(taker) end
end

local function fail(list, inst, reason, retry_after)
  for i = #list, 1, -1 do
    local other = list[i]
    local is_meant = other ~= inst and other.wanted == "up"
      and machine.table[other.state].escalate
    if is_meant then
      other.doomed, other.retry_after = { reason = reason }, retry_after
      other:event("escalate", { reason = reason })
    end
  end
end

--- It has failed, after too many starts: those who would have been restarted
-- with it fail as well.
-- @tparam Instance inst
-- @tparam number|false retry_after seconds
function M.fail_with(inst, retry_after)
  local group = group_of(inst)
  if not group then return end
  fail(affected(inst, group), inst, ("with %s, which has failed"):format(
    inst.name), retry_after)
end

-- The times of the group's restarts, this one included, as far as they count.
local function restarts_of(sup, group, now)
  sup.group_restarts = sup.group_restarts or {}
  local times = { now }
  for _, at in ipairs(sup.group_restarts[group.name] or {}) do
    if now - at < group.burst.within then times[#times + 1] = at end
  end
  sup.group_restarts[group.name] = times
  return #times
end

--- It is to be started again: are that too many restarts for its group? Then
-- the whole group fails.
-- @tparam Instance inst
-- @tparam number now seconds
-- @treturn ?string the reason; nil: they are not
-- @treturn number|false seconds after which it is tried again
function M.escalate(inst, now)
  local group = group_of(inst)
  local burst = group and group.burst
  if not burst or restarts_of(inst.sup, group, now) <= burst.count then
    return nil
  end
  inst.sup.group_restarts[group.name] = nil
  local reason = ("too many restarts in group %s"):format(group.name)
  fail(members(inst.sup, group), inst, reason, burst.retry_after)
  inst.sup.events:emit("group", { group = group.name, to = "failed",
    reason = reason, service = inst.name })
  return reason, burst.retry_after
end

return M
