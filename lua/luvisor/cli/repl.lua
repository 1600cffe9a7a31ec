--- The interactive prompt: each line is run as a task, and may wait.
-- @local

local core_os = require "luvisor.core.os"
local core_task = require "luvisor.core.task"
local errors = require "luvisor.error"
local scope = require "luvisor.core.scope"
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

-- What the line itself did, not what we did to run it.
local function describe(err)
  if type(err) ~= "string" then return err end
  local traceback = debug.traceback(err, 3)
  return (traceback:gsub("\n[^\n]*in function 'xpcall'.*", ""))
end

-- At a terminal we prompt; a pipe gets only what the lines print.
local function read_line(prompt)
  if core_os.isatty(0) then
    io.write(prompt)
    io.flush()
  end
  return stream.stdin:readline()
end

local function complain(text)
  io.stdout:flush()
  io.stderr:write(text, "\n")
end

-- The next chunk; nil at the end of input.
local function read_chunk()
  while true do
    local text = read_line "> "
    if not text then return nil end
    local chunk, message = compile(text)
    while not chunk and is_unfinished(message) do
      local more = read_line ">> "
      if not more then break end
      text = text .. "\n" .. more
      chunk, message = compile(text)
    end
    if chunk then return chunk end
    complain(message)
  end
end

-- A line may leave a cancellation behind that is raised once, as a time limit
-- of asyncio does that nobody closes. It ends what is done then, and not more.
local function next_chunk()
  while true do
    local ok, chunk = core_task.catch(read_chunk)
    if ok then return chunk end
    local is_cancelled = errors.is_error(chunk) and chunk.kind == "Cancelled"
    if not is_cancelled then error(chunk, 0) end
    complain(tostring(chunk))
  end
end

local function evaluate(chunk)
  local result = table.pack(core_task.catch(xpcall, chunk, describe))
  if result[1] and result[2] then
    show(table.unpack(result, 3, result.n))
  else
    complain(tostring(result[result.n]))
  end
end

local function loop()
  for chunk in next_chunk do evaluate(chunk) end
end

--- Read and run lines until the end of input; then wait for the tasks that they
-- have spawned. One of these that fails is told of, and ends nothing.
function M.run()
  lv = require "luvisor" -- luacheck: ignore 111
  if core_os.isatty(0) then
    print(("luvisor %s: lv is require \"luvisor\"; end with ^D")
      :format(core_os.version))
  end
  scope.new "lenient":run(loop)
  if core_os.isatty(0) then print() end
end

return M
