--- A service that is a Lua function: a task that looks like a process.
-- @module luvisor.supervisor.runner

local core = require "luvisor.core.task"
local hooks = require "luvisor.supervisor.hooks"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = {}

local Runner = { is_task = true }
Runner.__index = Runner
Runner.__name = "luvisor.supervisor.runner"

local Status = { __name = "luvisor.supervisor.runner.status" }
Status.__index = Status

function Status:__tostring()
  return self.text
end

local function status(code, text)
  return setmetatable({ ok = code == 0, code = code, text = text }, Status)
end

--- Call spec.run in a task; others have their turn even if it never waits.
-- @tparam Instance inst
-- @treturn Runner wait() and stop(), as a process has them
function M.start(inst)
  local self = setmetatable({ _inst = inst, _ended = sync.event() }, Runner)
  self._task = core.lasting(function()
    local ok, err = pcall(hooks.call, inst.spec.run, nil, inst:view())
    self.status = ok and status(0, "returned")
      or status(1, "failed: " .. tostring(err))
  end)
  core.lasting(function()
    pcall(self._task.join, self._task)
    self._ended:set()
  end)
  return self
end

--- Wait for its end.
-- @treturn table code 0: it returned, 1: it raised an error or was cancelled
function Runner:wait()
  self._ended:wait()
  self.status = self.status or status(1, "cancelled")
  return self.status
end

--- Cancel it and wait for its end. One that is shielded against that for longer
-- than its grace cannot be killed as a process can: it is let go of.
function Runner:stop()
  local inst = self._inst
  self._task:cancel("stop")
  if task.move_on(inst.spec.stop.grace, self.wait, self) then return end
  inst.sup.log:warning("does not end though cancelled",
    { service = inst.name, waits = self._task:traceback() })
  self.status = status(1, "cancelled, and goes on")
  self._ended:set()
end

return M
