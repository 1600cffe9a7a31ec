--- What is left below us when a supervisor ends and that no instance claims: it
-- has left the session of its service and cleaned its environment, and its
-- parent is gone. Or a command of a hook has left it.
-- @local

local core_os = require "luvisor.core.os"
local stopping = require "luvisor.supervisor.stopping"
local task = require "luvisor.task"
local tree = require "luvisor.core.proctree"

local M = {}

local GRACE <const> = 1 -- seconds
local ROUNDS <const> = 30

local open = {} -- the descendants of all supervisors of this program

function M.opened(d)
  local own = tree.stat(core_os.getpid())
  open[d], d.session = true, own and own.session
end

-- Another supervisor's?
local function is_others(d, one)
  for other in pairs(open) do
    if other ~= d then
      local is_nobodys = false
      for _, orphan in ipairs(other.looks:now().nobodys) do
        is_nobodys = is_nobodys or orphan.pid == one.pid
      end
      if not is_nobodys then return true end
    end
  end
  return false
end

-- The script's own commands are in its session, or have none of our marks; but
-- what has lost its mark looks the same. So it is the session that decides.
local function find(d)
  if d.blind then return {} end
  local session = d.session
  local seen, found = d.looks:fresh(), {}
  for _, one in ipairs(seen.nobodys) do
    local ours = one.session ~= session
      or tree.env(one.pid, "LUVISOR_RUN") == d.id
    if ours and not is_others(d, one) then found[#found + 1] = one.pid end
  end
  return #found > 0 and seen.look:below(found) or found
end

--- End them. Waits.
-- @tparam D d descendants of a supervisor all whose instances have ended
function M.kill(d)
  open[d] = nil
  local list = find(d)
  if #list == 0 then return end
  d._sup.log:warning("left by services: ended with them",
    { processes = stopping.names_of(list) })
  for _, one in ipairs(list) do
    stopping.signal(one, "TERM")
    stopping.signal(one, "CONT")
  end
  task.move_on(GRACE, stopping.wait_for_all, list)
  for _ = 1, ROUNDS do
    list = find(d)
    if #list == 0 then return end
    for _, one in ipairs(list) do stopping.signal(one, "KILL") end
    task.move_on(GRACE, stopping.wait_for_all, list)
  end
  d._sup.log:error("they do not end though killed",
    { processes = stopping.names_of(list) })
end

return M
