--- The workers of a pool, and the calls that wait for one.
-- First come, first served: whoever lets go of a worker hands it to the call
-- that has waited longest, and a worker that is gone leaves its slot to that
-- one, which then starts another. So there is an idle worker, or a free slot,
-- only while nobody waits.
-- @local

local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local links = require "luvisor.pool.link"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local Crew = {}
Crew.__index = Crew
Crew.__name = "luvisor.pool.crew"

-- A worker in use: given back, or ended, when it is closed.
local Lease = {}
Lease.__name = "luvisor.pool.lease"

local FREE_SLOT <const> = true -- what a waiter may be served, besides a link

-- Crews with workers. They are not collected before their workers have ended.
local open = {}

--- An empty crew: workers are started when there is work.
-- @tparam integer most workers at once
-- @tparam string hello what each is told first
-- @tparam ?integer recycle calls after which a worker is replaced
function M.new(most, hello, recycle)
  return setmetatable({
    hello = hello, recycle = recycle or math.huge, closed = false,
    slots = most, -- for workers that could be started
    idle = {}, -- the last one is used first
    live = {}, -- link → its lease
    line = waiters.new "a worker",
  }, Crew)
end

local function raise_closed()
  errors.raise { kind = "Closed", message = "the pool is closed" }
end

local function give_slot(self)
  if self.line:wake(FREE_SLOT) then return end
  self.slots = self.slots + 1
end

local function give_link(self, link)
  if self.line:wake(link) then return end
  table.insert(self.idle, link)
end

local function forget(self, link)
  self.live[link] = nil
  if not next(self.live) then open[self] = nil end
end

local function start(self)
  local ok, link = pcall(links.start, self.hello)
  if not ok then
    give_slot(self)
    error(link, 0)
  end
  open[self] = true
  self.live[link] = setmetatable({ crew = self, link = link }, Lease)
  return link
end

local function discard(self, link)
  link:kill()
  forget(self, link)
  give_slot(self)
end

-- An idle worker. Those that died meanwhile had nothing to do, and are nobody's
-- loss.
local function take_idle(self)
  while true do
    local link = table.remove(self.idle)
    if not link or link:is_alive() then return link end
    discard(self, link)
  end
end

local function await_turn(self)
  local given = self.line:wait()
  if given == nil or self.closed then raise_closed() end
  if core.is_cancelled() then
    if given == FREE_SLOT then give_slot(self) else give_link(self, given) end
    core.raise_cancelled()
  end
  return given
end

--- A worker for one call. Waits, in turn, while all are busy.
-- @treturn Lease to be closed when the call is over; `lease.link` is the worker
-- @raise Closed, SpawnError, the cancellation
function Crew:acquire()
  if self.closed then raise_closed() end
  local link = take_idle(self)
  if not link and self.slots > 0 then
    self.slots = self.slots - 1
    link = FREE_SLOT
  end
  link = link or await_turn(self)
  if link == FREE_SLOT then link = start(self) end
  link.done = true -- nothing is under way yet
  return self.live[link]
end

-- It ends by itself, which nobody need wait for.
local function replace(self, link)
  link.retiring = true
  give_slot(self)
  task.detached(function()
    link:retire()
    forget(self, link)
  end)
end

function Lease:__close()
  local crew, link = self.crew, self.link
  if not link.done or crew.closed then
    discard(crew, link)
  elseif link.calls >= crew.recycle then
    replace(crew, link)
  else
    give_link(crew, link)
  end
end

-- Ends each worker in its own way, side by side.
local function end_all(self)
  for _, link in ipairs(self.idle) do link.retiring = true end
  self.idle = {}
  task.nursery(function(n)
    for link in pairs(self.live) do
      n:spawn(link.retiring and link.retire or link.kill, link)
    end
  end)
  for link in pairs(self.live) do forget(self, link) end
end

--- End the workers: the idle ones when they have cleaned up, the others now,
-- and their calls raise Closed, as those do that wait. Waits until they are
-- gone; a cancellation does not end that. Twice is harmless.
function Crew:close()
  self.closed = true
  self.line:wake_all(nil)
  for link in pairs(self.live) do
    if not link.done then link:cut() end
  end
  if next(self.live) then task.shield(end_all, self) end
end

--- The pool was dropped: let the workers go, without a wait.
-- @treturn boolean were there any?
function Crew:abandon()
  if not next(self.live) then return false end
  self.closed = true
  for link in pairs(self.live) do link:abandon() end
  open[self] = nil
  return true
end

--- How many workers there are, how many of them serve a call, how many calls
-- wait.
-- @treturn integer
-- @treturn integer
-- @treturn integer
function Crew:counts()
  local all = 0
  for _ in pairs(self.live) do all = all + 1 end
  return all, all - #self.idle, self.line:count()
end

core.at_exit(function()
  task.nursery(function(n)
    for crew in pairs(open) do n:spawn(crew.close, crew) end
  end)
end)

return M
