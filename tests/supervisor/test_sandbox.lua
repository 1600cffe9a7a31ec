-- A configuration that is wrong, or means harm: it is bounded, it reaches
-- nothing but what it says, and luvisor itself stays as it is.
-- slow
local config = require "luvisor.supervisor.config"
local core = require "luvisor.core.os"
local fs = require "luvisor.fs"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok = tap.is, tap.ok

-- Writes files into a new folder, and calls fn with its name.
local function with_files(files, fn)
  local dir = fs.mkdtemp { prefix = "sandbox-" }
  local _ <close> = setmetatable({}, { __close = function()
    fs.remove(dir, { recursive = true })
  end })
  for name, text in pairs(files) do fs.write_file(dir .. "/" .. name, text) end
  return fn(dir)
end

-- What is wrong with a file; nil: nothing.
local function complaint(text, more)
  local files = { ["luvisor.lua"] = text }
  for name, one in pairs(more or {}) do files[name] = one end
  return with_files(files, function(dir)
    local done, err = pcall(config.load, dir .. "/luvisor.lua")
    return not done and tostring(err) or nil
  end)
end

local unreachable = {
  "io", "require", "package", "debug", "dofile", "loadfile", "coroutine",
  "collectgarbage", "print", "arg", "string.dump", "os.execute", "os.exit",
  "os.getenv", "os.remove", "os.tmpname", "os.setlocale", "luvisor.core",
}

tap.test("nothing that could do harm is there", function()
  for _, name in ipairs(unreachable) do
    local _, err = complaint(([[
      local function field(t, name) return type(t) == "table" and t[name] end
      local value = _G
      for part in ("%s"):gmatch "[^.]+" do value = field(value, part) end
      if value then error "it is there" end]]):format(name))
    is(err, nil, name)
  end
end)

tap.test("the library of strings, and others, cannot be changed for luvisor",
  function()
    local format, insert, floor = string.format, table.insert, math.floor
    is(complaint [[
      assert(getmetatable("") == nil)
      string.format, table.insert, math.floor = nil, error, error
      rawset(string, "rep", error)
      _G.pairs, _G.type = error, error]], nil)
    ok(string.format == format and table.insert == insert
      and math.floor == floor and ("x"):rep(2) == "xx")
  end)

-- Each is refused, with its line or as a whole, and within the deadline. More
-- of them are in test_config.lua.
local hangs = {
  { "a loop in a pcall", "while true do pcall(function() while true do end "
    .. "end) end" },
  { "recursion without end", "local function f() return f() + 1 end f()" },
  { "an error whose text never comes", "error(setmetatable({}, { __tostring = "
    .. "function() while true do end end }))" },
  { "a comparison", "table.sort({ 1, 2, 3 }, function() while true do end "
    .. "end)" },
  { "a replacement", "('x'):rep(1e6):gsub('x', ('y'):rep(1e6))" },
  { "an enormous string", "local s = ('x'):rep(8e9)" },
  { "a string that doubles", "local s = 'x' while true do s = s .. s end" },
  { "a table that grows", "local t = {} while true do t[#t + 1] = {} end" },
  { "a deep expression", "load(('('):rep(1e5))()" },
}

tap.test("what has no end, and what is enormous, is bounded", function()
  local said = task.map(hangs, function(case) return complaint(case[2]) end,
    { jobs = 4 })
  for i, case in ipairs(hangs) do
    local text = said[i] or "nothing"
    ok(text:find "luvisor.lua:", case[1] .. ": " .. text:sub(1, 200))
  end
end)

local odd = {
  { "a metatable", "setmetatable({ command = 'true' }, { __index = error })",
    "a table has a metatable" },
  { "one deeper", "{ command = setmetatable({ 'true' }, {}) }",
    "a table has a metatable" },
  { "an endless __pairs", "setmetatable({}, { __pairs = function() while true "
    .. "do end end })", "a table has a metatable" },
  { "a table within itself", "(function() local t = {} t.env = t return t "
    .. "end)()", "a table contains itself" },
  { "a number", "3", "expected a table, got number" },
  { "nothing", "nil", "expected a table, got nil" },
}

for _, case in ipairs(odd) do
  tap.test("no plain data: " .. case[1], function()
    local text = complaint('service "a" (' .. case[2] .. ")") or "nothing"
    ok(text:find(case[3], 1, true), text:sub(1, 200))
    ok(text:find "luvisor.lua:1: service \"a\"", "with its place")
  end)
end

tap.test("finalizers, bytecode and functions of load are refused", function()
  for text, expected in pairs {
    ["setmetatable({}, { __gc = function() end })"] = "__gc is not allowed",
    ["load(string.char(27) .. 'Lua')()"] = "attempt to call a nil value",
    ["load('x', 'x', 'b')"] = "load takes text only",
    ["load(function() end)"] = "load takes a string",
  } do
    local said = complaint(text) or "nothing"
    ok(said:find(expected, 1, true), text .. ": " .. said:sub(1, 120))
  end
end)

tap.test("a file that includes itself, by whatever name, is read once",
  function()
    for _, name in ipairs { "luvisor.lua", "./luvisor.lua", "././luvisor.lua",
                            "l*.lua" } do
      local said = complaint(("include %q"):format(name)) or "nothing"
      ok(said:find("is read already", 1, true), name .. ": " .. said)
    end
    local said = complaint("include 'a.lua'", { ["a.lua"] = "include 'b.lua'",
      ["b.lua"] = "include 'luvisor.lua'" }) or "nothing"
    ok(said:find("b.lua:1: include: ", 1, true), said)
  end)

tap.test("a symbolic link is the file that it names", function()
  with_files({ ["luvisor.lua"] = "include 'again.lua'" }, function(dir)
    fs.symlink("luvisor.lua", dir .. "/again.lua")
    local _, err = pcall(config.load, dir .. "/luvisor.lua")
    ok(tostring(err):find("is read already", 1, true), tostring(err))
  end)
end)

tap.test("a folder, a device and a broken link are no configurations",
  function()
    with_files({}, function(dir)
      fs.mkdir(dir .. "/luvisor.lua")
      tap.throws(function() config.load(dir .. "/luvisor.lua") end,
        "ConfigError")
      fs.symlink("/nonexistent", dir .. "/broken.lua")
      tap.throws(function() config.load(dir .. "/broken.lua") end,
        "there is no such file")
    end)
  end)

tap.test("as root a file is refused that others may write", function()
  if core.geteuid() ~= 0 then tap.skip "we are not root" end
  with_files({ ["luvisor.lua"] = "include 'more.lua'", ["more.lua"] = "" },
    function(dir)
      local main, more = dir .. "/luvisor.lua", dir .. "/more.lua"
      config.load(main)
      for _, mode in ipairs { 438, 420 | 16, 420 | 2 } do -- 0666, g+w, o+w
        fs.chmod(more, mode)
        tap.throws(function() config.load(main) end, "others may write it")
      end
      fs.chmod(more, 420)
      local process = require "luvisor.process"
      local given = process.run { "chown", "1", more, check = false }
      if not given.ok then return end
      tap.throws(function() config.load(main) end, "user 1 may write it")
    end)
end)

tap.test("what it reads of the host is true, and no more than a copy",
  function()
    is(complaint [[
      assert(host.cpus >= 1 and host.uid >= 0 and host.name ~= "")
      host.cpus = -1
      assert(env("NO_SUCH_VARIABLE", "x") == "x")
      assert(env("PATH"))]], nil)
    is(complaint "assert(host.cpus >= 1)", nil)
  end)

tap.done()
