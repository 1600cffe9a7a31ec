--- Answers to what is asked of the supervisor as a whole.
-- @local

local acts = require "luvisor.control.acts"
local metrics = require "luvisor.control.metrics"
local plain = require "luvisor.control.plain"
local task = require "luvisor.task"

local M = {}

local function instance(one)
  local copy = plain.status(one)
  copy.processes = plain.list(one.processes)
  return copy
end

local lists = { "requires", "wants", "after" }

local function service(one)
  local copy = { service = one.service, group = one.group,
                 instances = plain.list(one.instances, instance) }
  for _, name in ipairs(lists) do copy[name] = plain.list(one[name] or {}) end
  return copy
end

--- GET /v1/tree
function M.tree(call)
  return { services = plain.list(call.sup:tree(), service) }
end

local function step(one)
  local copy = plain.value(one)
  copy.keys = one.keys and plain.list(one.keys)
  return copy
end

--- GET /v1/plan
function M.plan(call)
  return { steps = plain.list(call.sup:plan(), step) }
end

--- POST /v1/apply
function M.apply(call)
  local steps = {}
  local done = acts.perform(call, "apply", function()
    steps = call.sup:apply()
  end)
  return { steps = plain.list(steps, step) }, done and 200 or 202
end

--- POST /v1/shutdown: answers when all services have stopped; then the
-- supervisor ends, and with it this socket.
function M.shutdown(call)
  local sup = call.sup
  local done = acts.perform(call, "shutdown", function()
    sup.log:info("is told to shut down", { by = call.by })
    sup:shutdown()
    task.detached(function() sup:close() end)
  end)
  return { stopped = done }, done and 200 or 202
end

--- GET /metrics
function M.metrics(call)
  return { headers = {
    ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8",
  }, body = metrics.text(call.sup) }, "raw"
end

return M
