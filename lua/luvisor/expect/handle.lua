--- A dialogue with a program, as `expect.spawn` returns it.
-- @module luvisor.expect
-- @type Session
-- @tfield Process process
-- @tfield integer pid
-- @tfield string name what it is called in messages
-- @tfield number|boolean timeout seconds that expect waits, false: for ever;
-- can be set
-- @tfield ?string before what came before the match; after EOF, TIMEOUT and
-- errors all that came
-- @tfield ?string|table after the match, or expect.EOF or expect.TIMEOUT
-- @tfield table captures of the match, a list
-- @tfield integer dropped bytes missing at the beginning of `before`, as the
-- buffer was full

local core_process = require "luvisor.core.process"
local errors = require "luvisor.error"
local interacts = require "luvisor.expect.interact"
local logs = require "luvisor.expect.log"
local patterns = require "luvisor.expect.patterns"
local reports = require "luvisor.expect.report"
local sending = require "luvisor.expect.sending"
local task = require "luvisor.task"

local M = {}

local Session = { __name = "luvisor.Session" }

-- The text before a match that did not come is made when it is asked for:
-- who looks often must not pay for all of it each time.
local fields = {
  before = function(s)
    local n = s._seen and s._seen - s._channel.buffer:dropped()
    return n and s._channel.buffer:head(n)
  end,
  dropped = function(s)
    return s._seen and s._channel.buffer:dropped() or 0
  end,
}

function Session.__index(s, key)
  local method = Session[key]
  if method ~= nil then return method end
  local field = fields[key]
  return field and field(s)
end

function Session.__tostring(s)
  return ("session with %s"):format(s.process)
end

--- Is it a time limit: seconds, or false for none?
-- @local
function M.is_limit(value)
  return value == false or type(value) == "number" and value >= 0,
    "a number of seconds, 0 or more, or false"
end

-- While a task waits here, others must not.
local Claim = { __name = "luvisor.expect.claim" }

function Claim.__close(claim)
  claim.session._busy = nil
  claim.session._channel:end_search()
end

function Session:_check(where)
  if not self._closed then return end
  errors.raise {
    kind = "Closed", op = where,
    message = ("%s: the session with %q is closed"):format(where, self.name),
  }
end

function Session:_claim(where)
  if self._busy then
    errors.raise {
      kind = "Busy", op = where,
      message = ("%s: another task is in %s of this session"):format(where,
        self._busy),
    }
  end
  self._busy = where
  self._channel:begin_search()
  return setmetatable({ session = self }, Claim)
end

local function look(session, wanted)
  local found = table.pack(wanted.search:look(session._channel.buffer))
  return found[1] and found
end

-- What was found; false at the end.
local function wait_for(session, wanted)
  local channel = session._channel
  while true do
    local found = look(session, wanted)
    if found then return found end
    channel.buffer:trim()
    if channel.eof then return false end
    channel:receive()
    if session._closed then session:_check "expect" end
  end
end

local function look_twice(session, wanted)
  local channel = session._channel
  local found = look(session, wanted)
  if not found and not channel.eof then
    channel:poll()
    found = look(session, wanted)
    channel.buffer:trim()
  end
  if found then return found end
  if channel.eof then return false end
  return nil
end

-- What was found; false at the end; nil when the time is over.
local function wait_until(session, wanted, timeout)
  if not timeout or timeout == math.huge then
    return wait_for(session, wanted)
  end
  if timeout == 0 then return look_twice(session, wanted) end
  local in_time, found = task.move_on(timeout, wait_for, session, wanted)
  if not in_time then return nil end
  return found
end

local function accept(session, wanted, found)
  local buffer = session._channel.buffer
  local from, to = found[2], found[3]
  session._seen = nil
  session.dropped = buffer:dropped()
  session.before = buffer:take(from - 1)
  session.after = buffer:take(to - from + 1)
  session.captures = table.move(found, 4, found.n, 1, {})
  return wanted.index[found[1]], session.after, table.unpack(found, 4, found.n)
end

-- Nothing is taken.
local function refuse(session, what)
  local buffer = session._channel.buffer
  session._seen = buffer:dropped() + buffer:size()
  session.before, session.dropped = nil, nil
  session.after, session.captures = what, {}
end

-- The end, waited for: all that came belongs to it.
local function accept_end(session, index)
  local buffer = session._channel.buffer
  session._seen = nil
  session.dropped = buffer:dropped()
  session.before = buffer:take(buffer:size())
  session.after, session.captures = patterns.EOF, {}
  return index, patterns.EOF
end

