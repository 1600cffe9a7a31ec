#!/usr/bin/env luvisor
-- Run several of these scripts in turn. A script is a chunk of Lua, and may
-- wait within dofile as anywhere.
io.stdout:setvbuf("line") -- the children write to our stdout too

local here = arg[0]:match("^.*/") or "./"

local shown = {
  { "ls", "a process, its pid and its status" },
  { "sleep_timeout", "a wait with a timeout" },
  { "prefix", "lines with a prefix while we wait" },
  { "million", "a million lines through communicate" },
  { "gpg_semaphore", "100 gpg, as many at once as processors" },
  { "echo_turns", "a talk by turns" },
  { "echo_event", "a talk driven by an event at each prompt", "0.02" },
  { "repl", "Python's prompt" },
  { "parallel_streams", "stdout and stderr in parallel" },
  { "pipeline", "echo | grep | wc" },
  { "signals", "SIGTERM, and SIGKILL to the one that ignores it" },
  { "get_date_protocol", "a process by callbacks" },
  { "many_scripts", "several Python scripts at once" },
  { "executor", "shell commands in parallel, with a summary" },
}

for _, entry in ipairs(shown) do
  local name, title, argument = table.unpack(entry)
  print(("\n--- %s.lua: %s"):format(name, title))
  arg[1] = argument -- luacheck: ignore 122
  dofile(here .. name .. ".lua")
end
