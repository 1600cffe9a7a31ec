--- sd_notify(3) to whoever started luvisor, if it listens: $NOTIFY_SOCKET.
-- @local

local core = require "luvisor.core.notify"
local core_os = require "luvisor.core.os"
local machine = require "luvisor.supervisor.machine"
local task = require "luvisor.task"
local time = require "luvisor.time"

local M = {}

local Upward = {}
Upward.__index = Upward
Upward.__name = "luvisor.cli.upward"

--- What the environment says of who listens.
-- @treturn Upward that says nothing, if nobody does
function M.new()
  local address = os.getenv "NOTIFY_SOCKET"
  return setmetatable({
    _address = address ~= "" and address or nil,
  }, Upward)
end

function Upward:_send(...)
  if not self._address then return end
  pcall(core.send, self._address, table.concat({ ... }, "\n"))
end

--- All is up that is to be.
function Upward:ready()
  self:_send "READY=1"
end

function Upward:stopping()
  self:_send("STOPPING=1", "STATUS=stopping all services")
end

--- The configuration is read again: `ready` ends it.
function Upward:reloading()
  self:_send("RELOADING=1", ("MONOTONIC_USEC=%d"):format(
    time.now() * 1000000 // 1 | 0))
end

--- One line of what there is.
function Upward:status(text)
  if text == self._said then return end
  self._said = text
  self:_send("STATUS=" .. text)
end

local function summary(sup)
  local up, all = 0, sup:all_instances()
  for _, inst in ipairs(all) do
    if machine.is_up[inst.state] then up = up + 1 end
  end
  return ("%d of %d services up"):format(up, #all)
end

--- Nothing is on its way up any more: what waits now waits for what has failed,
-- or for its time.
-- @tparam Supervisor sup
-- @treturn boolean
function M.has_settled(sup)
  for _, inst in ipairs(sup:all_instances()) do
    if inst.state == "starting" or inst.state == "stopping" then
      return false
    end
  end
  return true
end

--- Say READY=1 when the first starts are over, and how many services are up
-- whenever that changes. Waits, until the supervisor has closed.
-- @tparam Supervisor sup
-- @tparam Follower follower of its events
function Upward:follow(sup, follower)
  if not self._address then return follower:close() end
  local ready = M.has_settled(sup)
  if ready then self:ready() end
  for event in follower do
    if event.type == "state" and not sup.closing then
      if not ready and M.has_settled(sup) then
        ready = true
        self:ready()
      end
      self:status(summary(sup))
    end
  end
end

-- The watchdog of whoever started us, if it is meant for us.
local function watchdog_interval()
  local usec = tonumber(os.getenv "WATCHDOG_USEC")
  local pid = tonumber(os.getenv "WATCHDOG_PID")
  if not usec or usec <= 0 then return nil end
  if pid and pid ~= core_os.getpid() then return nil end
  return usec / 1e6
end

--- Send WATCHDOG=1 twice in its time, if that is asked for. Waits, for ever.
function Upward:keep_alive()
  local interval = self._address and watchdog_interval()
  while interval do
    self:_send "WATCHDOG=1"
    task.sleep(interval / 2)
  end
end

return M
