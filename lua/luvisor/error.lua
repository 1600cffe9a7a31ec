--- Error objects: what every function of luvisor raises.
-- An error object is a table that says what failed in fields (`kind`, `code`,
-- `op`, `subject`, …) and in one line that a person understands (`message`,
-- `tostring(err)`). The metatable is the whole class: C makes the same
-- objects, with the metatable that this module hands to it at the end.
--
-- Fields, where they apply: `kind` (see `M.kinds`), `message`, `code` (errno
-- name, "ENOENT"), `op`, `subject`, `argv`, `status`, `stdout`, `stderr`,
-- `partial`, `expected`, `consumed`, `patterns`, `tail`, `cause`, `errors`,
-- `traceback`.
-- @module luvisor.error

local options = require "luvisor.options"

local M = {}

local Error = {}
Error.__index = Error
Error.__name = "luvisor.error"

local TAIL_LINES <const> = 5 -- of stderr, shown under the message
local TAIL_WIDTH <const> = 300 -- bytes shown of each of them
local TAIL_BYTES <const> = 4096 -- how far back we look for them

--- The kinds that luvisor raises; a script's own errors may have others.
M.kinds = {
  "SpawnError", "ExitError", "Timeout", "Cancelled", "BrokenPipe",
  "IncompleteRead", "LimitOverrun", "NoProcess", "Closed", "Busy",
  "WorkerDied", "Deadlock", "OSError", "ConfigError", "UsageError",
  "ErrorGroup", "Failed", "WorkerError",
  -- asyncio's
  "InvalidState", "QueueEmpty", "QueueFull", "BrokenBarrier",
}

-- Colours go, every other control character is shown as an escape, so that
-- what a child wrote cannot move the cursor of whoever reads the message.
local function printable(line)
  line = line:gsub("\27%[[%d;]*m", ""):gsub("[%c\127]", function(c)
    return c ~= "\t" and ("\\x%02x"):format(c:byte()) or nil
  end)
  if #line > TAIL_WIDTH then line = line:sub(1, TAIL_WIDTH) .. "…" end
  return line
end

