--- What luvisor's own log tells besides the states of services: the last words
-- of what has failed, changes of the configuration.
-- @local

local M = {}

local LAST_WORDS <const> = 5 -- lines

local function instance_of(sup, name)
  local ok, list = pcall(sup.find, sup, name)
  return ok and list[1] or nil
end

local kinds = {}

function kinds.state(sup, event)
  local inst = event.to == "failed" and instance_of(sup, event.service)
  if not inst then return end
  for _, line in ipairs(inst.log:tail(LAST_WORDS)) do
    sup.log:error("its log: " .. line, { service = inst.name })
  end
end

function kinds.config(sup, event)
  sup.log:info("the configuration was applied", { changes = event.steps })
end

function kinds.main(sup, event)
  sup.log:info("the main service has ended: so does luvisor", {
    service = event.service, code = event.code,
  })
end

function kinds.gap(sup, event)
  sup.log:warning("too much happened at once to tell of all of it", {
    lost = event.lost,
  })
end

--- Is an event one of those? For `subscribe`, as most are not.
-- @treturn boolean
function M.wants(event)
  if event.type == "state" then return event.to == "failed" end
  return kinds[event.type] ~= nil
end

--- Tell until the supervisor has closed. Waits.
-- @tparam Supervisor sup
-- @tparam Follower follower of its events; it is read to its end
function M.run(sup, follower)
  for event in follower do
    local tell = kinds[event.type]
    if tell then tell(sup, event) end
  end
end

return M
