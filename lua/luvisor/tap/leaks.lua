--- What a test must not leave behind: tasks, children, open files, and another
-- working directory.
-- What is on its way out gets its time: a child being reaped, a file that is
-- closed once the disk has answered, a handle that nobody holds any more.
-- @local

local core_os = require "luvisor.core.os"
local core_process = require "luvisor.core.process"
local core_task = require "luvisor.core.task"
local fs = require "luvisor.fs"
local task = require "luvisor.task"

local M = {}

M.GRACE = 10 -- seconds

--- What is there now.
-- @treturn table for the other functions
function M.snapshot()
  return {
    tasks = core_task.count(),
    children = core_process.children(),
    fds = core_os.fds(),
    cwd = core_os.getcwd(),
  }
end

-- The elements of list that are not in old.
local function added(list, old)
  local known, new = {}, {}
  for _, value in ipairs(old) do known[value] = true end
  for _, value in ipairs(list) do
    if not known[value] then new[#new + 1] = value end
  end
  return new
end

-- Calls find until it finds nothing or the time is over. Waits.
local function settle(find)
  local leaked = find()
  local pause, waited = 0.001, 0
  while leaked and waited < M.GRACE do
    collectgarbage()
    task.sleep(pause)
    waited, pause = waited + pause, math.min(2 * pause, 0.1)
    leaked = find()
  end
  return leaked
end

--- Tasks that the test started and did not wait for. Waits if some are left.
-- @tparam table before a snapshot
-- @treturn ?string what is left; nil is none
function M.tasks(before)
  return settle(function()
    local count = core_task.count() - before.tasks
    if count <= 0 then return nil end
    return ("%d task%s"):format(count, count == 1 and "" or "s")
  end)
end

local function listed(what, list)
  if #list == 0 then return nil end
  return what .. " " .. table.concat(list, ", ")
end

-- Descriptors, each with what it is open on.
local function described(fds)
  local list = {}
  for i, fd in ipairs(fds) do
    local ok, target = pcall(fs.readlink, "/proc/self/fd/" .. fd)
    list[i] = ok and ("%d (%s)"):format(fd, target) or tostring(fd)
  end
  return list
end

--- Children, open files and the working directory. Waits if there is something.
-- @tparam table before a snapshot
-- @treturn ?string what is left; nil is nothing
function M.resources(before)
  return settle(function()
    local found = {}
    local function note(text) found[#found + 1] = text end
    note(listed("child", added(core_process.children(), before.children)))
    note(listed("fd", described(added(core_os.fds(), before.fds))))
    local cwd = core_os.getcwd()
    note(cwd ~= before.cwd and "working directory " .. cwd or nil)
    return found[1] and table.concat(found, "; ")
  end)
end

return M
