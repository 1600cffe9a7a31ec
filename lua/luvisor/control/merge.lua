--- Several sources that wait, as one iterator.
-- @local

local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = {}

local BEHIND <const> = 64 -- items that wait for a slow reader

local Merge = {}
Merge.__index = Merge

-- What a source meets after the end is no failure of what was before.
local function run(self, source)
  local ok, err = pcall(source, function(item) self._queue:put(item) end)
  if not ok and not self._closed then self._err = self._err or err end
  self._running = self._running - 1
  if self._running == 0 or not ok then self._queue:close() end
end

--- Start the sources.
-- @tparam {function,...} sources each is called with a function `put`, which
-- may wait
-- @treturn Merge an iterator, with `__close`, which ends them
function M.new(sources)
  local self = setmetatable({ _queue = sync.queue(BEHIND), _tasks = {},
                              _running = #sources }, Merge)
  for i, source in ipairs(sources) do
    self._tasks[i] = task.detached(run, self, source)
  end
  return self
end

--- The next item of any of them; nil when all have ended.
-- @raise what one of them raised
function Merge:__call()
  local item = self._queue:get()
  if item == nil and self._err then error(self._err, 0) end
  return item
end

function Merge:__close()
  self._closed = true
  for _, t in ipairs(self._tasks) do t:cancel() end
  self._queue:close()
end

return M
