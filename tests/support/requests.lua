-- Requests at random to a supervisor, each by a task of its own that may be
-- cancelled while it waits.
-- local requests = dofile(SOURCE .. "/tests/support/requests.lua")

local task = require "luvisor.task"

local M = {}

local function pick(list)
  return list[math.random(#list)]
end

local function waiting()
  return pick { false, false, 0.01, 20 }
end

local function names_of(sup)
  local names = {}
  for name, service in pairs(sup.services) do
    names[#names + 1] = name
    for _, inst in ipairs(service.instances) do
      names[#names + 1] = inst.name
    end
  end
  table.sort(names)
  return names
end

local acts = {}

for _, name in ipairs { "start", "stop", "restart" } do
  acts[name] = function(sup, one) sup[name](sup, one, { wait = waiting() }) end
end

acts.reload = function(sup, one) sup:reload(one) end
acts.run_job = function(sup, one) sup:run_job(one) end
acts.wait = function(sup, one)
  sup:wait(one, pick { "ready", "stopped" }, 0.02)
end
acts.signal = function(sup, one) sup:signal(one, pick { "KILL", "TERM" }) end
acts.apply = function(sup, _, configs) sup:apply(pick(configs)) end

function acts.scale(sup, one)
  local name = one:match "^[^@]+"
  sup:scale(name, math.random(0, 4), { wait = pick { false, true } })
end

-- How often each is done.
local weights = {
  start = 8, stop = 6, restart = 4, signal = 8, scale = 4, wait = 3, apply = 2,
  reload = 1, run_job = 2,
}

local bag = {}
for name, n in pairs(weights) do
  for _ = 1, n do bag[#bag + 1] = name end
end
table.sort(bag)

local refusals = {
  Failed = true, Timeout = true, Closed = true, UsageError = true, Busy = true,
  NoProcess = true,
}

--- A number of requests; `after` is called after each.
-- @tparam Supervisor sup
-- @tparam table opts n, configs, after; pause: the most between two, seconds
-- @treturn {string,...} errors that are no refusals
function M.send(sup, opts)
  local wrong, running = {}, {}
  task.nursery(function(nursery)
    for _ = 1, opts.n do
      local act, name = pick(bag), pick(names_of(sup))
      running[#running + 1] = nursery:spawn(function()
        local ok, err = pcall(acts[act], sup, name, opts.configs)
        local kind = not ok and type(err) == "table" and err.kind
        if not ok and not refusals[kind] then
          wrong[#wrong + 1] = ("%s %s: %s\n%s"):format(act, name,
            tostring(err), type(err) == "table" and err.traceback or "")
        end
      end)
      if math.random() < 0.2 then
        table.remove(running, math.random(#running)):cancel()
      end
      if math.random() < 0.5 then task.sleep(math.random() * opts.pause) end
      opts.after(act .. " " .. name)
      if wrong[1] then break end
    end
    nursery:cancel()
  end)
  return wrong
end

return M
