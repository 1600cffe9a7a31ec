--- When is a service ready? Each kind is a row: what it adds to the spawn, and
-- how it is waited for.
-- @module luvisor.supervisor.ready

local errors = require "luvisor.error"
local facts = require "luvisor.supervisor.facts"
local health = require "luvisor.supervisor.health"
local hooks = require "luvisor.supervisor.hooks"
local notify = require "luvisor.supervisor.notify"
local probes = require "luvisor.supervisor.probes"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local FIRST <const> = 0.01 -- seconds between two questions of a probe …
local LAST <const> = 0.5 -- … growing up to this
local DYING <const> = 0.2 -- seconds between the last close and the end
local ASKED <const> = 5 -- seconds that the first question may take

local kinds = {}

-- A newline on a descriptor, as s6 has it.
kinds.fd = {
  prepare = function(_, value) return { fds = { [value] = "pipe" } } end,
  wait = function(inst, value)
    local line = inst.process.fds[value]:readline(true)
    if not line or line:sub(-1) ~= "\n" then
      task.move_on(DYING, inst.process.wait, inst.process)
      errors.raise { kind = "Failed",
        message = ("it closed descriptor %d without a newline"):format(value) }
    end
  end,
  close = function(inst, value)
    local reader = inst.process and inst.process.fds[value]
    if reader then reader:close() end
  end,
}

-- A line of its output.
kinds.log = {
  prepare = function(inst, pattern)
    local line = waiters.new "a line of a service's log"
    local seen
    inst.ready_line = function()
      if not seen then line:wait() end
    end
    inst.log:match(pattern, function(...)
      if seen then return end
      seen = true
      facts.note_captures(inst, table.pack(...))
      inst.log:match(nil)
      line:wake_all(true)
    end)
    return {}
  end,
  wait = function(inst) inst.ready_line() end,
}

kinds.delay = {
  wait = function(_, seconds) task.sleep(seconds) end,
}

kinds.notify = {
  wait = function(inst) notify.wait_ready(inst) end,
}

kinds["function"] = {
  wait = function(inst, fn)
    local answer, why = hooks.call(fn, nil, inst:view())
    if answer == false or (answer == nil and why ~= nil) then
      errors.raise { kind = "Failed", message = why and tostring(why)
        or "its ready function says no" }
    end
    if type(answer) ~= "table" then return end
    for name, value in pairs(answer) do facts.note(inst, name, value) end
  end,
}

-- Asked again until it answers; the limit is the core's. What hangs once is
-- asked again soon, what takes its time gets more each time.
local function wait_for_probe(inst, ready)
  local pause, limit = FIRST, ASKED
  while true do
    local ok, err = pcall(task.timeout, limit, probes.ask, inst, ready, limit)
    if ok then
      inst.ready_error = nil
      return
    end
    inst.ready_error = tostring(err)
    if err.kind == "Timeout" then limit = 2 * limit end
    task.sleep(pause)
    pause = math.min(pause * 1.5, LAST)
  end
end

--- What the next spawn needs.
-- @tparam Instance inst
-- @treturn table options of process.spawn: env, fds
function M.prepare(inst)
  local ready = inst.spec.ready
  local row = ready and kinds[ready.kind]
  local options = row and row.prepare and row.prepare(inst, ready.value) or {}
  return notify.prepare(inst, options)
end

--- It has a process.
function M.started(inst)
  notify.started(inst)
end

--- Wait until it is ready. Until then `inst.ready_error` is the last answer of
-- a probe.
-- @raise why it will not be
function M.wait(inst)
  local ready = inst.spec.ready
  inst.ready_error = nil
  if not ready then return end
  local row = kinds[ready.kind]
  if not row then return wait_for_probe(inst, ready) end
  local _ <close> = setmetatable({}, { __close = function()
    if row.close then row.close(inst, ready.value) end
  end })
  row.wait(inst, ready.value)
end

--- It has ended: let go of what `prepare` opened.
function M.close(inst)
  local ready = inst.spec.ready
  local row = ready and kinds[ready.kind]
  if row and row.close then row.close(inst, ready.value) end
  inst.ready_line = nil
  inst.log:match(nil)
  notify.close(inst)
  health.close(inst)
end

return M
