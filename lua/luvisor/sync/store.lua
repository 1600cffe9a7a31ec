--- What a queue keeps its items in: first in first out, or last in first out.
-- Pure. A store, as luvisor.sync.heap is one too, has push(item), pop() (nil
-- when it is empty), size() and check(item), which raises what push would.
-- @local

local M = {}

local Fifo = {}
Fifo.__index = Fifo
Fifo.__name = "luvisor.sync.fifo"

--- A store that gives the first item first.
function M.fifo()
  return setmetatable({ first = 1, last = 0 }, Fifo)
end

function Fifo:push(item)
  self.last = self.last + 1
  self[self.last] = item
end

function Fifo:pop()
  local first, last = self.first, self.last
  if first > last then return nil end
  local item = self[first]
  self[first] = nil
  if first == last then
    self.first, self.last = 1, 0
  else
    self.first = first + 1
  end
  return item
end

function Fifo:size()
  return self.last - self.first + 1
end

function Fifo.check() end -- takes anything

local Lifo = {}
Lifo.__index = Lifo
Lifo.__name = "luvisor.sync.lifo"

--- A store that gives the last item first.
function M.lifo()
  return setmetatable({}, Lifo)
end

function Lifo:push(item)
  self[#self + 1] = item
end

function Lifo:pop()
  return table.remove(self)
end

function Lifo:size()
  return #self
end

function Lifo.check() end -- takes anything

return M
