--- What depends on an instance hears of its changes: who waits for it looks
-- again, who requires it and has lost it is stopped until it comes back.
-- @module luvisor.supervisor
-- @type Supervisor

local actions = require "luvisor.supervisor.actions"
local order = require "luvisor.supervisor.order"

local M = {}

local is_at_rest = { stopped = true, failed = true, backoff = true }

-- Has what requires it lost it? One that is required since a moment ago may be
-- on its way.
local function is_lost(inst)
  local was_up = inst.was_up
  inst.was_up = order.is_up(inst)
  return not inst.was_up and (was_up or order.is_down(inst))
end

local function look_again(list)
  for _, inst in ipairs(list) do
    if inst.state == "waiting" then actions.await(inst) end
  end
end

-- Who waits to be up, through others that do, must know that it will not be.
local function tell_waiting(self, service)
  for _, name in ipairs(self.graph:direct_dependents(service)) do
    local any = false
    for _, inst in ipairs(self:instances(name)) do
      any = any or inst.state == "waiting"
      inst:changed()
    end
    if any then tell_waiting(self, name) end
  end
end

-- An instance has changed: who waits for it looks again, who requires it and
-- has lost it is stopped until it comes back.
local function pass_on(self, inst)
  inst:changed()
  local lost = is_lost(inst)
  for _, name in ipairs(self.graph:followers(inst.service)) do
    local list = self:instances(name)
    look_again(list)
    for _, other in ipairs(list) do
      if lost and not order.has_what_it_requires(other) then
        self:lose(other, inst)
      end
    end
  end
  for _, name in ipairs(self.graph:conflicts(inst.service)) do
    look_again(self:instances(name))
  end
  if inst.taken and not order.is_under_way(inst) then look_again(inst.taken) end
  if inst.taken_by then look_again { inst.taken_by } end
  if is_at_rest[inst.state] then tell_waiting(self, inst.service) end
end

local function pass_all_on(self)
  while self._news[1] do
    local news = self._news
    self._news = {}
    for _, inst in ipairs(news) do pass_on(self, inst) end
  end
end

--- Something about an instance is news for others.
-- @local
function M:tell_others(inst)
  self._news[#self._news + 1] = inst
end

--- Tell all news; what comes of that is news as well.
-- @local
function M:settle()
  if self._passing then return end
  self._passing = true
  local ok, err = pcall(pass_all_on, self)
  self._passing = false
  if not ok then error(err, 0) end
end

local may_be_lost = { starting = true, running = true, backoff = true }

--- It comes back by itself when what it requires has.
-- @local
function M:lose(inst, required)
  if not may_be_lost[inst.state] then return end
  inst.again = true
  self:step(inst, "lost", {
    reason = ("requires %s, which is %s"):format(required.name, required.state),
  })
end

--- What an instance waits for may be over now.
-- @local
function M:look_again(inst)
  actions.look_again(inst)
  self:settle()
end

--- What a service requires may be others now.
-- @local
function M:review(name)
  local service = self.services[name]
  local any = service.instances[1]
  if any and any.wanted == "up" then
    self:bring_up(service, {}, { by = "apply" })
  end
  for _, inst in ipairs(service.instances) do
    local missed = order.missed(inst)
    if inst.state == "waiting" then
      self:look_again(inst)
    elseif missed then
      self:lose(inst, missed)
    end
  end
end

return M
