--- Where a dialogue is written down.
-- @local

local errors = require "luvisor.error"

local M = {}

local directions = {
  output = { output = true },
  input = { input = true },
  both = { output = true, input = true },
}

local function to_file(file)
  return function(text)
    local ok, message = file:write(text)
    if ok then return end
    errors.raise {
      kind = "OSError", op = "log",
      message = ("log: the file cannot be written: %s"):format(message),
    }
  end
end

local function to_writer(writer)
  return function(text)
    writer:write(text)
  end
end

local function sink(target)
  if type(target) == "function" then return target end
  if io.type(target) == "file" then return to_file(target) end
  local is_object = type(target) == "userdata" or type(target) == "table"
  if is_object and not io.type(target) and target.write then
    return to_writer(target)
  end
  errors.usage("log: expected a Writer, an open Lua file or a function, got %s",
    io.type(target) or tostring(target))
end

--- Make a log of what Session:log takes.
-- @return nil, or a table: write(text, direction); output, input: are they
-- wanted?
function M.new(target, what)
  local wanted = directions[what == nil and "output" or what]
  if not wanted then
    errors.usage("log: what is logged is \"output\", \"input\" or \"both\", "
      .. "got %s", tostring(what))
  end
  if target == nil then return nil end
  return { write = sink(target), output = wanted.output, input = wanted.input }
end

return M
