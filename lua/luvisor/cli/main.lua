--- The command line of luvisor: what to run.
-- Returns the function that is the script.
-- @local

local errors = require "luvisor.error"
local task = require "luvisor.core.task"

local HELP <const> = [[
Usage: luvisor SCRIPT [ARGS…]   run a Lua script (a word with a slash, or .lua)
       luvisor -e CODE [ARGS…]  run a piece of Lua
       luvisor -i               read, evaluate, print; lines may wait
       luvisor -                run what comes on standard input
       luvisor COMMAND …        a command, see below
       luvisor -h               print this

In a script: local lv = require "luvisor" and lv.process, lv.task, lv.stream,
lv.sync, lv.signal, lv.time. The exit code is the script's: os.exit(n), 1 after
an error, 130, 143 and 129 after INT, TERM and HUP, 2 for a wrong command line.
]]

local function wrong(message, command)
  io.stderr:write("luvisor: ", message, "\nTry 'luvisor ",
    command and command .. " " or "", "-h'.\n")
  os.exit(2)
end

local function fail(message)
  io.stderr:write("luvisor: ", message, "\n")
  os.exit(1)
end

-- arg[0] is the script, arg[1] its first argument, as in lua(1).
local function shift_arg(n)
  local old, new = arg, {}
  for i = 0, #old do new[i - n] = old[i] end
  _G.arg = new
end

-- All calls down to the script's are tail calls: so we are in no traceback.
local function run_chunk(name, chunk, message)
  if not chunk then fail(message) end
  task.current().name = name
  return chunk(table.unpack(arg))
end

local function run_script(path)
  shift_arg(1)
  return run_chunk(path, loadfile(path ~= "-" and path or nil))
end

local function run_command(name, words)
  task.current().name = "luvisor " .. name
  return require "luvisor.cli.run"(name, words, wrong)
end

local function help(name)
  if not name then
    local overview = require "luvisor.cli.overview"
    require "luvisor.cli.output".write(HELP, "\n", overview())
  elseif not require "luvisor.cli.commands".exists(name) then
    return false
  else
    return run_command(name, { "--help" })
  end
  return true
end

local words = {}

words["-e"] = function(code)
  if not code then wrong "-e needs a piece of Lua" end
  shift_arg(2)
  return run_chunk("(command line)", load(code, "=(command line)"))
end

words["-i"] = function()
  require("luvisor.cli.repl").run()
end

words["-h"] = function() help() end
words["--help"] = words["-h"]
words["--version"] = function() return run_command("version", {}) end
words["-v"] = words["--version"]

local function is_script(word)
  if word:find "^%-" then return word == "-" end
  return word:find("/", 1, true) or word:find "%.lua$"
end

local function unknown(word)
  local known = { "-e", "-i", "-h", "--help", "--version", "help" }
  local names = require "luvisor.cli.commands".names
  local near = not word:find "^%-.?$" and errors.nearest(word,
    table.move(names, 1, #names, #known + 1, known))
  local kind = word:find "^%-" and "option" or "command"
  local hint = near and (" Did you mean '%s'?"):format(near) or ""
  local file = io.open(word)
  if file then
    file:close()
    hint = (" To run the file, say './%s'."):format(word)
  end
  wrong(("there is no %s '%s'.%s"):format(kind, word, hint))
end

words.help = function(name)
  if not help(name) then unknown(name) end
end

local takes_value = { ["-c"] = true, ["--config"] = true, ["--socket"] = true }

-- "luvisor -c FILE status" is "luvisor status -c FILE".
local function split(list)
  local i = 1
  while takes_value[list[i]] or (list[i] or ""):find "^%-%-%a+=" do
    i = i + (takes_value[list[i]] and 2 or 1)
  end
  local rest = table.move(list, 1, i - 1, 1, {})
  return list[i], table.move(list, i + 1, #list, #rest + 1, rest)
end

return function()
  local word = arg[1]
  if not word then
    io.stderr:write(HELP)
    os.exit(2)
  end
  if words[word] then return words[word](arg[2]) end
  if is_script(word) then return run_script(word) end
  local name, rest = split(arg)
  if not name then wrong(("'%s' needs a command behind it"):format(word)) end
  if require "luvisor.cli.commands".exists(name) then
    return run_command(name, rest)
  end
  unknown(name)
end
