--- Groups: who is restarted with whom. Pure; the strategies are OTP's.
-- @module luvisor.supervisor.groups

local M = {}

local function place(members, name)
  for i, one in ipairs(members) do
    if one == name then return i end
  end
  return #members + 1
end

local strategies = {
  one_for_one = function() return {} end,
  one_for_all = function(members, name)
    local others = {}
    for _, one in ipairs(members) do
      if one ~= name then others[#others + 1] = one end
    end
    return others
  end,
  rest_for_one = function(members, name)
    return table.move(members, place(members, name) + 1, #members, 1, {})
  end,
}

--- Is there such a strategy?
-- @treturn boolean
function M.is_strategy(name)
  return strategies[name] ~= nil
end

--- Who is stopped and started again when one of a group ends by itself and is
-- restarted, the one left out.
-- @tparam table group strategy, members (names, in the order of the file)
-- @tparam string name who ended
-- @treturn {string,...} in the order of starting; stopping is the reverse
function M.affected(group, name)
  return strategies[group.strategy](group.members, name)
end

return M
