-- "Interaction with subprocesses": communicate, streams, a dialogue, pipelines.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local PIPE, STDOUT = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
local DEVNULL = asyncio.subprocess.DEVNULL

local function strip(text)
  return text:match "^%s*(.-)%s*$"
end

tap.test("basic_communication: through cat", function()
  local function basic_communication()
    local process = asyncio.create_subprocess_exec("cat",
      { stdin = PIPE, stdout = PIPE, stderr = PIPE })
    return process:communicate "Hello, subprocess!\n"
  end
  local stdout, stderr = asyncio.run(basic_communication)
  tap.is(strip(stdout), "Hello, subprocess!")
  tap.is(stderr, "")
end)

tap.test("communicate_example: a program that works on its input", function()
  local python_code = [[
import sys
data = sys.stdin.read()
print(f"got {len(data)} bytes")
print(f"content: {data.upper()}")
]]
  local function communicate_example()
    local process = asyncio.create_subprocess_exec("python3", "-c",
      python_code, { stdin = PIPE, stdout = PIPE, stderr = PIPE })
    return process:communicate "hello world"
  end
  local stdout, stderr = asyncio.run(communicate_example)
  tap.is(stdout, "got 11 bytes\ncontent: HELLO WORLD\n")
  tap.is(stderr, "")
end)

tap.test("stream_reading: lines as they come", function()
  local function stream_reading()
    local lines = {}
    local process = asyncio.create_subprocess_exec("python3", "-c", [[
import time
for i in range(5):
    print(f"line {i + 1}", flush=True)
    time.sleep(0.02)
]], { stdout = PIPE, stderr = PIPE })
    while true do
      local line = process.stdout:readline()
      if line == "" then break end
      lines[#lines + 1] = strip(line)
    end
    process:wait()
    return lines, process.returncode
  end
  local lines, code = asyncio.run(stream_reading)
  tap.is_deeply(lines, { "line 1", "line 2", "line 3", "line 4", "line 5" })
  tap.is(code, 0)
end)

tap.test("read_chunks: dd by 1 KiB", function()
  local function read_chunks()
    local process = asyncio.create_subprocess_exec("dd", "if=/dev/urandom",
      "bs=1024", "count=10", { stdout = PIPE, stderr = DEVNULL })
    local total, most = 0, 0
    while true do
      local chunk = process.stdout:read(1024)
      if chunk == "" then break end
      total, most = total + #chunk, math.max(most, #chunk)
    end
    process:wait()
    return total, most
  end
  local total, most = asyncio.run(read_chunks)
  tap.is(total, 10240)
  tap.ok(most <= 1024)
end)

tap.test("interactive_process: Python's prompt", function()
  local function interactive_process()
    local process = asyncio.create_subprocess_exec("python3", "-i", "-u",
      { stdin = PIPE, stdout = PIPE, stderr = STDOUT })
    local function read_answer()
      local response = ""
      while not response:find(">>> ", 1, true) do
        local chunk = asyncio.wait_for(
          { process.stdout.read, process.stdout, 1024 }, 20)
        if chunk == "" then break end
        response = response .. chunk
      end
      return response
    end
    local function send_command(cmd)
      process.stdin:write(cmd .. "\n")
      process.stdin:drain()
      return read_answer()
    end
    read_answer()
    local sum, hello = send_command "2 + 2", send_command 'print("Hello!")'
    process.stdin:write "exit()\n"
    process.stdin:drain()
    process.stdin:close()
    return sum, hello, process:wait()
  end
  local sum, hello, code = asyncio.run(interactive_process)
  tap.like(sum, "4")
  tap.like(hello, "Hello!")
  tap.is(code, 0)
end)

local function read_stream(stream, name, said)
  while true do
    local line = stream:readline()
    if line == "" then break end
    said[#said + 1] = ("[%s] %s"):format(name, strip(line))
  end
end

tap.test("parallel_streams: stdout and stderr", function()
  local said = {}
  local function parallel_streams()
    local process = asyncio.create_subprocess_exec("python3", "-c", [[
import sys, time
for i in range(3):
    print(f"message {i + 1}", flush=True)
    print(f"error {i + 1}", file=sys.stderr, flush=True)
    time.sleep(0.02)
]], { stdout = PIPE, stderr = PIPE })
    asyncio.gather({ read_stream, process.stdout, "OUT", said },
      { read_stream, process.stderr, "ERR", said })
    process:wait()
  end
  asyncio.run(parallel_streams)
  table.sort(said)
  tap.is_deeply(said, { "[ERR] error 1", "[ERR] error 2", "[ERR] error 3",
    "[OUT] message 1", "[OUT] message 2", "[OUT] message 3" })
end)

tap.test("pipeline: echo | grep | wc", function()
  local function pipeline()
    local p1 = asyncio.create_subprocess_exec("echo",
      "apple\nbanana\napricot\nblueberry\navocado", { stdout = PIPE })
    local p2 = asyncio.create_subprocess_exec("grep", "^a",
      { stdin = p1.stdout, stdout = PIPE })
    local p3 = asyncio.create_subprocess_exec("wc", "-l",
      { stdin = p2.stdout, stdout = PIPE })
    local stdout = p3:communicate()
    p1:wait()
    p2:wait()
    return tonumber(stdout)
  end
  tap.is(asyncio.run(pipeline), 3)
end)

tap.test("signal_handling: terminate, then kill if it does not answer",
  function()
    local function signal_handling(command, patience)
      local process = asyncio.create_subprocess_shell(command,
        { stdout = PIPE })
      process.stdout:readline()
      process:terminate()
      local ok, err = pcall(asyncio.wait_for, { process.wait, process },
        patience)
      if not ok and err:is(asyncio.TimeoutError) then
        process:kill()
        process:wait()
      end
      return process.returncode
    end
    tap.is(asyncio.run(signal_handling, "echo up; exec sleep 60", 20), -15)
    tap.is(asyncio.run(signal_handling,
      "trap '' TERM; echo up; while :; do sleep 0.1; done", 0.05), -9)
  end)

tap.test("a large output: wait hangs, communicate does not", function()
  local LARGE <const> = "head -c 300000 /dev/zero"
  local function bad()
    local process = asyncio.create_subprocess_shell(LARGE, { stdout = PIPE })
    local ok = pcall(asyncio.wait_for, { process.wait, process }, 0.1)
    return ok, #process.stdout:read(), process:wait()
  end
  local ok, size, code = asyncio.run(bad)
  tap.ok(not ok)
  tap.is(size, 300000, "nothing is lost by it")
  tap.is(code, 0)
  local function good()
    local process = asyncio.create_subprocess_shell(LARGE, { stdout = PIPE })
    return #process:communicate()
  end
  tap.is(asyncio.run(good), 300000)
end)

tap.test("closing stdin loses nothing that was written", function()
  local function main(drained)
    local process = asyncio.create_subprocess_exec("cat",
      { stdin = PIPE, stdout = PIPE })
    process.stdin:write "data"
    if drained then process.stdin:drain() end
    process.stdin:close()
    local stdout = process:communicate()
    return stdout
  end
  tap.is(asyncio.run(main, false), "data")
  tap.is(asyncio.run(main, true), "data")
end)

tap.done()
