-- What is there before the storm and after it: processes, open files, tasks,
-- memory.
-- local census = dofile(SOURCE .. "/tests/storm/census.lua")

local core_os = require "luvisor.core.os"
local core_process = require "luvisor.core.process"
local core_task = require "luvisor.core.task"
local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local PATIENCE <const> = 10 -- seconds

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a" or ""
end

--- The numbers of all processes that have the mark in their environment. (That
-- of a zombie cannot be read.)
function M.marked(mark)
  local found = {}
  local listing = process.capture { "ls", "/proc" }
  for pid in listing:gmatch "%f[^%c]%d+%f[%c\0]" do
    local environ = read("/proc/" .. pid .. "/environ")
    if environ:find(mark, 1, true) then found[#found + 1] = pid end
  end
  return found
end

--- The zombies among our children.
function M.zombies()
  local found = {}
  for pid in read("/proc/thread-self/children"):gmatch "%d+" do
    local state = read("/proc/" .. pid .. "/stat"):match "%) (%a)"
    if state == "Z" then found[#found + 1] = pid end
  end
  return found
end

--- Wait until those with the mark have ended and been reaped, but not for ever.
function M.settle(mark)
  local deadline = time.now() + PATIENCE
  while #M.marked(mark) > 0 or #core_process.children() > 0 do
    if time.now() > deadline then return end
    task.sleep(0.01)
  end
end

--- What of us the kernel keeps in memory, in KiB.
function M.resident()
  return tonumber(read("/proc/self/status"):match "VmRSS:%s*(%d+)")
end

--- What a storm must leave as it was.
function M.take()
  collectgarbage()
  collectgarbage()
  return {
    tasks = core_task.count(), children = #core_process.children(),
    fds = table.concat(core_os.fds(), " "),
    lua = collectgarbage "count", resident = M.resident(),
  }
end

return M
