-- The demo from another directory: every heading, and the summary at its end.
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

tap.test("demo shows its scripts in turn and ends in the summary", function()
  local out = run_script { "demo", cwd = "/" }.stdout
  local names = {}
  for name in out:gmatch("\n%-%-%- (%S+)%.lua: [^\n]+\n") do
    table.insert(names, name)
  end
  tap.is_deeply(names, {
    "ls", "sleep_timeout", "prefix", "million", "gpg_semaphore", "echo_turns",
    "echo_event", "repl", "parallel_streams", "pipeline", "signals",
    "get_date_protocol", "many_scripts", "executor",
  })
  local ls = out:match("\n%-%-%- ls.lua: [^\n]+\n(.-)\n%-%-%- ") .. "\n"
  tap.like(ls, "pid of the process: %d+\n")
  tap.like(ls, "total %d+\n",
           "what the child prints stands under its heading")
  tap.like(out, "\nstdout: 5000000 bytes, 1000000 lines\n")
  tap.like(out, "\ndecrypted to their text: 100\n")
  tap.like(out, "\nwords that begin with a: 3\n")
  tap.like(out, "\nSUMMARY OF THE COMMANDS\n=+\n.*\n5%. %[OK%] sleep 1 ")
end)

tap.done()
