--- Rotated files are compressed in the background, by gzip, one at a time.
-- It reads a descriptor and writes to a file that nobody knows. Whatever number
-- the rotated one has by then, the sink puts the result in its place: between
-- two of its own rotations.
-- @local

local core = require "luvisor.core.task"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = {}

local NICE <const> = 19

local slot = sync.semaphore(1)

local function split(path)
  local dir, base = path:match "^(.*)/([^/]*)$"
  return dir == "" and "/" or dir, base
end

-- The highest number of a rotated file that is not compressed, or nil.
local function find_plain(path, keep)
  local dir, base = split(path)
  local found
  for _, entry in ipairs(fs.scandir(dir)) do
    if entry.name:sub(1, #base + 1) == base .. "." then
      local number = math.tointeger(tonumber(
        entry.name:sub(#base + 2):match "^[1-9]%d*$"))
      if number and number <= keep and number > (found or 0) then
        found = number
      end
    end
  end
  return found
end

local function look(path)
  local found, st = pcall(fs.stat, path)
  return found and st or nil
end

-- It may be rotated at any time, and then have another number.
local function is_still(plain, st)
  local now = look(plain)
  return now ~= nil and now.dev == st.dev and now.ino == st.ino
end

local function finish(outlet, p, st, to)
  local said = p.stderr:read()
  local status = p:wait()
  if not status.ok then
    error(said ~= "" and said or tostring(status), 0)
  end
  fs.chmod(to, st.mode)
  outlet.sink:merge(to, st.dev, st.ino)
end

local function compress(outlet, plain, st, to)
  local p <close> = process.spawn {
    "gzip", "-c", stdin = { file = plain },
    stdout = { file = to, mode = "w" }, stderr = "pipe", nice = NICE,
    name = "gzip", stop = { grace = 1 },
  }
  if is_still(plain, st) then finish(outlet, p, st, to) end
end

-- Is there more to do?
local function compress_one(outlet)
  local path = outlet.settings.path
  local number = find_plain(path, outlet.settings.keep)
  if not number then return false end
  local plain, to = ("%s.%d"):format(path, number), path .. ".gz.tmp"
  local _ <close> = slot:acquire()
  local _ <close> = setmetatable({}, { __close = function()
    task.shield(pcall, fs.remove, to)
  end })
  local st = look(plain)
  if not st then return true end
  local done, err = pcall(compress, outlet, plain, st, to)
  if not done and is_still(plain, st) then error(err, 0) end
  return true
end

local function work(outlet)
  local ok, err = pcall(function()
    while compress_one(outlet) do end
  end)
  if not ok and not outlet.gzip_failed then
    outlet:report("warning", "its log cannot be compressed",
      { error = tostring(err):match "[^\n]*" })
  end
  outlet.gzip_failed = not ok -- and is said once
end

--- Compress what there is to compress, in a task of its own.
-- @tparam Outlet outlet
function M.start(outlet)
  outlet.gzip_again = true
  if outlet.gzipping then return end
  outlet.gzipping = core.lasting(function()
    while outlet.gzip_again and outlet.sink do
      outlet.gzip_again = false
      work(outlet)
    end
    outlet.gzipping = nil
  end)
end

--- Stop that. Waits.
function M.stop(outlet)
  local work_task = outlet.gzipping
  outlet.gzipping, outlet.gzip_again = nil, nil
  if not work_task then return end
  work_task:cancel()
  pcall(work_task.join, work_task)
end

return M
