--- Leaving in order: what requires an instance goes before it, and comes back
-- with it.
-- @local

local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local order = require "luvisor.supervisor.order"
local task = require "luvisor.task"

local M = {}

-- One error that says all.
local function raise_all(list)
  if #list < 2 then return list[1] and error(list[1], 0) end
  local texts, seen = {}, {}
  for _, err in ipairs(list) do
    local text = tostring(err)
    if not seen[text] then texts[#texts + 1] = text end
    seen[text] = true
  end
  errors.raise {
    kind = errors.is_error(list[1]) and list[1].kind or "Failed",
    message = table.concat(texts, "\n"), errors = list,
  }
end

--- Call fn with each instance, side by side, to the end of each call. Waits.
-- @raise the error, or one that says all of them
function M.each(list, fn)
  if #list == 1 then return fn(list[1]) end
  local failed = {}
  task.nursery(function(n)
    for _, inst in ipairs(list) do
      n:spawn(function()
        local ok, err = pcall(fn, inst)
        if not ok then failed[#failed + 1] = err end
      end)
    end
  end)
  raise_all(failed)
end

-- A departure: who leaves, and the lists of those that require them, the last
-- of the chain first. As their `leaving` it keeps what requires them from
-- coming back before they have gone. Whoever asks for something else meanwhile
-- takes that away.
local Departure = {}
Departure.__index = Departure

local function new(sup, service, list)
  local dependents = {}
  for i, name in ipairs(sup.graph:dependents(service.name)) do
    local all = sup:instances(name)
    dependents[i] = table.move(all, 1, #all, 1, {})
  end
  return setmetatable({ sup = sup, list = list, dependents = dependents },
    Departure)
end

function Departure:begin()
  for _, inst in ipairs(self.list) do inst.leaving = self end
  for _, list in ipairs(self.dependents) do
    for _, inst in ipairs(list) do inst.leaving = inst.leaving or self end
  end
end

-- Has somebody asked for something else?
function Departure:is_void()
  for _, inst in ipairs(self.list) do
    if inst.leaving == self then return false end
  end
  return true
end

-- A new life may have begun before we look.
function Departure:wait_for(inst)
  local life = inst.life
  inst:wait_until(function()
    return order.is_gone(inst) or inst.life ~= life or inst.removed
      or self:is_void()
  end)
end

function Departure:stop_dependents()
  for _, list in ipairs(self.dependents) do
    if self:is_void() then return end
    for _, inst in ipairs(list) do self.sup:lose(inst, self.list[1]) end
    M.each(list, function(inst) self:wait_for(inst) end)
  end
end

-- Returns whether it still was to leave.
function Departure:release(inst)
  if inst.leaving ~= self then return false end
  inst.leaving = nil
  self.sup:tell_others(inst)
  return true
end

function Departure:run(fn)
  self:stop_dependents()
  for _, inst in ipairs(self.list) do
    if self:release(inst) then fn(inst) end
  end
  for _, list in ipairs(self.dependents) do
    for _, inst in ipairs(list) do self:release(inst) end
  end
  self.sup:settle()
end

--- Call fn with each instance once what requires its service has gone; not with
-- those that somebody has asked for something else meanwhile. Does not wait.
-- @tparam Supervisor sup
-- @tparam table service
-- @tparam {Instance,...} list of its instances
-- @tparam function fn must not wait
-- @treturn ?Task that sees to it; nil: it is done
function M.when_alone(sup, service, list, fn)
  local self = new(sup, service, list)
  if #list > 0 and #self.dependents > 0 then
    self:begin()
    return core.lasting(self.run, self, fn)
  end
  for _, inst in ipairs(list) do
    inst.leaving = nil
    fn(inst)
  end
  return nil
end

return M
