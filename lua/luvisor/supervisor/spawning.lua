--- The start of the process of an instance: its turn among many, descriptors
-- for it, and its options, of what the configuration says and what each part
-- of the supervisor adds.
-- @module luvisor.supervisor.spawning

local core_os = require "luvisor.core.os"
local environment = require "luvisor.supervisor.environment"
local errors = require "luvisor.error"
local facts = require "luvisor.supervisor.facts"
local process = require "luvisor.process"
local process_options = require "luvisor.process.options"
local ready = require "luvisor.supervisor.ready"
local sockets = require "luvisor.supervisor.sockets"
local sync = require "luvisor.sync"
local task = require "luvisor.task"

local M = {}

local lay_over = environment.lay_over

local SPARE <const> = 16 -- descriptors: for luvisor's own looks, and clients
local NEEDED <const> = 6 -- by each start

local AT_ONCE <const> = 4 -- of them in one turn of the loop

local starts = 0 -- that are under way
local gate = sync.semaphore(AT_ONCE)
local turn, one_less = sync.lock(), sync.event()

local Claim = {}

function Claim.__close()
  starts = starts - 1
  one_less:set()
end

local function is_room()
  return core_os.fds_left() >= SPARE + NEEDED * (starts + 1)
end

local function refuse()
  errors.raise { kind = "OSError", code = "EMFILE", op = "spawn", message =
    ("spawn: too many open files (EMFILE): the last %d descriptors are for "
      .. "luvisor itself; its limit (ulimit -n) is too low"):format(SPARE) }
end

-- A start needs more than a process that runs, so there is room when others are
-- over: one waits for them, the rest for their turn.
local function wait_for_room()
  local _ <close> = turn:acquire()
  while not is_room() do
    if starts == 0 then refuse() end
    one_less:clear()
    one_less:wait()
  end
end

--- Wait until there are descriptors for a start; with the last ones luvisor
-- could neither be asked anything nor stop anybody.
-- @treturn Claim to be closed when it has a process
-- @raise OSError EMFILE
function M.claim()
  if turn:locked() or not is_room() then wait_for_room() end
  starts = starts + 1
  return setmetatable({}, Claim)
end

--- The options for the next start of an instance. Waits.
-- @tparam Instance inst
-- @treturn table for process.spawn
-- @raise OSError: env_file cannot be read, an address is in use; Failed: a fact
-- that there is not
function M.options(inst)
  local spec = inst.spec
  local options = environment.options(inst, spec.command)
  options.name, options.pty, options.stdin = inst.name, spec.pty, spec.stdin
  local io = inst.log:stdio() -- with a terminal, too: it must be possible
  if not spec.pty then lay_over(options, io) end
  lay_over(options, ready.prepare(inst))
  lay_over(options, sockets.prepare(inst))
  lay_over(options, inst.sup.descendants:prepare(inst))
  return options
end

-- May it say something else at the next start?
local function may_vary(spec)
  return spec.env_file or facts.are_in(spec.env) or facts.are_in(spec.command)
end

-- What the configuration says is checked at the first start with it, unless it
-- is something else each time.
local function checked(inst, options)
  local spec = inst.spec
  if inst.proven == spec then return options end
  local result = process_options.check_spawn("process.spawn", options)
  inst.proven = result == options and not may_vary(spec) and spec or nil
  return result
end

--- Start the process of an instance. Waits: we stand still for each start until
-- the exec, and hundreds of services that crash at once would make everybody
-- else wait for all their starts. So a few are made in a turn.
-- @tparam Instance inst
-- @treturn Process
-- @raise as `options`; SpawnError
function M.start(inst)
  local options = checked(inst, M.options(inst))
  local _ <close> = gate:acquire()
  task.checkpoint()
  return process._start(options)
end

return M
