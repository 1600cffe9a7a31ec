--- The folders of cgroup v2 that services run in, below our own cgroup:
-- luvisor-PID.RUN/kill/SERVICE-N, or live/… for what is to survive us. A lock
-- says that a supervisor or its guard still cares for them (os/cgroup.h).
-- @local

local core = require "luvisor.core.task"
local core_os = require "luvisor.core.os"
local stopping = require "luvisor.supervisor.stopping"
local task = require "luvisor.task"
local tree = require "luvisor.core.proctree"

local M = {}

local PATTERN <const> = "/luvisor%-%d+%.%x%x%x%x%x%x%x%x$"

-- What is dead leaves its cgroup a moment later. Waits.
local function remove(dir)
  local pause = 0.001
  while not tree.cgroup_remove(dir) and pause < 1 do
    task.sleep(pause)
    pause = 2 * pause
  end
end

local function kill_all(dir)
  local list, killed = tree.cgroup_list(dir), {}
  local at_once = tree.cgroup_kill(dir)
  for _, one in ipairs(list) do
    if at_once or stopping.signal(one, "KILL") then
      killed[#killed + 1] = one
    end
  end
  return killed
end

local function tell(sup, message, list)
  if #list == 0 then return end
  sup.log:warning(message, { processes = stopping.names_of(list) })
end

-- A supervisor and its guard were killed together: we do what was theirs.
local function clean(sup, dir, lock)
  tell(sup, "killed what a luvisor that was killed has left",
    kill_all(dir .. "/kill"))
  tell(sup, "what has survived an earlier luvisor runs on",
    tree.cgroup_list(dir .. "/live"))
  core.lasting(function()
    remove(dir)
    lock:close()
  end)
end

local function clean_all(sup, own)
  for _, dir in ipairs(tree.cgroup_folders(own)) do
    local lock = dir:find(PATTERN) and tree.cgroup_lock(dir)
    if lock then clean(sup, dir, lock) end
  end
end

local function make(root)
  local lock = tree.cgroup_make(root) and tree.cgroup_lock(root)
  local usable = lock and tree.cgroup_make(root .. "/kill")
    and tree.cgroup_make(root .. "/live")
    and tree.cgroup_can_enter(root .. "/live")
  if usable then return lock end
  if lock then lock:close() end
  tree.cgroup_remove(root)
  return nil
end

--- Make a folder for a supervisor in the cgroup that we are in.
-- @tparam Supervisor sup
-- @tparam string id of its run
-- @treturn string|nil nil: that cannot be
-- @treturn Lock which says that it is in use
function M.open(sup, id)
  local own = tree.cgroup_own()
  if not own then return nil end
  clean_all(sup, own)
  local root = ("%s/luvisor-%d.%s"):format(own, core_os.getpid(), id:sub(1, 8))
  local lock = make(root)
  if not lock then return nil end
  return root, lock
end

--- Remove it. Waits.
function M.close(root, lock)
  tree.cgroup_kill(root)
  remove(root)
  lock:close()
end

return M
