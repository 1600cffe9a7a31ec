-- Several processes: pipelines, a shell, the executor, Python scripts.
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

tap.test("pipeline counts the words and tells each status", function()
  tap.is(run_script { "pipeline" }.stdout,
         "words that begin with a: 3\n" ..
         "echo: exited 0\ngrep: exited 0\nwc: exited 0\n")
end)

tap.test("pipeline_streams counts the words", function()
  tap.is(run_script { "pipeline_streams" }.stdout,
         "words that begin with a: 3\n")
end)

tap.test("shell shows both outputs and the exit code", function()
  tap.is(run_script { "shell" }.stdout,
         "[echo one two | tr a-z A-Z exited with 0]\n" ..
         "[stdout]\nONE TWO\n" ..
         "[echo lost >&2; exit 3 exited with 3]\n" ..
         "[stderr]\nlost\n" ..
         "[echo 'it'\\''s $HOME; `id`' exited with 0]\n" ..
         "[stdout]\nit's $HOME; `id`\n")
end)

tap.test("many_scripts gets all results in order, unblocked", function()
  local out = run_script { "many_scripts" }.stdout
  local sums, count, ticks = out:match(
    "^(.*\n)(%d+) scripts [%w ]+ took [%d.]+ s and (%d+) ticks\n$")
  tap.is(sums,
         "the sum of 1..10 is 55\n" ..
         "the sum of 1..100 is 5050\n" ..
         "the sum of 1..1000 is 500500\n" ..
         "the sum of 1..10000 is 50005000\n")
  tap.is(count, "4")
  tap.ok(tonumber(ticks) > 0, "another task ran meanwhile")
end)

--- The blocks of a summary by their command.
local function summary(out)
  local blocks = {}
  local text = out:match("\n=+\nSUMMARY OF THE COMMANDS\n=+\n(.*)$")
  for block in (text .. "\n"):gmatch("(%d+%. %[.-)\n\n") do
    local status, command = block:match("^%d+%. %[(%u+)%] ([^\n]*)")
    blocks[command] = { status = status, text = block }
  end
  return blocks, text
end

tap.test("executor runs its five commands in parallel", function()
  local result = run_script { "executor" }
  local out = result.stdout
  tap.like(out, "^running the commands %.%.%.\n" ..
                '%[OK%] echo "Hello, World!": Hello, World!\n' ..
                "%[OK%] python3 %-%-version: Python 3[%d.]+%S*\n" ..
                '%[OK%] date "[^"]+": %d+%-%d+%-%d+ %d+:%d+:%d+\n' ..
                "%[OK%] ls %-la /tmp | head %-5: total .-\n" ..
                '%[OK%] sleep 1 && echo "after the pause": ' ..
                "after the pause\n\n=+\n")
  local blocks, text = summary(out)
  local _, count = text:gsub("\n%d+%. %[OK%] ", "")
  tap.is(count, 5, "five commands in the summary")
  _, count = text:gsub("\n   exit status: 0\n", "")
  tap.is(count, 5, "five of them ended well")
  tap.like(blocks['echo "Hello, World!"'].text, "\n   output: Hello, World!$")
  tap.like(text, '5%. %[OK%] sleep 1 && echo "after the pause"\n',
           "the slowest ended last")
  _, count = result.stderr:gsub("%d+:%d+:%d+ started: ", "")
  tap.is(count, 5, "five starts in the log")
  _, count = result.stderr:gsub("%d+:%d+:%d+ ended with 0: ", "")
  tap.is(count, 5, "five ends in the log")
  tap.ok(result.stderr:find("started: sleep 1", 1, true)
         < result.stderr:find("ended with", 1, true),
         "all are started before the first ends")
end)

tap.test("executor reports failures and timeouts", function()
  local out = run_script {
    "executor", "echo oops >&2; exit 7", "echo part; exec sleep 60",
    env = { EXECUTOR_TIMEOUT = "1" },
  }.stdout
  tap.like(out, "^running the commands %.%.%.\n" ..
                "%[ERR%] echo oops >&2; exit 7: oops\n" ..
                "%[ERR%] echo part; exec sleep 60: timeout exceeded\n")
  local blocks = summary(out)
  local failed = blocks["echo oops >&2; exit 7"]
  tap.is(failed.status, "ERROR")
  tap.like(failed.text, "\n   exit status: 7\n   errors: oops$")
  local late = blocks["echo part; exec sleep 60"]
  tap.is(late.status, "ERROR")
  tap.like(late.text, "\n   exit status: %-15\n" ..
                      "   output: part\n   errors: timeout exceeded$")
end)

tap.done()
