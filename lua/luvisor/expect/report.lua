--- The errors of expect: what was waited for, and what came instead.
-- @local

local errors = require "luvisor.error"
local patterns = require "luvisor.expect.patterns"

local M = {}

local TAIL <const> = 4096 -- bytes

local function message(format, ...)
  return (format:format(...):gsub(" +", " "))
end

local function but_nothing(session)
  return session._channel.buffer:size() == 0 and "; nothing came" or ""
end

local function raise(session, wanted, fields)
  fields.op = "expect"
  fields.argv = session.process.argv
  fields.patterns = wanted.list
  fields.tail = session._channel.buffer:tail(TAIL)
  errors.raise(fields)
end

--- Not in time.
-- @raise Timeout with `patterns`, `tail`, `seconds`
function M.timeout(session, wanted, seconds)
  local texts = patterns.show(wanted)
  local did_not = texts and "say " .. texts or ""
  if wanted.eof then did_not = did_not .. (texts and ", or end" or "end") end
  raise(session, wanted, {
    kind = "Timeout", seconds = seconds,
    message = message("%q did not %s within %g s%s", session.name, did_not,
      seconds, but_nothing(session)),
  })
end

--- Not before the end.
-- @raise IncompleteRead with `patterns`, `tail`, `partial`, and `status` if it
-- is known by now
function M.eof(session, wanted)
  local texts, status = patterns.show(wanted), session.process.status
  raise(session, wanted, {
    kind = "IncompleteRead", status = status,
    partial = session._channel.buffer:head(math.maxinteger),
    message = message("%q %s before %s%s", session.name,
      status and tostring(status) or "ended",
      texts and "it said " .. texts or "the time was over",
      but_nothing(session)),
  })
end

return M
