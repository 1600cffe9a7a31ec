local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"
local DIR <const> = os.getenv "TMPDIR" or "/tmp"

local function run(opts)
  table.insert(opts, 1, LUVISOR)
  opts.check, opts.timeout = false, 60
  return process.run(opts)
end

-- Calls fn with the path of a file of that name and text, then removes it.
local function with_file(name, text, fn)
  local path = DIR .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  fn(path)
  os.remove(path)
end

local SHOW_ARG <const> = [[
local list = {}
for i = -9, 9 do
  if arg[i] then list[#list + 1] = i .. "=" .. arg[i] end
end
print(table.concat(list, " "))
print(...)
]]

tap.test("a script gets its arguments, and arg as in lua(1)", function()
  with_file("show.lua", SHOW_ARG, function(path)
    local r = run { path, "a", "b c", "" }
    tap.is(r.stdout, ("-1=%s 0=%s 1=a 2=b c 3=\na\tb c\t\n"):format(LUVISOR,
      path))
    tap.ok(r.ok)
  end)
end)

tap.test("- is the script on standard input", function()
  local r = run { "-", "a", input = SHOW_ARG }
  tap.is(r.stdout, ("-1=%s 0=- 1=a\na\n"):format(LUVISOR))
end)

tap.test("-e is a piece of Lua, what follows its arguments", function()
  local r = run { "-e", "print(arg[0], ...)", "-x", "y" }
  tap.is(r.stdout, "print(arg[0], ...)\t-x\ty\n")
  r = run { "-e" }
  tap.is(r.code, 2)
  tap.like(r.stderr, "%-e needs a piece of Lua")
end)

tap.test("a script is a word with a slash, or one that ends in .lua", function()
  with_file("tool", "print 'ran'", function(path)
    tap.is(run({ path }).stdout, "ran\n")
    local r = run { "tool", cwd = DIR }
    tap.is(r.code, 2)
    tap.like(r.stderr, "To run the file, say './tool'%.")
  end)
  with_file("tool.lua", "print 'ran'", function()
    tap.is(run({ "tool.lua", cwd = DIR }).stdout, "ran\n")
  end)
end)

tap.test("an executable file may name us in its first line", function()
  with_file("hello", "#!/usr/bin/env luvisor\nprint('hello', ...)\nerror 'x'\n",
    function(path)
      local bin = DIR .. "/bin"
      process.run { "mkdir", bin }
      process.run { "ln", "-s", LUVISOR, bin .. "/luvisor" }
      process.run { "chmod", "+x", path }
      local r = process.run {
        path, "a", check = false, env = { PATH = bin .. ":/usr/bin:/bin" },
      }
      tap.is(r.stdout, "hello\ta\n")
      tap.like(r.stderr, "^luvisor: [^\n]*/hello:3: x\n", "lines count from it")
      process.run { "rm", "-r", bin }
    end)
end)

tap.test("help and version, in each way to ask for them", function()
  for _, word in ipairs { "-h", "--help", "help" } do
    local r = run { word }
    tap.like(r.stdout, "^Usage: luvisor SCRIPT")
    tap.ok(r.ok)
  end
  for _, word in ipairs { "version", "--version", "-v" } do
    local r = run { word }
    tap.is(r.stdout, ("luvisor %s (Lua 5.4)\n"):format(core_os.version))
    tap.ok(r.ok)
  end
end)

tap.test("without arguments it says how to be used, and fails", function()
  local r = run {}
  tap.is(r.code, 2)
  tap.is(r.stdout, "")
  tap.like(r.stderr, "^Usage: luvisor SCRIPT")
end)

tap.test("an unknown word or option is told, with what was meant", function()
  local expected = {
    verson = "there is no command 'verson'. Did you mean 'version'?",
    ["--hepl"] = "there is no option '--hepl'. Did you mean '--help'?",
    frobnicate = "there is no command 'frobnicate'.",
    ["--frobnicate"] = "there is no option '--frobnicate'.",
  }
  for word, message in pairs(expected) do
    local r = run { word }
    tap.is(r.code, 2)
    tap.is(r.stderr, "luvisor: " .. message .. "\nTry 'luvisor -h'.\n")
    tap.is(r.stdout, "")
  end
end)

tap.test("a script that cannot be read is told", function()
  local r = run { "/nonexistent/script.lua" }
  tap.is(r.code, 1)
  tap.is(r.stderr, "luvisor: cannot open /nonexistent/script.lua: "
    .. "No such file or directory\n")
  r = run { "/" }
  tap.is(r.code, 1)
  tap.like(r.stderr, "^luvisor: cannot read /: Is a directory\n$")
end)

tap.test("a mistake of syntax is told with file and line, and no more",
  function()
    with_file("bad.lua", "local x = 1\nlocal = 2\n", function(path)
      local r = run { path }
      tap.is(r.code, 1)
      tap.is(r.stderr, ("luvisor: %s:2: <name> expected near '='\n"):format(
        path))
    end)
    local r = run { "-e", "x = = 1" }
    tap.is(r.stderr,
      "luvisor: (command line):1: unexpected symbol near '='\n")
    r = run { "-", input = "return return" }
    tap.like(r.stderr, "^luvisor: stdin:1: ")
    tap.is(r.code, 1)
  end)

-- Each function of a module begins where its source says.
local SHOW_PLACES <const> = [[
for _, name in ipairs { "process", "task", "options", "supervisor.config" } do
  for key, f in pairs(require("luvisor." .. name)) do
    local info = type(f) == "function" and debug.getinfo(f, "Su")
    if info and info.what == "Lua" and info.nparams > 0 then
      print(info.source, info.linedefined, key, debug.getlocal(f, 1))
    end
  end
end
]]

local function lines_of_module(path)
  local lines = {}
  local file = os.getenv "LUVISOR_SOURCE" .. "/lua/" .. path
  for line in io.lines(file) do lines[#lines + 1] = line end
  return lines
end

tap.test("our own modules are compiled, but keep their lines and names",
  function()
    local r, count, lines = run { "-e", SHOW_PLACES }, 0, {}
    local pattern = "@(%S+)\t(%d+)\t(%S+)\t?(%S*)\n"
    for path, number, _, param in r.stdout:gmatch(pattern) do
      lines[path] = lines[path] or lines_of_module(path)
      local line = lines[path][tonumber(number)]
      count = count + 1
      if not (line:find "function" and line:find(param, 1, true)) then
        tap.ok(false, ("%s:%s is %s"):format(path, number, line))
      end
    end
    tap.ok(count > 10, "functions were looked at: " .. count)
    r = run { "-e", "require('luvisor.process').run(5)" }
    tap.like(r.stderr, "\n%s+luvisor/process/run%.lua:%d+: in function ")
  end)

tap.test("modules written in C are loaded as lua5.4 does", function()
  local r = run { "-e", "print(require 'cjson'.encode {1})" }
  if r.ok then tap.is(r.stdout, "[1]\n") else tap.skip "no cjson.so" end
end)

tap.test("LUVISOR_LUA says where our own modules are taken from", function()
  local dir = DIR .. "/override/luvisor"
  process.run { "mkdir", "-p", dir }
  with_file("override/luvisor/time.lua", "return 'mine'", function(path)
    local code = "print(require 'luvisor.time', type(require 'luvisor.task'))"
    local function output(value)
      return run({ "-e", code, env = { LUVISOR_LUA = value } }).stdout
    end
    tap.is(output(DIR .. "/override"), "mine\ttable\n",
      "those that are not there are ours")
    tap.like(output(""), "^table: ", "an empty one is none")
    local file <close> = assert(io.open(path, "w"))
    file:write("syntax error")
    file:close()
    local r = run { "-e", code, env = { LUVISOR_LUA = DIR .. "/override" } }
    tap.is(r.code, 1)
    tap.like(r.stderr, "override/luvisor/time.lua:1: syntax error near")
  end)
  process.run { "rm", "-r", DIR .. "/override" }
end)

tap.test("nothing but arg is added to the globals", function()
  local r = run { "-e", [[
    local known = {}
    local names = [=[ _G _VERSION arg assert collectgarbage coroutine debug
      dofile error getmetatable io ipairs load loadfile math next os package
      pairs pcall print rawequal rawget rawlen rawset require select
      setmetatable string table tonumber tostring type utf8 warn xpcall ]=]
    for name in names:gmatch "%S+" do known[name] = true end
    local lv = require "luvisor"
    local _ = lv.task, lv.process, lv.stream, lv.sync, lv.signal, lv.time
    for name in pairs(_G) do
      if not known[name] then print(name) end
    end
  ]] }
  tap.is(r.stdout .. r.stderr, "")
end)

tap.test("lv gives its modules as they are used", function()
  local r = run { "-e", [[
    local lv = require "luvisor"
    assert(rawget(lv, "task") == nil)
    assert(lv.task == require "luvisor.task")
    assert(rawget(lv, "task"))
    assert(lv.nonsense == nil and lv[1] == nil)
    assert(lv.version == "]] .. core_os.version .. [[")
    assert(lv.try(error, "x") == nil)
  ]] }
  tap.is(r.stderr, "")
end)

tap.test("a child that inherits our output writes in the order of time",
  function()
    local r = run { "-e", [[
      local process = require "luvisor.process"
      io.write "1 "
      print "2"
      io.write "3 "
      io.flush()
      process.run { "echo", "4", stdout = "inherit" }
      print "5"
    ]] }
    tap.is(r.stdout, "1 2\n3 4\n5\n")
  end)

tap.done()
