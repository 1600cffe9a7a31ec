-- Services without processes, for thousands of lives in a second: what the
-- supervisor spawns, stops and writes its logs by is replaced.
-- local fakes = dofile(SOURCE .. "/tests/support/fakes.lua")

local descendants = require "luvisor.supervisor.descendants"
local logs = require "luvisor.supervisor.logs"
local process = require "luvisor.process"
local spawning = require "luvisor.supervisor.spawning"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = { alive = {}, starts = 0, is_calm = false }

-- A pause of random length, as the world makes them; none in calm.
local function pause(chance, most)
  if not M.is_calm and math.random() < chance then
    task.sleep(math.random() * most)
  end
end

local Process = {}
Process.__index = Process

local Status = {}
Status.__index = Status

function Status:__tostring()
  return self.signal and "killed by " .. self.signal or "exited " .. self.code
end

--- End it, once.
function Process:finish(status)
  if self.status then return end
  self.status = setmetatable(status, Status)
  M.alive[self] = nil
  self._ended:set()
end

function Process:wait()
  self._ended:wait()
  return self.status
end

function Process:send_signal(sig)
  if sig ~= "HUP" then self:finish { signal = sig } end
end

-- What a command does: "live", "crash 7", "end", "brief", "stubborn".
local behaviours = {}

function behaviours.live() end

function behaviours.crash(p)
  task.sleep(math.random() * 0.003)
  p:finish { code = 7 }
end

function behaviours.quit(p)
  task.sleep(math.random() * 0.003)
  p:finish { code = 0 }
end

local function spawn(options)
  M.starts = M.starts + 1
  local p = setmetatable({ pid = M.starts, name = options.name,
    how = options[1], _ended = sync.event() }, Process)
  if options[1] == "missing" then error("no such program", 0) end
  M.alive[p] = true
  task.detached(behaviours[options[1]] or behaviours.live, p)
  return p
end

local D = {}
D.__index = D

function D.started() end
function D.forget() end
function D.close() end

function D.any(_, inst)
  return not inst.process.is_task and not M.is_calm and math.random() < 0.2
end

function D.list(_, inst)
  local p = inst.process
  return p and not p.status and { p } or {}
end

function D.stop(_, inst)
  local p = inst.process
  pause(0.5, 0.004)
  if p then p:finish { signal = p.how == "stubborn" and "KILL" or "TERM" } end
  return { killed = {} }
end

local Log = {}
Log.__index = Log

for _, name in ipairs { "started", "match", "update", "reopen" } do
  Log[name] = function() end
end

function Log.tail()
  return {}
end

function Log.drained()
  pause(0.3, 0.002)
end

function Log.close()
  task.checkpoint()
end

local originals = {
  { process, "spawn", spawn },
  { process, "_start", spawn },
  { descendants, "open", function() return setmetatable({}, D) end },
  { logs, "open", function() return setmetatable({}, Log) end },
  { spawning, "options", function(inst)
    pause(0.3, 0.002)
    return { inst.spec.command[1], name = inst.name }
  end },
  { process, "which", function(name) return name end },
}

--- From now on nothing is real.
-- @tparam[opt] boolean is_calm and nothing happens at random
function M.begin(is_calm)
  M.is_calm = is_calm or false
  for _, one in ipairs(originals) do
    one.original, one[1][one[2]] = one[1][one[2]], one[3]
  end
end

--- As it was.
function M.finish()
  for _, one in ipairs(originals) do one[1][one[2]] = one.original end
end

return M
