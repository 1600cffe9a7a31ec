--- The nursery of a loop, held open by a task of its own until it is closed.
-- @local

local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"

local M = {}

local Host = {}
Host.__index = Host

local function hold(self)
  local nursery = self._nursery
  local ok, failed = nursery:run(core.park, "its loop to be closed")
  if ok == false then self.errors = failed end
end

local function hold_shielded(self)
  scope.new "shield":run(hold, self)
end

local function hold_alone(self)
  hold(self)
  if self.errors then error(errors.group(self.errors), 0) end
end

-- Who holds the nursery open.
local ways = {
  inside = function(self) return core.spawn(hold_shielded, self) end,
  owned = function(self) return core.detached(hold, self) end,
  alone = function(self) return core.detached(hold_alone, self) end,
}

--- Open a nursery. Waits a turn, until it is there.
-- @tparam string way "inside" the nearest nursery of the caller, which is not
-- felt in there when it is cancelled, and waits for it; or in none: what is
-- left then is cancelled when the program ends. What tasks that are not
-- asyncio's raise in there stands in `host.errors` for whoever opened it; of
-- one that is "alone", and not "owned", it is printed.
-- @treturn Host
function M.open(way)
  core.checkpoint() -- raises where nothing can wait, and nothing is open yet
  local self = setmetatable({ _nursery = scope.new "nursery" }, Host)
  self._native = ways[way](self)
  scope.new "shield":run(core.checkpoint)
  return self
end

--- Start a task in it.
function Host:spawn(fn, ...)
  return self._nursery:spawn(fn, ...)
end

--- Cancel what is in it, as a scope of luvisor.task is: at each wait.
function Host:cancel()
  self._nursery:cancel()
end

--- End it, and what is in it. Does not wait.
function Host:close()
  self._nursery:cancel()
end

--- Wait until all in it has ended.
function Host:join()
  self._native:join()
end

return M
