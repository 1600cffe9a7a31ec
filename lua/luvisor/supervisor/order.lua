--- Who may run now: what an instance waits for, of all that its service has to
-- do with. Asked at each change of those (supervisor.lua passes it on).
-- @local

local machine = require "luvisor.supervisor.machine"

local M = {}

-- A job that is scheduled is up, whether it runs or waits for its time.
local job_is_up = {
  waiting = true, starting = true, running = true, stopping = true,
  backoff = true,
}

--- Does it satisfy what requires it?
-- @treturn boolean
function M.is_up(inst)
  if inst.leaving then return false end
  if inst.spec.type == "job" then
    return inst.wanted == "up" and job_is_up[inst.state] == true
  end
  return machine.is_up[inst.state] == true
end

--- Is it as far as it gets for now? Who comes after it need not wait for it.
-- One that waits for what does not come either is `stuck`.
-- @treturn boolean
function M.is_settled(inst)
  return inst.wanted == "down" or machine.is_settled[inst.state] == true
    or inst.stuck == true or M.is_up(inst)
end

--- Is there no process of it?
-- @treturn boolean
function M.is_gone(inst)
  return not machine.has_process[inst.state]
end

--- Will it not come up unless somebody does something, or after a time?
-- @treturn boolean
function M.is_down(inst)
  return not M.is_up(inst) and M.is_settled(inst)
end

local function text(word, other)
  return ("%s %s, which is %s"):format(word, other.name, other.state)
end

-- The first of the instances of these services that is not so.
local function first_not(sup, names, is_so)
  for _, name in ipairs(names) do
    for _, other in ipairs(sup:instances(name)) do
      if not is_so(other) then return other end
    end
  end
  return nil
end

--- Is all up that it requires?
-- @treturn boolean
function M.has_what_it_requires(inst)
  return not first_not(inst.sup, inst.spec.requires, M.is_up)
end

local function is_coming(inst)
  return not M.is_down(inst)
end

--- One that it requires and that does not come by itself soon.
-- @treturn ?Instance
function M.missed(inst)
  return first_not(inst.sup, inst.spec.requires, is_coming)
end

local function required(inst)
  local other = first_not(inst.sup, inst.spec.requires, M.is_up)
  if not other then return nil end
  return text("waits for", other), M.missed(inst) ~= nil
end

local function ordered(inst)
  local other = first_not(inst.sup, inst.spec.wants, M.is_settled)
    or first_not(inst.sup, inst.spec.after, M.is_settled)
  if other then return text("waits for", other), false end
  return nil
end

local function excluded(inst)
  local names = inst.sup.graph:conflicts(inst.service)
  local other = first_not(inst.sup, names, M.is_gone)
  if not other then return nil end
  return text("conflicts with", other), other.wanted == "up"
end

--- Is it on its way up, and not there yet?
-- @treturn boolean
function M.is_under_way(inst)
  return inst.wanted == "up" and not M.is_up(inst)
    and inst.state ~= "failed" and inst.state ~= "stopped"
end

-- Those of a group that are restarted together: the one that has ended by
-- itself waits for the end of the others, and they for its start.
local function together(inst)
  for _, other in ipairs(inst.taken or {}) do
    if other.state == "stopping" and other.taken_by == inst then
      return text("waits for", other), false
    end
  end
  if inst.with and M.is_under_way(inst.with) then
    return text("comes after", inst.with), false
  end
  return nil
end

-- What it is to be is being changed.
local function held(inst)
  if inst.held then return "waits for apply", false end
  return nil
end

local obstacles = { held, required, ordered, excluded, together }

--- What keeps it from being started now.
-- @treturn ?string a sentence; nil: nothing
-- @treturn boolean is that nothing which passes by itself soon?
function M.obstacle(inst)
  for _, find in ipairs(obstacles) do
    local sentence, stuck = find(inst)
    if sentence then return sentence, stuck end
  end
  return nil, false
end

return M
