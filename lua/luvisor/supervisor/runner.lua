--- A service that is a Lua function: a task that looks like a process.
-- @module luvisor.supervisor.runner

local task = require "luvisor.task"

local M = {}

local Runner = { is_task = true }
Runner.__index = Runner
Runner.__name = "luvisor.supervisor.runner"

local Status = {}
Status.__index = Status

function Status:__tostring()
  return self.text
end

local function status(code, text)
  return setmetatable({ ok = code == 0, code = code, text = text }, Status)
end

--- Call spec.run in a task.
-- @tparam Instance inst
-- @treturn Runner wait() and stop(), as a process has them
function M.start(inst)
  local self = setmetatable({}, Runner)
  self._task = task.detached(function()
    local ok, err = pcall(inst.spec.run, inst)
    self.status = ok and status(0, "returned")
      or status(1, "failed: " .. tostring(err))
  end)
  return self
end

--- Wait for its end.
-- @treturn table code 0: it returned, 1: it raised an error or was cancelled
function Runner:wait()
  pcall(self._task.join, self._task)
  return self.status or status(1, "cancelled")
end

--- Cancel it and wait for its end.
function Runner:stop()
  self._task:cancel("stop")
  return self:wait()
end

return M
