--- The guard of a supervisor: a small process, luvisor itself under another
-- name, that sleeps until we are gone. If we end in order we end it before; if
-- we are killed it kills what is left of our services (src/os/guard.c).
-- @local

local core = require "luvisor.core.guard"
local core_task = require "luvisor.core.task"
local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local Guard = {}
Guard.__index = Guard
Guard.__name = "luvisor.supervisor.guard"

local FIRST <const> = 0.01 -- seconds before a guard that has died is replaced …
local LAST <const> = 60 -- … growing up to this while they die at once
local SHORT <const> = 1 -- a life of so many seconds is one
local TRIES <const> = 3 -- of killing it

-- Of our environment it gets nothing: it is nobody's service, and who looks for
-- luvisor's name finds it not here.
local function start(self)
  local guard = process.spawn {
    "/proc/self/exe", argv0 = core.name, name = core.name, cwd = "/",
    env = {}, clear_env = true, session = true, stdout = "null",
    fds = self._notes:fds(self._lock and self._lock:fd()),
  }
  guard:detach() -- it must outlive us
  return guard
end

local function warn(self, message, fields)
  self._sup.log:warning(message, fields)
end

-- One that dies is replaced.
local function keep(self)
  local pause = FIRST
  while true do
    local began = time.now()
    if self.process then
      local status = self.process:wait()
      if self._closed then return end
      warn(self, "the guard has died and is replaced",
        { pid = self.process.pid, status = tostring(status) })
    end
    if time.now() - began > SHORT then pause = FIRST end
    task.sleep(pause)
    pause = math.min(2 * pause, LAST)
    local ok, guard = pcall(start, self)
    self.process = ok and guard or nil
    if not ok then
      warn(self, "there is no guard", { error = tostring(guard) })
    end
  end
end

--- Start one.
-- @tparam Supervisor sup
-- @tparam string run the processes of this run have it as LUVISOR_RUN
-- @tparam[opt] string cgroup those in the folder "kill" of it, too
-- @tparam[opt] Lock lock of that folder
-- @treturn Guard; process is nil while there is none
function M.open(sup, run, cgroup, lock)
  local self = setmetatable({
    _sup = sup, _notes = core.open(run, cgroup), _lock = lock, _free = {},
    _slots = 0,
  }, Guard)
  local ok, guard = pcall(start, self)
  self.process = ok and guard or nil
  if not ok then
    warn(self, "there is no guard", { error = tostring(guard) })
  end
  self._keeper = core_task.lasting(keep, self)
  return self
end

--- A session has begun that it is to end.
-- @tparam integer session
-- @treturn integer a slot, for `forget`
function Guard:note(session)
  local slot = table.remove(self._free)
  if not slot then
    self._slots = self._slots + 1
    slot = self._slots
  end
  self._notes:note(slot, session)
  return slot
end

--- Nothing is left of it.
function Guard:forget(slot)
  self._notes:note(slot, 0)
  self._free[#self._free + 1] = slot
end

-- Should it live on, it finds nobody to kill once we are gone.
local function kill(guard)
  for _ = 1, TRIES do
    if pcall(guard.kill, guard) then return guard:wait() end
  end
end

--- We end in order. Waits for its end.
function Guard:close()
  if self._closed then return end
  self._closed = true
  self._keeper:cancel()
  if self.process then kill(self.process) end
  self._notes:close()
end

return M
