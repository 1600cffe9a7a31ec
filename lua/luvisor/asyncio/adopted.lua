--- Tasks that asyncio did not make, the script itself for one: they can be
-- cancelled, awaited and asked for their name, and are of whichever loop runs.
-- @local

local current = require "luvisor.asyncio.current"
local task = require "luvisor.asyncio.task"

local Task = task.class

local Adopted = {}
for key, value in pairs(Task) do Adopted[key] = value end
Adopted.__index = Adopted

local ended = { done = true, failed = true, cancelled = true }

function Adopted:done()
  return self._state ~= "PENDING" or ended[self._native.state] or false
end

-- The first who waits for it has it joined, by a task of its own.
function Adopted:_add_entry(entry)
  Task._add_entry(self, entry)
  if self._loop then return end
  self._loop = current.loop()
  local native = self._native
  self._loop:_spawn(task.run, self, native.join, native)
end

function Adopted:get_loop()
  assert(self)
  return current.loop()
end

function Adopted:__tostring()
  return ("<asyncio.Task %s [%s]>"):format(self._name, self._native.state)
end

--- The Task that stands for a task of luvisor.
-- @treturn Task
local function adopt(native)
  return setmetatable({ _native = native, _name = native.name }, Adopted)
end

return { adopt = adopt }
