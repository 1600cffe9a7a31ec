--- gather: several awaitables side by side, and a list of their results.
-- @module luvisor.asyncio

local asyncio_errors = require "luvisor.asyncio.errors"
local awaitable = require "luvisor.asyncio.awaitable"
local current = require "luvisor.asyncio.current"
local futures = require "luvisor.asyncio.futures"
local tasks = require "luvisor.asyncio.tasks"

local M = {}

local options = { return_exceptions = "boolean" }

-- The Future that the caller of gather waits for. It stands in the lists of all
-- its children.
local Gathering = futures.subclass "Gathering"
Gathering._why = "what it gathers"

local Child = {}
Child.__index = Child

--- Cancelling it cancels the children. It is done when they have ended.
-- @local
function Gathering:cancel(msg)
  if self:done() then return false end
  local any = false
  for i = 1, self._children.n do
    any = self._children[i]:cancel(msg) or any
  end
  if any then self._is_asked, self._reason = true, msg end
  return any
end

local function outcome(child)
  if child:cancelled() then return asyncio_errors.cancelled(child._reason) end
  local err = child:exception()
  if err ~= nil then return err end
  return (child:result())
end

local function collect(self)
  local results = { n = self._children.n }
  for i = 1, results.n do results[i] = outcome(self._children[i]) end
  return results
end

local function fail(self, child)
  if not child:cancelled() then
    self:_settle_error(child:exception(), child._traceback)
  elseif self._is_asked then
    self:_settle_cancelled(child._reason)
  else
    self:_settle_error(asyncio_errors.cancelled(child._reason))
  end
end

local function note(self, child)
  self._left = self._left - 1
  futures.retrieve(child)
  if self:done() then return end
  local failed = child:cancelled() or child._exception ~= nil
  if failed and not self._keeps_errors then
    fail(self, child)
  elseif self._left > 0 then
    return
  elseif self._is_asked then
    self:_settle_cancelled(self._reason)
  else
    self:_settle_result(collect(self))
  end
end

function Child:_on_done(child)
  note(self.gathering, child)
end

-- The children in the order of the arguments. One that stands there twice, also
-- a list {fn, …}, which is one call, is one child.
local function start(loop, n, ...)
  local children, known, distinct = { n = n }, {}, {}
  for i = 1, n do
    local aw = (select(i, ...))
    local child = known[aw]
    if not child then
      child = tasks.ensure(loop, "gather", aw)
      distinct[#distinct + 1] = child
    end
    if type(aw) == "table" then known[aw] = child end
    children[i] = child
  end
  return children, distinct
end

local function check_all(n, ...)
  for i = 1, n do
    awaitable.check("gather: argument " .. i, (select(i, ...)))
  end
end

--- Run awaitables side by side, and wait for all of them. If one fails its
-- error is raised at once, and the others go on. Cancelling the caller cancels
-- them all.
-- @function asyncio.gather(...)
-- @param ... awaitables; and options: return_exceptions: errors stand in the
-- list like results
-- @treturn table the first value of each, in the order of the arguments; n is
-- their number
-- @raise the first error; Cancelled, as an ordinary error, if one of them was
-- cancelled
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local list = asyncio.gather({ asyncio.sleep, 0.1, "a" },
--                               { asyncio.sleep, 0.1, "b" })
--   print(list[1], list[2]) --> a b
function M.gather(...)
  local opts, n = awaitable.split("gather", options, ...)
  if n == 0 then return { n = 0 } end
  check_all(n, ...)
  local loop = current.loop()
  local children, distinct = start(loop, n, ...)
  local self = setmetatable({
    _loop = loop, _children = children, _left = #distinct,
    _keeps_errors = opts.return_exceptions,
  }, Gathering)
  local entry = setmetatable({ gathering = self }, Child)
  for _, child in ipairs(distinct) do
    if child:done() then note(self, child) else child:_add_entry(entry) end
  end
  return self:await()
end

return M
