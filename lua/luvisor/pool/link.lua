--- A worker as its pool sees it: a process, and a pipe in each direction.
-- @local

local core = require "luvisor.core.pool"
local errors = require "luvisor.error"
local process = require "luvisor.process"
local task = require "luvisor.task"
local values = require "luvisor.pool.values"

local M = {}

local Link = {}
Link.__index = Link
Link.__name = "luvisor.pool.link"

local GRACE <const> = 1 -- seconds for a worker that was told to die
local PATIENCE <const> = 5 -- … and for one that ends by itself

local receive = values.receive

local function received(self, ...)
  self.done = true
  return ...
end

--- Start a worker. Blocks until the exec, as every spawn, and no longer.
-- @tparam string hello the message that tells it what it is for
-- @treturn Link
-- @raise SpawnError
function M.start(hello)
  local p = process.spawn {
    "luvisor", "-e", 'require "luvisor.pool.worker"()',
    executable = core.executable(), name = "pool worker",
    fds = { [core.INPUT] = "pipe-in", [core.OUTPUT] = "pipe" },
    pdeathsig = core.SIGNAL, stop = { signal = core.SIGNAL, grace = GRACE },
  }
  local input, output = p.fds[core.INPUT], p.fds[core.OUTPUT]
  pcall(input.write, input, hello) -- if it has died, the first call hears it
  return setmetatable({
    process = p, input = input, output = output,
    calls = 0, -- made
    done = false, -- the last one: nothing is under way
    retiring = false, -- it was told to end, or may be
  }, Link)
end

-- What it said before it ended is the answer to what did not reach it: why its
-- module cannot be loaded.
local function last_words(self, err)
  if not errors.is_error(err) or err.kind ~= "BrokenPipe" then error(err, 0) end
  local heard = table.pack(pcall(receive, self.output))
  if not heard[1] then error(err, 0) end
  return received(self, table.unpack(heard, 2, heard.n))
end

--- Send a message and wait for the answer. If that fails, or is cancelled, the
-- worker is of no use any more.
-- @tparam string message
-- @return the values of the answer
-- @raise BrokenPipe: it has not got the message; IncompleteRead: it has not
-- answered; Closed: `cut` was called
function Link:ask(message)
  self.done = false
  self.calls = self.calls + 1
  local ok, err = pcall(self.input.write, self.input, message)
  if not ok then return last_words(self, err) end
  return received(self, receive(self.output))
end

--- Has it not ended, as far as the loop has seen?
function Link:is_alive()
  return self.process.status == nil
end

--- The error for a call during which it died. Waits until its end is known.
-- @tparam string what was called
-- @treturn Error
function Link:obituary(what)
  task.move_on(GRACE, self.process.wait, self.process)
  local status = self.process:stop()
  return errors.new {
    kind = "WorkerDied", status = status, subject = what,
    message = ("the worker (pid %d) died during %s: %s"):format(
      self.process.pid, what, tostring(status)),
  }
end

--- Let nobody wait for it any more: who does gets Closed.
function Link:cut()
  self.input:abort()
  self.output:close()
end

--- End it now, and reap it. Not ended by a cancellation.
function Link:kill()
  self:cut()
  self.process:stop()
end

local function await_end(self)
  self.input:close()
  task.move_on(PATIENCE, self.process.wait, self.process)
  self:kill()
end

--- Let it end by itself, with its own cleanup; kill it if that takes long. Not
-- ended by a cancellation.
function Link:retire()
  task.shield(await_end, self)
end

--- Let go of it without a wait: it ends when it hears that nobody is there.
function Link:abandon()
  self.input:close()
  self.process:detach()
end

return M
