--- shield: waiting for what must go on if the wait is cancelled.
-- @module luvisor.asyncio

local current = require "luvisor.asyncio.current"
local futures = require "luvisor.asyncio.futures"
local tasks = require "luvisor.asyncio.tasks"

local M = {}

-- Stands between the inner Future and the one that is waited for.
local Link = {}
Link.__index = Link

function Link:_on_done(inner)
  local outer = self.outer
  if outer:done() then return end
  if inner:cancelled() then
    outer:cancel(inner._reason)
  elseif inner._exception ~= nil then
    outer:_settle_error(inner:exception(), inner._traceback)
  else
    outer:_settle_result(inner:result())
  end
end

local Outer = futures.subclass "Shielded"
Outer._why = "what it shields"

--- The inner one is alone again: nobody asks for its error through us.
-- @local
function Outer:cancel(msg)
  local inner = self._inner
  if inner then inner:_remove_entry(self._link) end
  return futures.class.cancel(self, msg)
end

--- Wait for an awaitable that goes on if the calling task is cancelled.
-- @function asyncio.shield(aw)
-- @param aw an awaitable
-- @return its values
-- @raise its error; Cancelled, if it was cancelled itself, or the caller was
-- @usage
--   local asyncio = require "luvisor.asyncio"
--   local saved = asyncio.create_task(asyncio.sleep, 0.1, "saved")
--   local ok = pcall(asyncio.wait_for, { asyncio.shield, saved }, 0.01)
--   print(ok, saved:await()) --> false saved
function M.shield(aw)
  local loop = current.loop()
  local inner = tasks.ensure(loop, "shield", aw)
  if inner:done() then return inner:await() end
  local outer = setmetatable({ _loop = loop, _inner = inner }, Outer)
  outer._link = setmetatable({ outer = outer }, Link)
  inner:_add_entry(outer._link)
  return outer:await()
end

return M
