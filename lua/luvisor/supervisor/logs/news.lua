--- One task hears of all logs, so that an idle log needs none.
-- @local

local core = require "luvisor.core.sink"
local core_task = require "luvisor.core.task"

local M = {}

local outlets = {} -- by id
local last, count = 0, 0
local listener

local function listen()
  while true do
    local id, news = core.next()
    local outlet = outlets[id]
    if outlet then
      local ok, err = pcall(outlet.hear, outlet, news)
      if not ok then outlet:report("error", tostring(err)) end
    end
  end
end

--- An outlet that will be told its news, by hear(news).
-- @treturn integer its id
function M.add(outlet)
  last, count = last + 1, count + 1
  outlets[last] = outlet
  if not M.is_heard() then listener = core_task.lasting(listen) end
  return last
end

--- It is closed.
function M.remove(id)
  if not outlets[id] then return end
  outlets[id] = nil
  count = count - 1
  if count > 0 then return end
  if listener then listener:cancel() end
  listener = nil
end

--- Is anybody there to hear? Not any more when the program ends.
-- @treturn boolean
function M.is_heard()
  return listener ~= nil
    and (listener.state == "waiting" or listener.state == "ready"
      or listener.state == "running")
end

return M