local function add_tail(lines, text)
  local tail = {}
  for line in text:sub(-TAIL_BYTES):gmatch("[^\r\n]+") do
    tail[#tail + 1] = line
  end
  for i = math.max(1, #tail - TAIL_LINES + 1), #tail do
    lines[#lines + 1] = "  | " .. printable(tail[i])
  end
end

-- Adds a text of one or more lines, the later ones indented below the first.
local function add_indented(lines, label, text)
  lines[#lines + 1] = "  " .. label .. ": " .. text:gsub("\n", "\n  ")
end

local function headline(err)
  if err.message then return tostring(err.message) end
  local where = err.op or err.kind or "error"
  if err.subject then where = ("%s %q"):format(where, err.subject) end
  return err.code and where .. ": " .. err.code or tostring(where)
end

local function first_line(err)
  return (M.is_error(err) and headline(err) or tostring(err)):match("[^\n]*")
end

function Error:__tostring()
  local lines = { headline(self) }
  local said = self.stderr or self.tail
  if type(said) == "string" then add_tail(lines, said) end
  if self.cause ~= nil then
    add_indented(lines, "caused by", tostring(self.cause))
  end
  local inner = self.kind == "ErrorGroup" and self.errors or {}
  for i, err in ipairs(inner) do
    add_indented(lines, tostring(i), tostring(err))
  end
  return table.concat(lines, "\n")
end

-- Lets a script write "failed: " .. err.
function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- Is the error of this kind, or does it have this errno name?
-- A group is an ErrorGroup only; what it holds stands in `err.errors`.
-- @tparam string code_or_kind "ENOENT", "Timeout"
-- @treturn boolean
-- @usage
--   local errors = require "luvisor.error"
--   local err = errors.new { kind = "SpawnError", code = "ENOENT" }
--   assert(err:is("ENOENT") and err:is("SpawnError"))
function Error:is(code_or_kind)
  return code_or_kind ~= nil
    and (self.kind == code_or_kind or self.code == code_or_kind)
end

--- Make an error object of a table of fields. The table becomes the object.
-- Without a `message`, `tostring` makes one of op, subject and code.
-- @tparam table fields kind (a string), message and any other
-- @treturn Error
-- @raise UsageError: no kind
-- @usage
--   local errors = require "luvisor.error"
--   local err = errors.new { kind = "Closed", message = "queue is closed" }
--   assert(tostring(err) == "queue is closed")
function M.new(fields)
  if type(fields) ~= "table" or type(fields.kind) ~= "string" then
    M.usage("error.new: kind must be a string")
  end
  return setmetatable(fields, Error)
end

--- Raise an error object made of these fields.
-- @tparam table fields as for `new`
-- @raise what it says
function M.raise(fields)
  error(M.new(fields), 0)
end

--- Raise a UsageError: the caller passed what cannot be.
-- @tparam string format as for string.format: `function: what is wrong`
-- @param ... its values
-- @raise UsageError
-- @usage
--   local errors = require "luvisor.error"
--   local ok, err = pcall(errors.usage, "queue: max must be > 0, got %d", -1)
--   assert(not ok and err:is("UsageError"))
function M.usage(format, ...)
  local message = format:format(...):gsub("\\\n", "\\n") -- as %q writes it
  error(setmetatable({ kind = "UsageError", message = message }, Error), 0)
end

--- Is this value an error object?
-- @param value anything
-- @treturn boolean
function M.is_error(value)
  return getmetatable(value) == Error
end

--- An ExitError: a program ended otherwise than it should have.
-- Only the program is named in the message, for arguments may be secret; all
-- of them are in `err.argv`.
-- @tparam table fields argv (or name), status (a Status, or any value that
-- tostring makes "exited 7" of), stdout, stderr
-- @treturn Error
-- @usage
--   local errors = require "luvisor.error"
--   local err = errors.exit { argv = { "false" }, status = "exited 1" }
--   assert(tostring(err) == '"false" exited 1')
function M.exit(fields)
  local name = fields.name or fields.argv and fields.argv[1] or "child"
  fields.kind = "ExitError"
  fields.message = ('"%s" %s'):format(name, tostring(fields.status))
  return setmetatable(fields, Error)
end

--- One error for many: none is nil, one is itself, more are an ErrorGroup.
-- @tparam table list the errors, in order; the group keeps this table
-- @return nil, the only error, or an ErrorGroup with `errors`
-- @usage
--   local errors = require "luvisor.error"
--   local one = errors.new { kind = "Closed", message = "closed" }
--   assert(errors.group({ one }) == one)
--   assert(errors.group({ one, one }):is("ErrorGroup"))
function M.group(list)
  if #list < 2 then return list[1] end
  return setmetatable({
    kind = "ErrorGroup",
    message = ("%d errors, the first: %s"):format(#list, first_line(list[1])),
    errors = list,
  }, Error)
end

--- Check a table of options against what a function takes.
-- @tparam string where the function, as it stands in messages
-- @tparam ?table opts what the caller gave; nil is no options
-- @tparam table spec option name → type; see luvisor.options
-- @treturn table opts, or an empty table
-- @raise UsageError that names the option, and the one that was meant
-- @usage
--   local errors = require "luvisor.error"
--   local ok, err = pcall(errors.check_options, "run", { timout = 5 },
--                         { timeout = "seconds" })
--   assert(tostring(err) ==
--     'run: unknown option "timout"; did you mean "timeout"?')
function M.check_options(where, opts, spec)
  local wrong = options.check(opts, spec)
  if wrong then M.usage("%s: %s", where, wrong) end
  return opts or {}
end

--- The word of a list that a misspelt one was probably meant to be.
-- @tparam string word
-- @tparam table list words that exist
-- @treturn ?string one of the list, or nil
M.nearest = options.nearest

local found, core = pcall(require, "luvisor.core.error")
if found then core.set_metatable(Error) end

return M
