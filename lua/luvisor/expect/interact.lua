--- Handing a dialogue over to the user.
-- @module luvisor.expect
-- @type Session

local core_os = require "luvisor.core.os"
local core_process = require "luvisor.core.process"
local errors = require "luvisor.error"
local signal = require "luvisor.signal"
local stream = require "luvisor.stream"
local task = require "luvisor.task"
local terminal = require "luvisor.core.terminal"

local M = {}

local ESCAPE <const> = "\29" -- Ctrl-]
local STDIN <const> = 0
local CHUNK <const> = 4096

-- A script that has not used stream.stdin may give our stdin to a child
-- afterwards: a stream of our own stops reading when we have done.
local Input = { __name = "luvisor.expect.input" }
Input.__index = Input

function Input.__close(input)
  if not input.own then return end
  local left = input.own:_take()
  input.own:close()
  if left ~= "" then stream.stdin:unread(left) end
end

local function open_input()
  if rawget(stream, "stdin") then
    return setmetatable({ reader = stream.stdin }, Input)
  end
  local own = stream.open(STDIN)
  return setmetatable({ reader = own, own = own }, Input)
end

local function show_output(session)
  local channel = session._channel
  while true do
    local text = channel.buffer:take(channel.buffer:size())
    if text ~= "" then stream.stdout:write(text) end
    if channel.eof then return end
    channel:receive()
  end
end

-- What is typed to a program that does not listen any more is dropped; what it
-- says may still come, and so may the escape character.
local function send(session, text)
  local ok, err = pcall(session._channel.send, session._channel, text)
  local gone = not ok and errors.is_error(err)
    and (err:is "BrokenPipe" or session._closed)
  if not ok and not gone then error(err, 0) end
end

-- Returns why it ended.
local function hand_on_input(session, reader, escape)
  for text in reader:chunks(CHUNK) do
    local at = escape and text:find(escape, 1, true)
    local mine = at and text:sub(1, at - 1) or text
    if mine ~= "" then send(session, mine) end
    if at then
      reader:unread(text:sub(at + 1))
      return "escape"
    end
  end
  return "end"
end

local function copy_size(session)
  local rows, cols = terminal.size(STDIN)
  if not rows or rows == 0 or cols == 0 or session._closed then return end
  core_process._resize(session._channel.writer, rows, cols)
end

-- After a stop a shell may have set the modes that it likes.
local function follow_size(session, signals)
  copy_size(session)
  for name in signals do
    if name == "CONT" then terminal.raw_again() end
    copy_size(session)
  end
end

local function connect(session, reader, escape, signals)
  local why
  task.nursery(function(n)
    local function finish(reason)
      why = why or reason
      n:cancel()
    end
    n:spawn(function()
      show_output(session)
      finish "closed"
    end)
    if signals then n:spawn(follow_size, session, signals) end
    finish(hand_on_input(session, reader, escape))
  end)
  return why
end

local function is_escape(value)
  return value == false or type(value) == "string" and #value == 1,
    "one character, or false for none"
end

--- Connect our own stdin and stdout with the program until the user types the
-- escape character. What came and was not matched is shown first. Our terminal,
-- if that is one, is raw meanwhile, and the program's has its size; it is as it
-- was afterwards, whatever happens.
-- @function Session:interact
-- @tparam[opt] table opts escape: a character ("\29", which is Ctrl-]; false:
-- there is none)
-- @treturn string why it ended: "escape", "closed" (the program's output has
-- ended), "end" (our input has)
-- @raise Busy, Closed, UsageError
function M:interact(opts)
  self:_check "interact"
  opts = errors.check_options("interact", opts, { escape = is_escape })
  local escape = opts.escape
  if escape == nil then escape = ESCAPE end
  local _ <close> = self:_claim "interact"
  local input <close> = open_input()
  local terminals = self._channel.terminal and core_os.isatty(STDIN)
  local signals <close> = terminals and signal.listen { "WINCH", "CONT" } or nil
  local _ <close> = terminals and terminal.raw(STDIN) or nil
  return connect(self, input.reader, escape, signals)
end

return M
