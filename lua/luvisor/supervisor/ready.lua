--- When is a service ready? Each kind is a row: what it adds to the spawn, and
-- how it is waited for.
-- @module luvisor.supervisor.ready

local errors = require "luvisor.error"
local hooks = require "luvisor.supervisor.hooks"
local notify = require "luvisor.supervisor.notify"
local probes = require "luvisor.supervisor.probes"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local FIRST <const> = 0.01 -- seconds between two questions of a probe …
local LAST <const> = 0.5 -- … growing up to this
local ASKED <const> = 5 -- seconds that one question may take

local kinds = {}

-- A newline on a descriptor, as s6 has it.
kinds.fd = {
  prepare = function(_, value) return { fds = { [value] = "pipe" } } end,
  wait = function(inst, value)
    local reader = inst.process.fds[value]
    local line = reader:readline(true)
    reader:close()
    if not line or line:sub(-1) ~= "\n" then
      errors.raise { kind = "Failed",
        message = ("it closed descriptor %d without a newline"):format(value) }
    end
  end,
}

local function note_facts(inst, captures)
  for i = 1, captures.n do
    local text = captures[i]
    local name, value
    if type(text) == "string" then
      name, value = text:match "^([%a_][%w_]*)=(.*)$"
    end
    if name then
      inst.facts[name] = value
    else
      inst.facts[i] = text
    end
  end
end

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
      note_facts(inst, table.pack(...))
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
    local facts = hooks.call(fn, inst.spec.ready_timeout, inst:view())
    if facts == false then
      errors.raise { kind = "Failed", message = "its ready function says no" }
    end
    if type(facts) ~= "table" then return end
    for key, value in pairs(facts) do inst.facts[key] = value end
  end,
}

-- Asked again until it answers; the limit is the core's.
local function wait_for_probe(inst, ready)
  local pause = FIRST
  while true do
    local ok, err = pcall(task.timeout, ASKED, probes.ask, inst, ready, ASKED)
    if ok then return end
    inst.ready_error = tostring(err)
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

--- Wait until it is ready.
-- @raise why it will not be
function M.wait(inst)
  local ready = inst.spec.ready
  if not ready then return end
  inst.ready_error = nil
  local row = kinds[ready.kind]
  if row then return row.wait(inst, ready.value) end
  wait_for_probe(inst, ready)
end

--- It has ended: let go of what `prepare` opened.
function M.close(inst)
  inst.ready_line = nil
  inst.log:match(nil)
  notify.close(inst)
end

return M
