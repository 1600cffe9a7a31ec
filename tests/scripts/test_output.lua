-- Reading: prefixes, deadlocks, lines, chunks, two streams, dates.
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local SOURCE = os.getenv("LUVISOR_SOURCE")
local run_script = dofile(SOURCE .. "/tests/scripts/run_script.lua")

tap.test("prefix puts the command before every line", function()
  local cwd = SOURCE .. "/scripts/children"
  local listing = process.run { "ls", "-la", cwd = cwd }.stdout
  local expected = listing:gsub("[^\n]*\n", "[ls -la]: %0")
  local rest = run_script { "prefix", cwd = cwd }.stdout
    :match("^pid of the process: %d+\n(.*)$")
  tap.is(rest, expected .. "the process returned: 0\n")
end)

tap.test("hang warns, times out and terminates its child", function()
  local result = run_script { "hang" }
  tap.like(result.stdout,
           "^pid of the process: %d+\n" ..
           "still not ended, terminating it %.%.%.\n" ..
           "the process returned: %-15\n$")
  tap.like(result.stderr, "stdout", "the warning names the stream")
end)

tap.test("million gets all of it", function()
  local result = run_script { "million" }
  tap.like(result.stdout,
           "^pid of the process: %d+\n" ..
           "stdout: 5000000 bytes, 1000000 lines\n" ..
           "stderr:\tnil\n" ..
           "the process returned: 0\n$")
  tap.is(result.stderr, "", "no warning")
end)

tap.test("large_output hangs and loses nothing", function()
  tap.is(run_script { "large_output" }.stdout,
         "wrong:\tTimeout\n" ..
         "late, but whole:\t4000000\n" ..
         "right:\t4000000\n")
end)

tap.test("stream_lines prints the five lines in order", function()
  tap.is(run_script { "stream_lines" }.stdout,
         "received: line 1\nreceived: line 2\nreceived: line 3\n" ..
         "received: line 4\nreceived: line 5\n" ..
         "the process ended with: 0\n")
end)

tap.test("chunks reads 10 KiB, at most 1 KiB at once", function()
  local out = run_script { "chunks" }.stdout
  local count, total = 0, 0
  for number, size in out:gmatch("chunk (%d+): (%d+) bytes\n") do
    count = count + 1
    total = total + tonumber(size)
    tap.is(tonumber(number), count, "the chunks are counted")
    tap.ok(tonumber(size) >= 1 and tonumber(size) <= 1024, "a chunk's size")
  end
  tap.is(total, 10240)
  tap.like(out, "\nreceived in all: 10240 bytes\n$")
end)

tap.test("parallel_streams keeps the order of each stream", function()
  local result = run_script { "parallel_streams" }
  local lines = { OUT = {}, ERR = {} }
  for name, line in result.stdout:gmatch("%[(%u+)%] ([^\n]*)\n") do
    table.insert(lines[name], line)
  end
  tap.is_deeply(lines, {
    OUT = { "stdout: message 1", "stdout: message 2", "stdout: message 3" },
    ERR = { "stderr: error 1", "stderr: error 2", "stderr: error 3" },
  })
  local _, count = result.stdout:gsub("\n", "")
  tap.is(count, 6, "and nothing else")
  tap.is(result.stderr, "", "stderr of the child was captured")
end)

for _, name in ipairs { "get_date_protocol", "get_date_streams" } do
  tap.test(name .. " prints the date", function()
    tap.like(run_script { name }.stdout,
             "^current date: %d%d%d%d%-%d%d%-%d%d %d%d:%d%d:[%d.]+\n$")
  end)
end

tap.done()
