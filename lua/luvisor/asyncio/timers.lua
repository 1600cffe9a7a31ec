--- The calls of a loop that are due later, and the one task that sleeps until
-- the first of them.
-- With no call left to wait for it ends its sleep at once: a program must not
-- be kept alive by a time limit that was not needed. In a loop that has a
-- nursery of its own it parks then; in the program's it ends.
-- @local

local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local heaps = require "luvisor.sync.heap"
local time = require "luvisor.core.time"

local M = {}

local now = time.now
local LONGEST <const> = 1e8 -- seconds of one sleep: any time is reached by some

local Timers = {}
Timers.__index = Timers

local function is_sooner(a, b)
  if a._when ~= b._when then return a._when < b._when end
  return a._number < b._number
end

--- Make the timers of a loop.
-- @tparam Loop loop
-- @tparam boolean stays while there are none
-- @treturn Timers
function M.new(loop, stays)
  return setmetatable({
    _loop = loop, _stays = stays, _heap = heaps.new(is_sooner),
    _count = 0, -- of all that were added
    _live = 0, -- in the heap and not cancelled
    _next = nil, -- taken off the heap, and the first
    _native = nil, _is_idle = false, _until = 0,
  }, Timers)
end

-- Queues the calls that are due. Returns when the next one is, if there is one.
local function advance(self)
  local dispatcher = self._loop._dispatcher
  while self._live > 0 do
    local handle = self._next or self._heap:pop()
    self._next = nil
    if not handle._cancelled then
      if handle._when > now() then
        self._next = handle
        return handle._when
      end
      self._live = self._live - 1
      handle._timers = nil
      dispatcher:push(handle)
    end
  end
  self._heap, self._next = heaps.new(is_sooner), nil
end

-- Cancelled handles are in the heap until it is their turn. They must not
-- become more than the others: a program sets time limits by the thousand, and
-- needs none of them.
local function sweep(self)
  local old = self._heap
  if old:size() < 64 or old:size() < 2 * self._live then return end
  self._heap = heaps.new(is_sooner)
  for handle in old.pop, old do
    if not handle._cancelled then self._heap:push(handle) end
  end
end

local Sleeping = {}

function Sleeping:__close()
  local timers = self.timers
  if timers._native == self.native then
    timers._native, timers._is_idle = nil, false
  end
end

local function sleep(self, due)
  self._until = due
  core.uncancel(self._native) -- an interruption that came too late
  core.catch(core.sleep, math.min(math.max(due - now(), 0), LONGEST))
  self._until = 0
end

local function serve(self)
  local me = core.current()
  local _ <close> = setmetatable({ timers = self, native = me }, Sleeping)
  while true do
    local due = advance(self)
    if due then
      sleep(self, due)
    elseif not self._stays then
      return
    else
      self._is_idle = true
      core.uncancel(me)
      if not core.park "calls that are due later" then return end
    end
  end
end

-- The first call changed: the sleeping task has to look again.
local function alert(self)
  if not self._native then
    self._native = self._loop:_spawn(serve, self)
    current.callers[self._native] = self._loop
    self._until = 0
  elseif self._is_idle then
    self._is_idle = false
    self._until = 0
    core.wake(self._native)
  elseif self._until > 0 then
    self._until = 0
    core.cancel_once(self._native)
  end
end

--- Add a handle.
-- @tparam TimerHandle handle
function Timers:add(handle)
  self._count = self._count + 1
  handle._timers, handle._number = self, self._count
  self._live = self._live + 1
  local first = self._next
  if first and handle._when < first._when then
    self._heap:push(first)
    self._next = handle
  else
    self._heap:push(handle)
  end
  if not self._native or self._is_idle or handle._when < self._until then
    alert(self)
  end
end

-- A handle was cancelled.
function Timers:_drop(handle)
  handle._timers = nil
  self._live = self._live - 1
  if self._live > 0 then
    sweep(self)
  elseif self._native and not self._is_idle then
    alert(self)
  end
end

return M
