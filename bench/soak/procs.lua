-- bench/soak/procs.lua — Who there is: the processes that carry the mark of
-- this soak, and what the supervisor holds.

local fs = require "luvisor.fs"

local M = {}

local function slurp(path)
  local file <close> = io.open(path)
  return file and file:read "a" or nil
end

-- From /proc/PID/stat: the name may have blanks and brackets.
local function stat(pid)
  local text = slurp(("/proc/%d/stat"):format(pid))
  local state, ppid = (text or ""):match "^.*%) (%a) (%d+)"
  return state, tonumber(ppid)
end

local function numbers()
  local list = {}
  for _, entry in ipairs(fs.scandir "/proc") do
    list[#list + 1] = math.tointeger(tonumber(entry.name))
  end
  return list
end

--- All processes of the soak: those whose environment, at their exec, had
-- LUVISOR_SOAK=dir.
-- @treturn {table,...} pid, name (of the instance), argv, state
function M.marked(dir)
  local list, mark = {}, "\0LUVISOR_SOAK=" .. dir .. "\0"
  for _, pid in ipairs(numbers()) do
    local environ = "\0" .. (slurp(("/proc/%d/environ"):format(pid)) or "")
    if environ:find(mark, 1, true) then
      local name = environ:match "%zLUVISOR_SERVICE=(%Z*)"
      local number = environ:match "%zLUVISOR_INSTANCE=(%Z*)"
      local argv = (slurp(("/proc/%d/cmdline"):format(pid)) or ""):gsub("%z",
        " ")
      list[#list + 1] = { pid = pid, argv = argv, state = stat(pid),
        name = name and number and name .. "@" .. number or name }
    end
  end
  return list
end

--- The dead children of a process that it has not reaped.
function M.zombies(parent)
  local list = {}
  for _, pid in ipairs(numbers()) do
    local state, ppid = stat(pid)
    if state == "Z" and ppid == parent then list[#list + 1] = pid end
  end
  return list
end

--- Is it still a process of this service? Its number may be another's by now.
function M.is_of(pid, dir)
  local argv = slurp(("/proc/%d/cmdline"):format(pid)) or ""
  return argv:find(dir, 1, true) ~= nil
end

--- What a process holds: descriptors, and kB of memory that are its alone.
function M.holdings(pid)
  local fds = #fs.scandir(("/proc/%d/fd"):format(pid))
  local rollup = slurp(("/proc/%d/smaps_rollup"):format(pid)) or ""
  local kb = 0
  for n in rollup:gmatch "Private_%a+:%s+(%d+)" do kb = kb + tonumber(n) end
  return fds, kb
end

return M
