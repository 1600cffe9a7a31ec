--- How many instances of a service there are.
-- @module luvisor.supervisor
-- @type Supervisor

local core = require "luvisor.core.task"
local errors = require "luvisor.error"

local M = {}

local MOST <const> = 10000

local function is_wanted(service)
  local first = service.instances[1]
  return not first or first.wanted == "up"
end

local function grow(sup, service, detail)
  local up = is_wanted(service)
  local inst = sup:add_instance(service, #service.instances + 1)
  if up then sup:bring_up(service, { inst }, detail) end
end

-- It is stopped.
local function take_last(service)
  table.remove(service.instances):remove()
end

local function shrink(sup, service, detail)
  local list = service.instances
  local inst = list[#list]
  sup:clear(service, { inst }, detail)
  -- Meanwhile more may have been asked for, or the service have been removed.
  local is_still = not inst.removed and list[#list] == inst
    and #list > service.target
  if is_still then return take_last(service) end
  if not inst.removed and not inst.by_hand then
    sup:bring_up(service, { inst }, detail)
  end
end

-- Until there are as many as were asked for last: one task of each service.
local function approach(sup, service, detail)
  while sup.services[service.name] == service and not sup.closing
    and #service.instances ~= service.target do
    local step = #service.instances < service.target and grow or shrink
    step(sup, service, detail)
  end
  service.scaling = nil
end

local function check_number(n)
  local fits = math.type(n) == "integer" and n >= 0 and n <= MOST
  if fits then return end
  errors.usage("scale: expected a number from 0 to %d, got %s", MOST,
    tostring(n))
end

--- Have n instances of a service that has `instances`. It holds until the
-- configuration says another number. Returns when those that are too many have
-- stopped.
-- @tparam string name
-- @tparam integer n 0 or more
-- @tparam[opt] table opts wait = false: returns at once; by: who asks
-- @raise UsageError: no such service, it has no instances, bad number; Closed
function M:scale(name, n, opts)
  self:check_open()
  check_number(n)
  local service = self.services[name] or select(2, self:find(name))
  local spec = service.spec
  if service.name ~= name or not spec.instances then
    errors.usage("%s has no instances: give it `instances = 1`", name)
  end
  service.target = n
  service.scaled = n ~= spec.instances and { to = n, from = spec.instances }
    or nil
  self:save()
  local detail = { by = opts and opts.by, reason = "scale" }
  service.scaling = service.scaling
    or core.lasting(approach, self, service, detail)
  if not (opts and opts.wait == false) then service.scaling:join() end
end

--- Have as many as an earlier supervisor had. Nothing is started.
-- @local
function M:restore_scale(service, n)
  service.target = n
  service.scaled = { to = n, from = service.spec.instances }
  while #service.instances > n do take_last(service) end
  for number = #service.instances + 1, n do
    self:add_instance(service, number)
  end
end

return M
