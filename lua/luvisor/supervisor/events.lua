--- What happened, in `sup.events`: a bounded memory, and those who follow. An
-- event is a table with `seq`, `type`, `time` (wall) and `mono` (as time.now).
--
-- - "state": `service`, `from`, `to`, `reason`, `by`, `pid`
-- - "status": what a service says of itself by sd_notify(3): `service`, and
--   `text`, `errno` or `mainpid`
-- - "health": `service`, `healthy`, `error`
-- - "log", "config": about logs, after an apply
-- - "gap": to a follower that has fallen far behind, with `lost`
-- @module luvisor.supervisor
-- @type Events

local sync = require "luvisor.sync"
local time = require "luvisor.time"

local M = {}

local KEPT <const> = 1000
local BEHIND <const> = 10000 -- events that wait for one follower

local Events = {}
Events.__index = Events
Events.__name = "luvisor.supervisor.events"

--- Make an empty memory.
-- @local
-- @treturn Events
function M.new()
  return setmetatable({ _seq = 0, _kept = {}, _followers = {} }, Events)
end

local function tell(follower, event)
  if follower.queue:try_put(event) then return end
  follower.lost = follower.lost + 1
end

--- Note an event and tell the followers. Never waits: one who has fallen far
-- behind misses events and is told how many.
-- @tparam string type "state", "log", "status", "config", …
-- @tparam table event its fields; seq, time (wall), mono and type are added
-- @local
function Events:emit(type, event)
  self._seq = self._seq + 1
  event.seq, event.type = self._seq, type
  event.time, event.mono = time.wall(), time.now()
  self._kept[self._seq] = event
  self._kept[self._seq - KEPT] = nil
  for follower, wants in pairs(self._followers) do
    if wants == true or wants(event) then tell(follower, event) end
  end
end

--- The last n events that are remembered, oldest first.
-- @tparam[opt] integer n
-- @treturn {table,...}
function Events:last(n)
  local list = {}
  local first = math.max(1, self._seq - math.min(n or KEPT, KEPT) + 1)
  for seq = first, self._seq do list[#list + 1] = self._kept[seq] end
  return list
end

local Follower = {}
Follower.__index = Follower
Follower.__name = "luvisor.supervisor.follower"

--- The next event; waits. Calling a Follower is the same. An event of type
-- "gap" tells how many were lost.
-- @treturn table|nil nil when it is closed
function Follower:next()
  if self.lost > 0 and self.queue:size() == 0 then
    local lost = self.lost
    self.lost = 0
    return { type = "gap", lost = lost, time = time.wall() }
  end
  return self.queue:get()
end

Follower.__call = Follower.next

--- Hear no more: what has come is still to be had. Twice is harmless.
function Follower:close()
  self._events._followers[self] = nil
  self.queue:close()
end

Follower.__close = Follower.close

--- Follow: an iterator, also for a <close> variable.
-- @tparam[opt] function wants called with each event, must not wait: is it to
-- be told? Default: all are
-- @treturn Follower
-- @usage
-- local sup <close> = require "luvisor.supervisor".new {
--   log = { dir = "log" }, services = { a = { command = "sleep 60" } },
-- }
-- local follower <close> = sup.events:subscribe()
-- sup:start "a"
-- for event in follower do
--   print(event.service, event.to)
--   if event.to == "running" then break end
-- end
function Events:subscribe(wants)
  local follower = setmetatable({
    queue = sync.queue(BEHIND), lost = 0, _events = self,
  }, Follower)
  self._followers[follower] = wants or true
  return follower
end

--- Tell all followers that nothing comes any more.
-- @local
function Events:close()
  for follower in pairs(self._followers) do follower:close() end
end

return M
