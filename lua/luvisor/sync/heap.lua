--- A binary heap: the least item first, and among equals the first to come.
-- Pure. Every comparison of an operation is made before anything is moved: a
-- less-than function that raises leaves the heap as it was.
-- @local

local M = {}

local Heap = {}
Heap.__index = Heap
Heap.__name = "luvisor.sync.heap"

local function less_than(a, b)
  return a < b
end

--- Make a heap.
-- @tparam[opt] function less less(a, b): does a come before b? `<` without it
-- @treturn Heap
function M.new(less)
  return setmetatable({
    _less = less or less_than,
    _items = {}, _ages = {}, _size = 0, _age = 0,
  }, Heap)
end

--- How many items are in it?
-- @treturn integer
function Heap:size()
  return self._size
end

-- Does the item at index i come before this one?
local function before(self, i, item, age)
  local other = self._items[i]
  if self._less(other, item) then return true end
  return self._ages[i] < age and not self._less(item, other)
end

local function place(self, i, item, age)
  self._items[i], self._ages[i] = item, age
end

-- Moves the item at index `from` to index `to`.
local function move(self, from, to)
  place(self, to, self._items[from], self._ages[from])
end

--- Put an item in.
-- @param item not nil
-- @raise what the less-than function raises
function Heap:push(item)
  local last = self._size + 1
  local top = last -- the item's place: climb while it is less than above
  while top > 1 and self._less(item, self._items[top // 2]) do
    top = top // 2
  end
  local i = last
  while i > top do
    move(self, i // 2, i)
    i = i // 2
  end
  self._age = self._age + 1
  place(self, top, item, self._age)
  self._size = last
end

-- The way that the hole at the top sinks until `item` can fill it: a list of
-- indices, each the lesser child of the one before.
local function sink_path(self, item, age, size)
  local items, ages = self._items, self._ages
  local path, child = { 1 }, 2
  while child <= size do
    if child < size
      and before(self, child + 1, items[child], ages[child]) then
      child = child + 1
    end
    if not before(self, child, item, age) then break end
    path[#path + 1] = child
    child = 2 * child
  end
  return path
end

--- Take the least item out.
-- @return the item; nil if the heap is empty
-- @raise what the less-than function raises
function Heap:pop()
  local size = self._size - 1
  if size < 0 then return nil end
  local least = self._items[1]
  local last, age = self._items[size + 1], self._ages[size + 1]
  local path = sink_path(self, last, age, size)
  for i = 2, #path do move(self, path[i], path[i - 1]) end
  place(self, path[#path], last, age)
  self._items[size + 1], self._ages[size + 1] = nil, nil
  self._size = size
  return least
end

--- Raise what `push` would raise for an item that cannot be compared.
-- @param item any
function Heap:check(item)
  if self._size > 0 then self._less(item, self._items[1]) end
end

return M
