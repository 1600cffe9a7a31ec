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

--- Wait for all stages to end.
-- @function Pipeline:wait
-- @tparam[opt] number timeout seconds
-- @treturn table ok, stages (a Status each); a SIGPIPE of an earlier stage is
-- no failure
-- @raise Timeout: the stages go on
function Pipeline:wait(timeout)
  local function all()
    for _, p in ipairs(self.stages) do p:wait() end
  end
  if timeout then task.timeout(timeout, all) else all() end
  return result_of(self, {})
end

--- Feed the first stage, read what the last one (and every stage's stderr, if
-- it is a pipe) writes, and wait for all.
-- @function Pipeline:communicate
-- @param[opt] input as Process:communicate's
-- @tparam[opt] table opts as Process:communicate's
-- @treturn table ok, stages, stdout, stderr (of all stages, in their order)
function Pipeline:communicate(input, opts)
  opts = errors.check_options("communicate", opts or {}, options.communicate)
  local function all()
    task.nursery(function(n)
      for i, p in ipairs(self.stages) do
        n:spawn(communicate.exchange, p, i == 1 and input or nil, opts)
      end
    end)
  end
  if opts.timeout then task.timeout(opts.timeout, all) else all() end
  local errs = {}
  for i, p in ipairs(self.stages) do
    p:wait()
    errs[i] = p.stderr and p.stderr:_take()
  end
  return result_of(self, {
    stdout = self.stdout and self.stdout:_take(),
    stderr = #errs > 0 and table.concat(errs) or nil,
  })
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

--- Stop it if it runs, and close the streams.
-- @function Pipeline:close
function Pipeline:close()
  self:stop()
  for _, p in ipairs(self.stages) do p:close() end
end

Pipeline.__close = Pipeline.close

local spec = {
  "table", stdin = "string|table|integer|userdata",
  stdout = "string|table|integer|userdata",
  stderr = "string|table|integer|userdata",
}

-- If a later stage cannot be started, the earlier ones are ended.
local Unwind = {}

function Unwind.__close(pl, err)
  if err ~= nil then Pipeline.close(pl) end
end

local function stage_options(opts, i, n, before)
  local stage = {}
  for name, value in pairs(opts[i]) do stage[name] = value end
  if stage.stderr == nil then stage.stderr = opts.stderr end
  if i == 1 then
    if stage.stdin == nil then stage.stdin = opts.stdin end
  else
    stage.stdin = before.stdout
  end
  if i == n then
    if stage.stdout == nil then stage.stdout = opts.stdout end
  else
    stage.stdout = "pipe"
  end
  return stage
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
  local pl = setmetatable({ stages = {} }, Pipeline)
  local unwind <close> = setmetatable({ stages = pl.stages }, Unwind)
  for i = 1, #opts do
    local before = pl.stages[i - 1]
    local stage = stage_options(opts, i, #opts, before)
    local where = ("process.pipeline: stage %d"):format(i)
    pl.stages[i] = handles.start(options.check_spawn(where, stage))
    if before then
      before.stdout:close()
      before.stdout = nil
    end
  end
  pl.stdin = pl.stages[1].stdin
  pl.stdout = pl.stages[#opts].stdout
  pl.stderr = pl.stages[#opts].stderr
  return pl
end

return M
