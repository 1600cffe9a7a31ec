-- Calling functions in worker processes.
-- luacheck: globals done shared twice add

local pool = require "luvisor.pool"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local pools = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/pools.lua")

local LUVISOR <const> = os.getenv "LUVISOR"
local TMP <const> = pools.TMP
local file = pools.file

-- For workers.

local function echo(...)
  return ...
end

local function pid()
  local stat <close> = io.open "/proc/self/stat"
  return math.tointeger(stat:read "n")
end

local MODULE <const> = [[
  local M = { count = 0 }
  function M.add(a, b) return a + b end
  function M.next() M.count = M.count + 1 return M.count end
  M.object = setmetatable({}, {
    __call = function(_, x) return "called " .. x end,
  })
  return M
]]

-- Calls -----------------------------------------------------------------------

tap.test("a call returns what the function returned in a worker", function()
  local p <close> = pool.new { workers = 1 }
  local there = p:call(pid)
  tap.isnt(there, pid())
  tap.is(p:call(pid), there, "the same worker serves again")
  tap.is_deeply(table.pack(p:call(echo, nil, false, 1, nil, nil)),
    { n = 5, nil, false, 1 }, "nils count")
  tap.is(select("#", p:call(echo)), 0)
end)

tap.test("a module's functions are called by name", function()
  local f <close> = file("work.lua", MODULE)
  local p <close> = pool.new { workers = 1, module = f.path }
  tap.is(p:call("add", 1, 2), 3)
  tap.is(p:call("next"), 1)
  tap.is(p:call("next"), 2, "it is loaded once")
  tap.is(p:call("object", 7), "called 7")
  tap.is(p:call(function() return type(add) end), "nil", "no globals of it")
end)

tap.test("a module may be named as for require, with our path", function()
  local _ <close> = file("work_by_name.lua", MODULE)
  local path = package.path
  package.path = TMP .. "/?.lua"
  local p <close> = pool.new { workers = 1, module = "work_by_name" }
  package.path = path
  tap.is(p:call("add", 2, 3), 5)
  tap.is(p:call(function() return package.path end), TMP .. "/?.lua")
  tap.is(package.loaded.work_by_name, nil, "it is not loaded here")
end)

tap.test("a file that returns no table has its globals called", function()
  local f <close> = file("globals.lua", "function twice(x) return 2 * x end")
  local p <close> = pool.new { workers = 1, module = f.path }
  tap.is(p:call("twice", 21), 42)
  tap.is(twice, nil)
end)

tap.test("a missing module is told of by new", function()
  tap.throws(function() pool.new { module = "no.such.module" } end,
    'UsageError')
  tap.throws(function() pool.new { module = "no.such.module" } end,
    'module "no.such.module" not found:\n.*no/such/module.lua')
  tap.throws(function() pool.new { module = "./no_such_file.lua" } end,
    "module: ./no_such_file.lua: No such file")
end)

tap.test("a module that cannot be loaded is told of by the call", function()
  local wrong <close> = file("wrong.lua", "return return")
  local failing <close> = file("failing.lua", "error { 'x' }")
  local p <close> = pool.new { workers = 1, module = wrong.path }
  for _ = 1, 2 do
    local _, err = tap.throws(function() p:call "f" end, "WorkerError")
    tap.like(tostring(err), "wrong.lua\" cannot be loaded\n  caused by: .*:1:")
  end
  local q <close> = pool.new { workers = 1, module = failing.path }
  local _, err = tap.throws(function() q:call "f" end, "WorkerError")
  tap.is_deeply(err.cause.value, { "x" })
end)

tap.test("a missing function is told of, with the near name", function()
  local f <close> = file("work.lua", MODULE)
  local p <close> = pool.new { workers = 1, module = f.path }
  local _, err = tap.throws(function() p:call "nxet" end, "UsageError")
  tap.like(tostring(err), 'has no function "nxet"; did you mean "next"%?')
  tap.throws(function() p:call "count" end, 'has no function "count"')
  tap.is(p:call("add", 1, 1), 2, "the worker is as good as before")
end)