--- Wait until the program says something.
-- The match that begins first in what was said and not yet matched is taken,
-- with all before it; of those that begin together, the pattern that stands
-- first. A match is tried on what has come so far: "%d+" may match a part of a
-- number whose rest is still to come, "$" is the end of what has come, "^" is
-- where the last match ended. Each byte is looked at once for each pattern,
-- however it came. One task at a time.
-- @function Session:expect
-- @param pattern a Lua pattern, `{ literal = "text" }`, expect.EOF,
-- expect.TIMEOUT, or a list of these
-- @tparam[opt] table opts timeout: seconds (that of the session); 0 is what has
-- come by now; false is for ever
-- @treturn integer the place of the pattern in the list
-- @return what matched (expect.EOF and expect.TIMEOUT for themselves), and the
-- captures of the pattern
-- @raise Timeout, IncompleteRead (the end came): unless waited for. `patterns`
-- and `tail` say what was waited for and what came last. Nothing is taken, a
-- later expect goes on. Busy, Closed, UsageError
-- @usage
-- local s <close> = expect.spawn { shell = "echo one two; sleep 60" }
-- local i, match, n = s:expect { "error", "one (%a+)", expect.EOF }
-- print(i, match, n) --> 2	one two	two
function Session:expect(pattern, opts)
  self:_check "expect"
  opts = errors.check_options("expect", opts, { timeout = M.is_limit })
  local wanted = patterns.compile(pattern, self, self._wanted)
  local timeout = opts.timeout
  if timeout == nil then timeout = self.timeout end
  local _ <close> = self:_claim "expect"
  self._wanted = wanted
  local found = wait_until(self, wanted, timeout)
  if found then return accept(self, wanted, found) end
  if found == false and wanted.eof then return accept_end(self, wanted.eof) end
  local what = found == nil and patterns.TIMEOUT or patterns.EOF
  refuse(self, what)
  if found == nil and wanted.timeout then return wanted.timeout, what end
  if found == nil then reports.timeout(self, wanted, timeout) end
  reports.eof(self, wanted)
end

--- Does the program run, as far as is known?
-- @function Session:isalive
-- @treturn boolean
function Session:isalive()
  return self.process.status == nil
end

--- Wait for the program to end. What it says meanwhile is read, so that it can
-- end, and can be expected afterwards.
-- @function Session:wait
-- @tparam[opt] number timeout seconds
-- @treturn Status
-- @raise Timeout: it goes on
function Session:wait(timeout)
  local p, channel = self.process, self._channel
  if p.status or self._closed then return p:wait(timeout) end
  local status
  task.nursery(function(n)
    n:spawn(channel.drain, channel)
    status = p:wait(timeout)
    n:cancel()
  end)
  return status
end

--- Change the size of the terminal; the program is told by WINCH.
-- @function Session:resize
-- @tparam integer rows
-- @tparam integer cols
-- @raise UsageError: there is no terminal
function Session:resize(rows, cols)
  self:_check "resize"
  for _, n in ipairs { rows or false, cols or false } do
    if math.type(n) ~= "integer" or n < 1 or n > 65535 then
      errors.usage("resize: rows and columns are integers from 1 to 65535, "
        .. "got %s", tostring(n))
    end
  end
  if not self._channel.terminal then
    errors.usage("resize: %q has no terminal", self.name)
  end
  core_process._resize(self._channel.writer, rows, cols)
end

--- Write down what is said.
-- @function Session:log
-- @param target a Writer, a Lua file, a function that is called with the text
-- and "output" or "input"; nil: no more
-- @tparam[opt="output"] string what "output": what the program says; "input":
-- what is sent, but for what sendline sends with noecho; "both"
-- @raise UsageError
function Session:log(target, what)
  self._channel.log = logs.new(target, what)
end

-- What was sent and not taken is dropped with its program.
local function stop_and_close(session)
  local p, channel = session.process, session._channel
  local _ <close> = setmetatable({}, { __close = function()
    if not p._detached then channel:abort() end
    p:close()
  end })
  if p._detached then return end
  if session._hangs_up then channel:abort() end
  p:stop()
end

--- Stop the program if it runs, and close its streams. Unless spawn was told
-- how to stop it, a program at a terminal is stopped by hanging that up. Twice
-- is harmless.
-- @function Session:close
function Session:close()
  if self._closed then return end
  self._closed = true
  stop_and_close(self)
end

Session.__close = Session.close

for name, method in pairs(sending) do Session[name] = method end
for name, method in pairs(interacts) do Session[name] = method end

--- Make one.
-- @local
function M.new(parts)
  local p = parts.process
  return setmetatable({
    process = p, pid = p.pid, name = p.name, timeout = parts.timeout,
    window = parts.window, max_buffer = parts.max_buffer, captures = {},
    _channel = parts.channel, _hangs_up = parts.hangs_up,
  }, Session)
end

M.Session = Session

return M
