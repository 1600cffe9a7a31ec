--- Dialogues with programs that were made for people: wait until they say
-- something, and answer. A program gets a terminal of its own, so that it
-- behaves as it does for people.
-- @module luvisor.expect
-- @usage
-- local expect = require "luvisor.expect"
-- local s <close> = expect.spawn { "sh", "-c",
--                                  "printf 'name? '; read n; echo hi $n" }
-- s:expect "name%? "
-- s:sendline "Ann"
-- print(select(3, s:expect "hi (%a+)")) --> Ann

local channels = require "luvisor.expect.channel"
local errors = require "luvisor.error"
local handles = require "luvisor.process.handle"
local options = require "luvisor.process.options"
local patterns = require "luvisor.expect.patterns"
local sessions = require "luvisor.expect.handle"

local M = {}

--- As a pattern: the end of all output.
M.EOF = patterns.EOF
--- As a pattern: the time is over.
M.TIMEOUT = patterns.TIMEOUT

local TIMEOUT <const> = 30 -- seconds
local MAX_BUFFER <const> = 16 * 1024 * 1024

local spec = options.extended {
  timeout = sessions.is_limit, searchwindow = "count", max_buffer = "count",
}

local function check(opts)
  local checked = options.check_spawn("expect.spawn", opts, spec)
  if opts.protocol then
    errors.usage("expect.spawn: a protocol would read what expect waits for")
  end
  local most = (opts.max_buffer or MAX_BUFFER) // 2
  if opts.searchwindow and opts.searchwindow > most then
    errors.usage("expect.spawn: searchwindow must be at most half of "
      .. "max_buffer, which is %d, got %d", 2 * most, opts.searchwindow)
  end
  return checked
end

-- Shells that talk to people ignore TERM.
local at_terminal = { stop = { signal = "HUP" } }
local at_pipes = { stdin = "pipe", stdout = "pipe", stderr = "stdout" }

local function with_defaults(opts)
  local all = {}
  for name, value in pairs(opts) do all[name] = value end
  if all.pty == nil then all.pty = true end
  for name, value in pairs(all.pty and at_terminal or at_pipes) do
    if all[name] == nil then all[name] = value end
  end
  if not all.pty and all.stdout ~= "pipe" then
    errors.usage("expect.spawn: without a terminal stdout must be \"pipe\": "
      .. "there would be nothing to read")
  end
  return all
end

--- Start a program and begin a dialogue with it.
-- Without `pty = false` it gets a terminal (of 24 rows and 80 columns, or as
-- `pty` says), which echoes what is sent. With it, what it says on stdout and
-- stderr comes by a pipe, and what is sent goes to stdin.
-- @tparam table opts all options of process.spawn but `protocol`, and: timeout:
-- seconds that expect waits (30; false: for ever); max_buffer: bytes that are
-- kept of what was said and not matched (16 MiB), the oldest go; searchwindow:
-- a match of so many bytes is found for certain, a longer one perhaps (half of
-- max_buffer). `stop` is { signal = "HUP" } where there is a terminal
-- @treturn Session
-- @raise SpawnError, UsageError
-- @usage
-- local s <close> = expect.spawn { "cat", timeout = 5, pty = { echo = false } }
-- s:sendline "hello"
-- s:expect { literal = "hello" }
function M.spawn(opts)
  opts = with_defaults(check(opts))
  local max = opts.max_buffer or MAX_BUFFER
  local p = handles.start(opts)
  p._waits_unread = false -- a session reads what comes
  return sessions.new {
    process = p,
    channel = channels.new(p, max),
    timeout = opts.timeout == nil and TIMEOUT or opts.timeout,
    window = opts.searchwindow,
    max_buffer = max,
    hangs_up = opts.stop == at_terminal.stop,
  }
end

return M
