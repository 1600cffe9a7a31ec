--- The command line of luvisor: what to run.
-- Returns the function that is the script.
-- @local

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local task = require "luvisor.core.task"

local HELP <const> = [[
Usage: luvisor SCRIPT [ARGS…]   run a Lua script (a word with a slash, or .lua)
       luvisor -e CODE [ARGS…]  run a piece of Lua
       luvisor -i               read, evaluate, print; lines may wait
       luvisor -                run what comes on standard input
       luvisor version          print the version
       luvisor -h               print this

In a script: local lv = require "luvisor" and lv.process, lv.task, lv.stream,
lv.sync, lv.signal, lv.time. The exit code is the script's: os.exit(n), 1 after
an error, 130, 143 and 129 after INT, TERM and HUP, 2 for a wrong command line.
]]

local function wrong(message)
  io.stderr:write("luvisor: ", message, "\nTry 'luvisor -h'.\n")
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

local words = {}

words["-e"] = function(code)
  if not code then wrong "-e needs a piece of Lua" end
  shift_arg(2)
  return run_chunk("(command line)", load(code, "=(command line)"))
end

words["-i"] = function()
  require("luvisor.cli.repl").run()
end

words["-h"] = function()
  io.write(HELP)
end

words.version = function()
  io.write("luvisor ", core_os.version, " (", _VERSION, ")\n")
end

words["--help"], words.help = words["-h"], words["-h"]
words["--version"], words["-v"] = words.version, words.version

local function is_script(word)
  return word == "-" or word:find("/", 1, true) or word:find "%.lua$"
end

local function unknown(word)
  local known = { "-e", "-i", "-h", "--help", "version", "--version", "help" }
  local near = errors.nearest(word, known)
  local kind = word:find "^%-" and "option" or "command"
  local hint = near and (" Did you mean '%s'?"):format(near) or ""
  local file = io.open(word)
  if file then
    file:close()
    hint = (" To run the file, say './%s'."):format(word)
  end
  wrong(("there is no %s '%s'.%s"):format(kind, word, hint))
end

return function()
  local word = arg[1]
  if not word then
    io.stderr:write(HELP)
    os.exit(2)
  end
  if words[word] then return words[word](arg[2]) end
  if is_script(word) then return run_script(word) end
  unknown(word)
end
