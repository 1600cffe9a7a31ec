--- The two directions of a dialogue, and what has come and is not matched yet.
-- Any number of tasks may wait for more: one of them reads, and all are told.
-- What is read is in the buffer at once, so that no cancellation loses it.
-- @local

local core = require "luvisor.core.expect"
local errors = require "luvisor.error"
local task = require "luvisor.task"
local waiters = require "luvisor.waiters"

local M = {}

local CHUNK <const> = 256 * 1024
-- So much is written without a thought of what comes meanwhile.
local SMALL <const> = 8 * 1024

local Channel = {}
Channel.__index = Channel
Channel.__name = "luvisor.expect.channel"

--- The channel of a process.
-- @tparam Process p
-- @tparam integer max of the buffer
function M.new(p, max)
  local tty = p.tty
  return setmetatable({
    name = p.name,
    terminal = tty, -- nil: it is pipes
    reader = tty and tty._reader or p.stdout,
    writer = tty and tty._writer or p.stdin,
    buffer = core.buffer(max),
    eof = false,
    searching = false, -- somebody looks before the buffer is trimmed
    _news = waiters.new "a program to say something",
  }, Channel)
end

local Reading = { __name = "luvisor.expect.reading" }

function Reading.__close(reading)
  local channel = reading.channel
  channel._reading = nil
  channel._news:wake_all()
end

local function note(channel, text, direction)
  local log = channel.log
  if log and log[direction] then log.write(text, direction) end
end

--- Wait until something has come, or the end has, or another task that read was
-- interrupted: the caller looks again.
function Channel:receive()
  if self.eof then return end
  if self._reading then
    self._news:wait()
    return
  end
  local reading <close> = setmetatable({ channel = self }, Reading)
  self._reading = reading
  local ok, chunk = pcall(self.reader.read, self.reader, CHUNK)
  if not ok and not self.eof then error(chunk, 0) end
  if not ok or not chunk then -- closed meanwhile, by abort; or the end
    self.eof = true
    return
  end
  self.buffer:append(chunk)
  if not self.searching then self.buffer:trim() end
  note(self, chunk, "output")
end

--- Take what is there now, if anything: one look at the kernel.
function Channel:poll()
  task.nursery(function(n)
    n:spawn(self.receive, self)
    task.checkpoint() -- it asks the kernel
    task.checkpoint() -- and hears of it
    n:cancel()
  end)
end

--- Read to the end; but somebody who searches reads as much as he wants.
function Channel:drain()
  while not self.eof do
    if self.searching then
      self._news:wait()
    else
      self:receive()
    end
  end
end

--- From now on the buffer is trimmed by who searches, …
function Channel:begin_search()
  self.searching = true
end

--- … until he has done.
function Channel:end_search()
  self.searching = false
  self._news:wake_all()
end

function Channel:_raise_gone()
  errors.raise {
    kind = "BrokenPipe", op = "send",
    message = ("send: nobody is at the terminal of %q any more"):format(
      self.name),
  }
end

-- What comes is read meanwhile: a program that must speak before it listens
-- would wait for us, and we for it. Who ends at a terminal takes no more.
local function write_and_read(channel, text)
  local written = false
  task.nursery(function(n)
    n:spawn(function()
      channel:drain()
      if channel.terminal then n:cancel() end
    end)
    channel.writer:write(text)
    written = true
    n:cancel()
  end)
  if not written then channel:_raise_gone() end
end

--- Send a text; waits as a Writer's write does.
-- @tparam string text
-- @tparam boolean secret it is not logged
-- @raise BrokenPipe, Closed
function Channel:send(text, secret)
  if not self.writer then
    errors.usage("send: the stdin of %q is not a pipe to us", self.name)
  end
  if self.terminal and self.eof then self:_raise_gone() end
  if not secret then note(self, text, "input") end
  if self.writer:pending() + #text <= SMALL then
    self.writer:write(text)
  else
    write_and_read(self, text)
  end
end

--- For the end of the session: what was sent and not taken is dropped.
function Channel:abort()
  self.eof = true
  if self.writer then self.writer:abort() end
  self.reader:close()
  self._news:wake_all()
end

return M
