-- A dialogue at a terminal.
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

tap.test("login is let in, gives its commands and leaves", function()
  tap.is(run_script { "login" }.stdout,
         "Welcome, ali!\n" ..
         "ls\tdone\n" ..
         "make\tdone\n" ..
         "the program exited 0\n")
end)

tap.test("login says so if it is not let in", function()
  local result = run_script { "login", "guess", check = { 1 } }
  tap.is(result.stdout, "Login incorrect\n")
  tap.is(result.code, 1)
end)

tap.done()
