--- The interactive prompt: each line is run as a task, and may wait.
-- @local

local core_os = require "luvisor.core.os"
local stream = require "luvisor.stream"

local M = {}

local function show(...)
  if select("#", ...) == 0 then return end
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  print(table.concat(parts, "\t"))
end

local function compile(text)
  local chunk = load("return " .. text, "=stdin")
  if chunk then return chunk end
  return load(text, "=stdin")
end

-- An unfinished statement fails at its end: then more lines belong to it.
local function is_unfinished(message)
  return message and message:find "<eof>$" ~= nil
end

local function describe(err)
  if type(err) == "string" then return debug.traceback(err, 2) end
  return err
end

-- At a terminal we prompt; a pipe gets only what the lines print.
local function read_line(prompt)
  if core_os.isatty(0) then
    io.write(prompt)
    io.flush()
  end
  return stream.stdin:readline()
end

local function read_chunk()
  local text = read_line "> "
  if not text then return nil end
  local chunk, message = compile(text)
  while not chunk and is_unfinished(message) do
    local more = read_line ">> "
    if not more then break end
    text = text .. "\n" .. more
    chunk, message = compile(text)
  end
  return chunk or function() error(message, 0) end
end

local function evaluate(chunk)
  local result = table.pack(xpcall(chunk, describe))
  if result[1] then
    show(table.unpack(result, 2, result.n))
  else
    io.stdout:flush()
    io.stderr:write(tostring(result[2]), "\n")
  end
end

--- Read and run lines until the end of input.
function M.run()
  lv = require "luvisor" -- luacheck: ignore 111
  if core_os.isatty(0) then
    print(("luvisor %s: lv is require \"luvisor\"; end with ^D")
      :format(core_os.version))
  end
  for chunk in read_chunk do evaluate(chunk) end
  if core_os.isatty(0) then print() end
end

return M
