--- Saying something to the program: the methods of Session for that.
-- @module luvisor.expect
-- @type Session

local errors = require "luvisor.error"
local task = require "luvisor.task"
local terminal = require "luvisor.core.terminal"
local time = require "luvisor.core.time"

local M = {}

local FIRST_PAUSE <const>, LONGEST_PAUSE <const> = 0.001, 0.05 -- seconds

local function check_text(where, text)
  if type(text) == "string" then return text end
  if type(text) == "number" then return tostring(text) end
  errors.usage("%s: expected a string, got %s", where, tostring(text))
end

--- Send a text as it is. It comes back as output if the terminal echoes. Waits
-- while more than 64 KiB are not taken; what the program says meanwhile is read
-- and kept.
-- @function Session:send
-- @tparam string text
-- @raise BrokenPipe: the program has gone; Closed, UsageError
function M:send(text)
  self:_check "send"
  self._channel:send(check_text("send", text))
end

local function check_terminal(session, where, instead)
  if session._channel.terminal then return end
  errors.usage("%s: %q has no terminal; %s", where, session.name, instead)
end

local function raise_echo(session, timeout)
  errors.raise {
    kind = "Timeout", op = "sendline", seconds = timeout,
    message = ("sendline: the terminal of %q still shows what is typed after "
      .. "%g s; nothing was sent"):format(session.name, timeout),
  }
end

-- Nobody tells when a program changes its terminal: we look again, also when
-- it has said something.
local function await_noecho(session, timeout)
  local channel = session._channel
  local deadline = time.now() + (timeout or math.huge)
  local pause = FIRST_PAUSE
  while terminal.echoes(channel.writer:fileno()) do
    if channel.eof then channel:_raise_gone() end
    local left = deadline - time.now()
    if left <= 0 then raise_echo(session, timeout) end
    task.move_on(math.min(pause, left), channel.receive, channel)
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
end

local sendline_options = {
  noecho = "boolean",
  timeout = function(value)
    return value == false or type(value) == "number" and value >= 0,
      "a number of seconds, 0 or more, or false"
  end,
}

--- Send a line: a text and the end of a line.
-- @function Session:sendline
-- @tparam[opt] string text
-- @tparam[opt] table opts noecho: wait until the terminal does not show what is
-- typed, as at a prompt for a password, so that the text is neither seen nor
-- lost by a program that is not yet ready for it; timeout: for that, seconds
-- (that of the session)
-- @raise Timeout: it still echoes, and nothing was sent; BrokenPipe, Closed,
-- UsageError
-- @usage
-- local s <close> = expect.spawn { shell = "stty -echo; printf 'key: '; "
--                                          .. "read k; echo ${#k} letters" }
-- s:expect "key: "
-- s:sendline("secret", { noecho = true })
-- s:expect "6 letters"
function M:sendline(text, opts)
  self:_check "sendline"
  text = check_text("sendline", text == nil and "" or text)
  opts = errors.check_options("sendline", opts, sendline_options)
  if opts.noecho then
    check_terminal(self, "sendline", "noecho is for terminals")
    local timeout = opts.timeout
    if timeout == nil then timeout = self.timeout end
    await_noecho(self, timeout)
  end
  self._channel:send(text .. "\n", opts.noecho)
end

-- The byte that a key makes together with Ctrl.
local function control_byte(key)
  local is_key = type(key) == "string" and key:find "^[%a@%[\\%]^_?]$"
  if not is_key then
    errors.usage("sendcontrol: a key is a letter or one of @ [ \\ ] ^ _ ?, "
      .. "got %s", type(key) == "string" and ("%q"):format(key)
      or tostring(key))
  end
  return key == "?" and "\127" or string.char(key:upper():byte() & 0x1f)
end

--- Send what a key sends that is pressed together with Ctrl: "c" interrupts.
-- @function Session:sendcontrol
-- @tparam string key a letter, or one of @ [ \ ] ^ _ ?
-- @raise UsageError: no such key, no terminal; BrokenPipe, Closed
function M:sendcontrol(key)
  self:_check "sendcontrol"
  local byte = control_byte(key)
  check_terminal(self, "sendcontrol",
    "s.process:send_signal \"INT\" interrupts it")
  self._channel:send(byte)
end

--- End the program's input. At a terminal this is a character, which a program
-- takes for the end at the beginning of a line only; a pipe is closed.
-- @function Session:sendeof
-- @raise BrokenPipe, Closed
function M:sendeof()
  self:_check "sendeof"
  local channel = self._channel
  if not channel.terminal then
    if channel.writer then channel.writer:close() end
    return
  end
  local char = terminal.eof_char(channel.writer:fileno())
  channel:send(char ~= "" and char or "\4")
end

return M
