--- Pipelines: commands joined by pipes in the kernel.
-- @local

local communicate = require "luvisor.process.communicate"
local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local task = require "luvisor.task"

local M = {}

local Pipeline = { __name = "luvisor.Pipeline" }
Pipeline.__index = Pipeline

local SIGPIPE <const> = 13

-- An earlier stage whose reader had enough did nothing wrong; a shell says so
-- by 128 + 13.
local function is_fine(status, is_last)
  if status.ok then return true end
  return not is_last
    and (status.signal == "PIPE" or status.code == 128 + SIGPIPE)
end

local function result_of(pl, fields)
  local last <const> = #pl.stages
  fields.ok, fields.stages = true, {}
  for i, p in ipairs(pl.stages) do
    fields.stages[i] = p.status
    fields.ok = fields.ok and is_fine(p.status, i == last)
  end
  return fields
end

local function wait_for_all(pl)
  for _, p in ipairs(pl.stages) do p:wait() end
end

--- Wait for all stages to end.
-- @function Pipeline:wait
-- @tparam[opt] number timeout seconds
-- @treturn table ok, stages (a Status each); a SIGPIPE of an earlier stage is
-- no failure
-- @raise Timeout: the stages go on
function Pipeline:wait(timeout)
  communicate.timed(self, timeout, wait_for_all, self)
  return result_of(self, {})
end

-- Is a pipe of any stage held by others after its end?
local function exchange_all(pl, input, opts)
  local held = false
  task.nursery(function(n)
    for i, p in ipairs(pl.stages) do
      n:spawn(function()
        local own_input = nil
        if i == 1 then own_input = input end
        held = communicate.exchange(p, own_input, opts) or held
      end)
    end
  end)
  return held
end

--- Feed the first stage, read what the last one (and every stage's stderr, if
-- it is a pipe) writes, and wait for all.
-- @function Pipeline:communicate
-- @param[opt] input as Process:communicate's
-- @tparam[opt] table opts as Process:communicate's
-- @treturn table ok, stages, stdout, stderr (of all stages, in their order),
-- truncated, pipe_held
-- @raise Timeout, LimitOverrun: the stages and what was read are left to the
-- next call
function Pipeline:communicate(input, opts)
  opts = errors.check_options("communicate", opts or {}, options.communicate)
  local held = communicate.timed(self, opts.timeout, exchange_all, self, input,
    opts)
  local fields, errs = { truncated = false, pipe_held = held }, {}
  for _, p in ipairs(self.stages) do
    local result = communicate.take(p, held)
    fields.stdout = result.stdout
    errs[#errs + 1] = result.stderr
    fields.truncated = fields.truncated or result.truncated
  end
  fields.stderr = #errs > 0 and table.concat(errs) or nil
  return result_of(self, fields)
end

--- Stop all stages, side by side.
-- @function Pipeline:stop
-- @tparam[opt] table opts as Process:stop's
-- @treturn table ok, stages
function Pipeline:stop(opts)
  task.shield(task.nursery, function(n)
    for _, p in ipairs(self.stages) do n:spawn(p.stop, p, opts) end
  end)
  return result_of(self, {})
end

local function close_side_by_side(pl)
  task.shield(task.nursery, function(n)
    for _, p in ipairs(pl.stages) do
      if p then n:spawn(p.close, p) end
    end
  end)
end

--- Stop it if it runs, and close the streams.
-- @function Pipeline:close
function Pipeline:close()
  local ok, err = pcall(close_side_by_side, self)
  if ok then return end
  for _, p in ipairs(self.stages) do
    if p then pcall(p.close, p) end -- no memory for tasks
  end
  error(err, 0)
end

Pipeline.__close = Pipeline.close

local spec = {
  "table", stdin = "string|table|integer|userdata",
  stdout = "string|table|integer|userdata",
  stderr = "string|table|integer|userdata",
}

local function refuse(where, stage, name)
  if stage[name] ~= nil then
    errors.usage("%s: %s is joined to its neighbour", where, name)
  end
end

local function stage_options(opts, i)
  local where = ("process.pipeline: stage %d"):format(i)
  local stage = {}
  for name, value in pairs(opts[i]) do stage[name] = value end
  if stage.stderr == nil then stage.stderr = opts.stderr end
  if i == 1 then
    if stage.stdin == nil then stage.stdin = opts.stdin end
  else
    refuse(where, stage, "stdin")
  end
  if i == #opts then
    if stage.stdout == nil then stage.stdout = opts.stdout end
  else
    refuse(where, stage, "stdout")
    stage.stdout = "pipe"
  end
  return options.check_spawn(where, stage)
end

-- The pipe between two stages is the kernel's alone from here on.
local function start_all(pl, stages)
  for i = 1, #stages do pl.stages[i] = false end -- nothing fails once one runs
  for i, opts in ipairs(stages) do
    local before = pl.stages[i - 1]
    if before then opts.stdin = before.stdout end
    pl.stages[i] = handles.start(opts)
    if before then
      before.stdout:close()
      before.stdout = nil
    end
  end
  local first, last = pl.stages[1], pl.stages[#stages]
  pl.stdin, pl.stdout, pl.stderr = first.stdin, last.stdout, last.stderr
end

--- Start commands, each one's stdout joined to the next one's stdin in the
-- kernel: no byte passes through us.
-- @function pipeline
-- @tparam table opts a list of spawn options; stdin of the first, stdout of
-- the last and stderr of all stages, as in spawn
-- @treturn Pipeline stages, stdin, stdout; wait, communicate, stop, close
-- @raise SpawnError, and no stage is left behind
-- @usage
-- local pl <close> = process.pipeline { { "echo", "a\nb" }, { "wc", "-l" },
--                                       stdout = "pipe" }
-- print(pl:communicate().stdout) --> 2
function M.pipeline(opts)
  errors.check_options("process.pipeline", opts, spec)
  if #opts == 0 then errors.usage("process.pipeline: there are no commands") end
  local stages = {}
  for i = 1, #opts do stages[i] = stage_options(opts, i) end
  local pl = setmetatable({ stages = {}, name = "a pipeline" }, Pipeline)
  local ok, err = pcall(start_all, pl, stages)
  if not ok then
    pl:close()
    error(err, 0)
  end
  return pl
end

return M
