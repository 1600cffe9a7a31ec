--- Running a loop: the caller waits until a Future is done or stop() is called.
-- The caller is a task of luvisor, so its scopes may be cancelled meanwhile.
-- The first INT or TERM, and whatever else ends the program, cancels the Future
-- once, as Python's Ctrl-C does: it can clean up, and waits in there work. The
-- second INT ends the program at once. Any other scope, a task.timeout for one,
-- cancels the whole nursery of the loop, at each wait.
-- @module luvisor.asyncio

local asyncio_errors = require "luvisor.asyncio.errors"
local core = require "luvisor.core.task"
local current = require "luvisor.asyncio.current"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"
local tasks = require "luvisor.asyncio.tasks"

local Loop = {}

-- What the caller waits for: it opens once.
local Gate = {}
Gate.__index = Gate

local function open(gate)
  if gate.is_open then return end
  gate.is_open = true
  core.wake(gate.native)
end

Gate._on_done = open

-- Closed when the loop runs no more.
function Gate:__close()
  local loop = self.loop
  loop._gate, loop._is_stopping = false, false
  current.leave(loop)
  if self.future then self.future:_remove_entry(self) end
end

local function enter(loop, where)
  if loop._is_closed then asyncio_errors.loop_closed(where) end
  if loop._gate or current.running_loop() then
    errors.usage("%s: a loop is running already", where)
  end
  local gate = setmetatable({
    loop = loop, native = core.current(), is_open = false,
  }, Gate)
  loop._gate = gate
  current.enter(loop)
  return gate
end

-- A task in the root nursery feels what ends the program.
local function is_program_ending()
  local ending = false
  core.spawn_root(function() ending = core.is_cancelled() end):join()
  return ending
end

local function wait_open(gate)
  while not gate.is_open do core.park "its loop" end
end

-- Runs in a shield.
local function pass_on(gate, loop)
  if is_program_ending() or loop._is_program then
    if gate.future then gate.future:cancel() else open(gate) end
  else
    loop._host:cancel()
    if not gate.future then open(gate) end
  end
  wait_open(gate)
end

-- The wait was interrupted: by the Task that the caller is, which passes it on
-- to the Future, or by a scope around the caller.
local function interrupted(gate, loop)
  if core.uncancel(gate.native) then
    gate.once = true
    if gate.future then gate.future:cancel() else open(gate) end
  end
  if core.is_cancelled() then scope.new "shield":run(pass_on, gate, loop) end
end

local function wait(gate, loop)
  if loop._is_stopping then
    core.checkpoint()
    open(gate)
  end
  while not gate.is_open do
    if not core.park "its loop" then interrupted(gate, loop) end
  end
end

-- The Future was cancelled because the caller was: so is the caller.
local function raise_own(gate)
  if core.is_cancelled() then core.raise_cancelled() end
  if not gate.once then return end
  core.cancel_once(gate.native)
  core.raise_cancelled()
end

--- Run it until an awaitable is done. Waits.
-- @param aw an awaitable
-- @return its values
-- @raise its error; UsageError: the loop runs already, or was stopped before
function Loop:run_until_complete(aw)
  local gate <close> = enter(self, "run_until_complete")
  local future = tasks.ensure(self, "run_until_complete", aw)
  if not future:done() then
    gate.future = future
    future:_add_entry(gate)
    wait(gate, self)
  end
  if not future:done() then
    errors.usage "run_until_complete: the loop was stopped before it was done"
  end
  if future:cancelled() then raise_own(gate) end
  return future:result()
end

--- Run it until `stop` is called. Waits.
-- @raise UsageError: it runs already
function Loop:run_forever()
  local gate <close> = enter(self, "run_forever")
  wait(gate, self)
  raise_own(gate)
end

--- Let `run_forever`, or `run_until_complete`, return. Called before, it lets
-- the next one return after one turn.
function Loop:stop()
  self._is_stopping = true
  if self._gate then open(self._gate) end
end

return { loop = Loop }