tap.test("wrong use is told of before anything is sent", function()
  local p <close> = pool.new { workers = 1 }
  for text, call in pairs {
    ["only in a pool that was given a module"] = function() p:call "f" end,
    ["expected the name of a function, or a function, got nil"] =
      function() p:call() end,
    ["pool:map: takes a function and a list"] = function() p:map(echo) end,
    ["workers must be a positive integer"] =
      function() pool.new { workers = 0 } end,
    ['did you mean "recycle"%?'] = function() pool.new { recyle = 1 } end,
    ["cannot wait here"] = function()
      table.sort({ 1, 2 }, function() p:call(echo) end)
    end,
  } do
    local _, err = tap.throws(call, text)
    tap.ok(err:is "UsageError")
  end
  tap.like(tostring(p), "^pool %(0 of 1 workers", "none was started")
end)

-- Functions -------------------------------------------------------------------

tap.test("a function with upvalues is refused, and which it is", function()
  local p <close> = pool.new { workers = 1 }
  local secret = 1
  local _, err = tap.throws(function()
    p:call(function() return secret end)
  end, "UsageError")
  tap.like(tostring(err), 'test_pool.lua:%d+ uses "secret" from outside')
  tap.throws(function() p:call(print) end, "written in C")
  tap.throws(function()
    local _ENV <const> = {} -- luacheck: ignore 211
    p:call(function() return x end) -- luacheck: ignore 113
  end, 'uses "_ENV" from outside')
end)

tap.test("functions without names in them are sent, too", function()
  local p <close> = pool.new { workers = 1 }
  local stripped = load(string.dump(load "return (...) + math.pi", true))
  tap.is(p:call(stripped, 1), 1 + math.pi)
  tap.is(p:call(load "return ...", 5), 5)
end)

tap.test("the globals of a worker stay", function()
  local p <close> = pool.new { workers = 1 }
  p:call(function(x) shared = x end, 5)
  tap.is(p:call(function() return shared end), 5)
  tap.is(shared, nil)
end)

tap.test("a worker keeps no more than some hundred functions", function()
  local p <close> = pool.new { workers = 1 }
  for i = 1, 600 do
    local fn = load("return " .. i)
    if p:call(fn) ~= i then tap.ok(false, "function " .. i) end
  end
  tap.is(p:call(echo, 1), 1)
end)

-- What a function may do ------------------------------------------------------

tap.test("a function may use luvisor, and leaves no task behind", function()
  local p <close> = pool.new { workers = 1 }
  local result = p:call(function()
    return require("luvisor.process").run { "echo", "hello" }
  end)
  tap.is(result.stdout, "hello\n")
  tap.is(tostring(result), "exited 0", "a Result is one")
  tap.is(p:call(function()
    local task = require "luvisor.task"
    done = 0
    for _ = 1, 3 do
      task.spawn(function()
        task.sleep(0.01)
        done = done + 1
      end)
    end
  end), nil)
  tap.is(p:call(function() return done end), 3, "the call waits for its tasks")
end)

tap.test("workers print where we print, in the order of the calls", function()
  local out = process.capture { LUVISOR, "-e", [[
    local lv = require "luvisor"
    local p <close> = lv.pool.new { workers = 1 }
    print "one"
    p:call(function() print "two" end)
    print "three"
    p:call(function() io.write "four\n" end)
    print "five"
    p:call(function() require("luvisor").stream.stdout:write "six\n" end)
    io.stderr:write "six and a half\n"
    p:call(function() io.stderr:write "seven\n" end)
  ]], stderr = "stdout" }
  tap.is(out, "one\ntwo\nthree\nfour\nfive\nsix\nsix and a half\nseven")
end)

tap.test("a worker may have a pool of its own", function()
  local p <close> = pool.new { workers = 1 }
  tap.is(p:call(function()
    local inner <close> = require("luvisor.pool").new { workers = 1 }
    return inner:call(function(x) return x + 1 end, 41)
  end), 42)
end)

tap.done()
