#!/usr/bin/env luvisor
-- A command of the shell. What is not ours goes through process.quote, or the
-- shell would read it as code.
local process = require "luvisor.process"

local function run(command)
  local p <close> = process.spawn {
    shell = command,
    stdout = "pipe", stderr = "pipe",
  }
  local result = p:communicate()
  print(("[%s exited with %d]"):format(command, result.returncode))
  if result.stdout ~= "" then io.write("[stdout]\n", result.stdout) end
  if result.stderr ~= "" then io.write("[stderr]\n", result.stderr) end
end

run("echo one two | tr a-z A-Z")
run("echo lost >&2; exit 3")
run("echo " .. process.quote("it's $HOME; `id`"))
