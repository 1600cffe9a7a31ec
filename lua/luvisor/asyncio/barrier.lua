--- asyncio's Barrier.
-- Its state, which only `set_state` and `leave` change:
--
-- - filling: tasks come and wait, until there are enough
-- - draining: all have come; they leave one after the other
-- - resetting: those inside leave with BrokenBarrier
-- - broken: all leave, and who comes is sent away, with BrokenBarrier
--
-- While it drains or resets, who comes waits outside until the last has left.
-- @module luvisor.asyncio
-- @type Barrier

local class = require "luvisor.asyncio.class"
local condition = require "luvisor.asyncio.condition"
local errors = require "luvisor.error"

local Barrier = class.new("Barrier",
                          { "parties", types = { parties = "count" } })

local SHUT <const> = { draining = true, resetting = true } -- to newcomers

-- Python's properties.
local properties = {
  parties = function(self) return self._parties end,
  n_waiting = function(self)
    return self._state == "filling" and self._count or 0
  end,
  broken = function(self) return self._state == "broken" end,
}

function Barrier:__index(key)
  local property = properties[key]
  if property then return property(self) end
  return Barrier[key]
end

--- Make a barrier. It can be used again and again: when enough have come, they
-- go on, and the next meet at it. It has the fields `parties`; `n_waiting`: how
-- many wait for others to come; and `broken`.
-- @function asyncio.Barrier(parties)
-- @tparam integer parties how many meet
-- @treturn Barrier
-- @raise UsageError: parties is no positive integer
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local start = asyncio.Barrier(2)
--   asyncio.create_task(start.wait, start)
--   print(start:wait())
function Barrier:_init(args)
  if args.parties == nil then
    errors.usage("asyncio.Barrier: parties must be a positive integer, got nil")
  end
  self._parties = args.parties
  self._state = "filling"
  self._count = 0 -- inside
  self._changed = condition.Condition()
end

local function set_state(self, state)
  self._state = state
  self._changed:notify_all()
end

local function raise_broken(how)
  errors.raise { kind = "BrokenBarrier", message = "barrier was " .. how }
end

-- Waits outside.
local function enter(self)
  self._changed:wait_for(function() return not SHUT[self._state] end)
  if self.broken then raise_broken "aborted" end
  self._count = self._count + 1
end

local Leaving = {}

function Leaving:__close()
  local barrier = self.barrier
  barrier._count = barrier._count - 1
  if barrier._count > 0 then return end
  set_state(barrier, SHUT[barrier._state] and "filling" or barrier._state)
end

local function wait_inside(self)
  self._changed:wait_for(function() return self._state ~= "filling" end)
  if self._state == "resetting" then raise_broken "reset" end
  if self.broken then raise_broken "aborted" end
end

--- Wait until enough have come; then all go on, one after the other. Waits,
-- but for the last one. A cancelled waiter leaves, and another must come in its
-- place. Leaving the block of Python's `async with barrier as i` does nothing:
-- `local i = barrier:wait()` is all of it (and `local i, _ <close> = …` the
-- same).
-- @treturn integer 0 … parties - 1: each gets another one
-- @raise BrokenBarrier at and after `abort`, and for those inside at a
-- `reset`; the cancellation; UsageError outside a task, if it has to wait
function Barrier:wait()
  local _ <close> = self._changed:acquire()
  enter(self)
  local _ <close> = setmetatable({ barrier = self }, Leaving)
  local index = self._count - 1
  if self._count == self._parties then
    set_state(self, "draining")
  else
    wait_inside(self)
  end
  return index
end

--- Make it as new: all who wait inside raise BrokenBarrier, who comes later
-- waits as at first. May wait a turn.
function Barrier:reset()
  local _ <close> = self._changed:acquire()
  set_state(self, self._count > 0 and "resetting" or "filling")
end

--- Break it: all who wait and all who come raise BrokenBarrier, until `reset`.
-- May wait a turn.
function Barrier:abort()
  local _ <close> = self._changed:acquire()
  set_state(self, "broken")
end

function Barrier:__tostring()
  local state = self._state
  if state ~= "broken" then
    state = ("%s, waiters:%d/%d"):format(state, self.n_waiting, self._parties)
  end
  return class.describe(self, state)
end

return { Barrier = Barrier }
