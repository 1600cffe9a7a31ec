--- Feeding a process: what communicate and run write to its stdin.
-- A call that was ended early leaves the rest to the next one.
-- @local

local errors = require "luvisor.error"

local M = {}

local function iterate(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- A function that writes all of the input, and can be called again where it
-- was cancelled.
local function make_feeder(stdin, input)
  if type(input) ~= "function" and input.copy_to then
    return function() input:copy_to(stdin) end
  end
  local next_piece = type(input) == "table" and iterate(input) or input
  return function()
    for piece in next_piece do stdin:write(piece) end
  end
end

-- A reader that is gone is no error: it had enough.
local function feed(p)
  local ok, err = pcall(p._feeder)
  p._feeder = nil
  if not ok and not (errors.is_error(err) and err:is "BrokenPipe") then
    error(err, 0)
  end
  p.stdin:close()
end

local kinds = { string = true, table = true, ["function"] = true }

local function check(p, input)
  local kind = type(input)
  if not kinds[kind] and not (kind == "userdata" and input.copy_to) then
    errors.usage("communicate: input is a string, a list, an iterator function "
      .. "or a Reader, got %s", kind)
  end
  if not p.stdin then
    errors.usage("communicate: there is input, but stdin of %s is no pipe",
      p.name)
  end
  if p._fed then
    errors.usage("communicate: an earlier call has fed %s, there is no more "
      .. "input than one", p.name)
  end
  p._fed = true
  local ok, err = pcall(p.stdin.write, p.stdin, "")
  if not ok and not err:is "BrokenPipe" then error(err, 0) end
end

--- Raise why the input could not be written, if that was for another reason
-- than that nobody reads it: the process has seen an end that was none.
-- @raise OSError
function M.check_fed(p)
  if p._fed then p.stdin:_check_fed() end
end

--- Feed the process, as far as that needs no waiting.
-- @treturn ?function what feeds the rest and waits, for a task of its own
-- @raise UsageError, Closed
function M.start(p, input)
  local stdin = p.stdin
  if input ~= nil then
    check(p, input)
    if type(input) == "string" then
      stdin:_feed(input)
    else
      p._feeder = make_feeder(stdin, input)
    end
  elseif stdin and not p._feeder then
    stdin:close()
  end
  return p._feeder and function() feed(p) end
end

return M
