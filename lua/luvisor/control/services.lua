--- Answers to what is asked of services.
-- Each function gets a call: sup, name (of the path), query, body, by (who
-- asks), request. It returns what is encoded, and a status if that is not 200.
-- @local

local acts = require "luvisor.control.acts"
local errors = require "luvisor.error"
local plain = require "luvisor.control.plain"

local M = {}

--- GET /v1/services
function M.list(call)
  return { services = plain.list(call.sup:list(), plain.status) }
end

-- Instances by their service's or their own name; NotFound if there are none.
local function statuses(call)
  local list = {}
  for i, inst in ipairs(acts.find(call.sup, call.name)) do
    list[i] = inst:status()
  end
  return plain.list(list, plain.status)
end

--- GET /v1/services/{name}: of a service with instances all of them.
function M.one(call)
  return { services = statuses(call) }
end

-- A request that changes something: it goes on though its client leaves.
local function act(verb, fn)
  M[verb] = function(call)
    acts.find(call.sup, call.name)
    local done = acts.perform(call, ("%s %s"):format(verb, call.name),
      function() fn(call.sup, call) end)
    return { services = statuses(call) }, done and 200 or 202
  end
end

act("start", function(sup, call) sup:start(call.name, { by = call.by }) end)
act("stop", function(sup, call) sup:stop(call.name, { by = call.by }) end)
act("restart", function(sup, call) sup:restart(call.name, { by = call.by }) end)
act("reload", function(sup, call) sup:reload(call.name, { by = call.by }) end)
act("run", function(sup, call) sup:run_job(call.name, { by = call.by }) end)

act("signal", function(sup, call)
  if not call.body.signal then
    errors.usage 'signal: say which: {"signal": "HUP"}'
  end
  sup:signal(call.name, call.body.signal)
end)

act("scale", function(sup, call)
  if not call.body.instances then
    errors.usage 'scale: say how many: {"instances": 3}'
  end
  sup:scale(call.name, call.body.instances, { by = call.by })
end)

--- POST /v1/services/{name}/wait
function M.wait(call)
  local state = call.body.state or call.query.state or "ready"
  acts.find(call.sup, call.name)
  acts.limited(call, ("%s %s"):format(call.name, state), function()
    call.sup:wait(call.name, state)
  end)
  return { services = statuses(call) }
end

return M
