-- After CPython's test_subprocess.py: what goes into a child, and comes out.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local PIPE <const> = asyncio.subprocess.PIPE
local DEVNULL <const> = asyncio.subprocess.DEVNULL
local STDOUT <const> = asyncio.subprocess.STDOUT

local exec <const> = asyncio.create_subprocess_exec
local shell <const> = asyncio.create_subprocess_shell

local COUNT <const> = "import sys; print(len(sys.stdin.read()))"
local MUCH <const> = 4 * 1024 * 1024 -- more than any pipe holds

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

test("test_stdin_stdout: written, drained and closed, it comes back", function()
  local p <close> = exec("cat", { stdin = PIPE, stdout = PIPE })
  p.stdin:write "some data"
  p.stdin:drain()
  p.stdin:close()
  tap.is(p.stdout:read(), "some data")
  tap.is(p:wait(), 0)
end)

test("test_communicate: feeds, reads and waits", function()
  local p <close> = exec("python3", "-c", [[
import sys
sys.stdout.buffer.write(sys.stdin.buffer.read())
]], { stdin = PIPE, stdout = PIPE })
  local out, err = p:communicate "some\0data"
  tap.is(out, "some\0data")
  tap.is(err, nil, "stderr is no pipe")
  tap.is(p.returncode, 0)
end)

test("test_communicate_none_input: no input is the end of it", function()
  local p <close> = exec("cat", { stdin = PIPE, stdout = PIPE })
  tap.is(p:communicate(), "")
  tap.is(p.returncode, 0)
end)

test("test_empty_input: neither is an empty one more", function()
  local p <close> = exec("wc", "-c", { stdin = PIPE, stdout = PIPE,
                                       stderr = PIPE, close_fds = false })
  tap.like(p:communicate "", "^%s*0\n$")
  tap.is(p:wait(), 0)
end)

test("test_stdin_not_inheritable: the child does not have its own stdin's "
  .. "writing end", function()
  local p <close> = exec("python3", "-c", COUNT, {
    stdin = PIPE, stdout = PIPE, stderr = PIPE, close_fds = false,
  })
  tap.is(p:communicate "abc", "3\n")
  tap.is(p:wait(), 0)
end)

test("test_devnull_input: there is nothing to read", function()
  local p <close> = exec("wc", "-c", { stdin = DEVNULL, stdout = PIPE,
                                       stderr = PIPE })
  tap.like(p:communicate(), "^%s*0\n$")
  tap.is(p.stdin, nil)
  tap.is(p:wait(), 0)
end)

test("test_devnull_output: what is written is gone, and the result nil",
function()
  local p <close> = exec("cat", { stdin = PIPE, stdout = DEVNULL,
                                  stderr = PIPE })
  local out, err = p:communicate "abc"
  tap.is(out, nil)
  tap.is(err, "")
  tap.is(p:wait(), 0)
end)

test("test_devnull_error: so of stderr", function()
  local p <close> = shell("cat; echo oh >&2", { stdin = PIPE, stdout = PIPE,
                                                stderr = DEVNULL })
  local out, err = p:communicate "abc"
  tap.is(out, "abc")
  tap.is(err, nil)
  tap.is(p:wait(), 0)
end)

test("test_devstdin_input: /dev/stdin can be opened, for it is a pipe",
function()
  local p <close> = shell("wc -c < /dev/stdin; test -p /dev/stdin", {
    stdin = PIPE, stdout = PIPE,
  })
  tap.like(p:communicate "abc", "^%s*3\n$")
  tap.is(p.returncode, 0)
end)

test("test_stdin_broken_pipe: drain raises where the child has gone",
function()
  local from, to = stream.pipe()
  local command = ("read go < /proc/self/fd/%d"):format(from:fileno())
  local p <close> = shell(command, { stdin = PIPE, pass_fds = { from } })
  p.stdin:write(("x"):rep(MUCH))
  to:write "go\n"
  tap.throws(function() p.stdin:drain() end, asyncio.BrokenPipeError)
  tap.is(p.stdin:is_closing(), true)
  tap.throws(function() p.stdin:wait_closed() end, asyncio.BrokenPipeError,
    "not all was written")
  tap.is(p:wait(), 0)
  from:close()
  to:close()
end)

test("test_communicate_ignore_broken_pipe: a child may leave its input",
function()
  for _ = 1, 5 do
    local p <close> = exec("true", { stdin = PIPE })
    p:communicate(("x"):rep(MUCH))
    tap.is(p:wait(), 0)
  end
end)

-- Waits until nothing more is read.
local function settled(fn)
  local last
  tap.eventually(function()
    local now = fn()
    local same = now == last
    last = now
    return same and now > 0
  end)
  return last
end

test("test_pause_reading: reading pauses beyond the limit, and nothing is lost",
function()
  local limit = 10
  local p <close> = shell(("head -c %d /dev/zero"):format(2 * limit + 1),
    { stdin = PIPE, stdout = PIPE, limit = limit })
  tap.is(p:communicate(), ("\0"):rep(2 * limit + 1))

  local q <close> = exec("head", "-c", "1000000", "/dev/zero", {
    stdout = PIPE, limit = 1000,
  })
  local ahead = settled(function() return q.stdout._r:buffered() end)
  tap.ok(ahead <= 2000, "read ahead: " .. ahead)
  tap.is(q.returncode, nil, "it waits")
  tap.is(#q.stdout:readexactly(5000), 5000, "more than the limit can be read")
  tap.is(#q:communicate(), 995000)
end)

test("test_read_stdout_after_process_exit: a slow reader gets everything",
function()
  local p <close> = shell("head -c 262144 /dev/zero; exit 1",
    { stdout = PIPE, pipesize = 1024 * 1024 })
  tap.is(p:wait(), 1, "it need not be read to end")
  local size = 0
  repeat
    local data = p.stdout:read(65536)
    size = size + #data
    asyncio.sleep(0.001)
  until data == ""
  tap.is(size, 262144)
  tap.is(p.stdout:at_eof(), true)
end)

test("test_subprocess_communicate_stdout: outputs are not mixed up", function()
  local calls, expected = {}, {}
  for i = 1, 10 do
    calls[i] = function()
      local p <close> = exec("echo", "foo" .. i, { stdout = PIPE })
      return (p:communicate())
    end
    expected[i] = ("foo%d\n"):format(i)
  end
  local outputs = asyncio.gather(table.unpack(calls))
  for i = 1, 10 do tap.is(outputs[i], expected[i]) end
end)

test("test_shell: a command line has its code", function()
  local p <close> = shell "exit 7"
  tap.is(p:wait(), 7)
end)

-- Beyond the list: what the rules say besides.

test("rule S1: the three are ours, unless something is said of them", function()
  local r = children.run([[
    local asyncio = lv.asyncio
    local p = asyncio.create_subprocess_shell "cat; echo oops >&2"
    print(p.stdin, p.stdout, p.stderr, p:wait())
  ]], { input = "in\n" })
  tap.is(r.stdout, "in\nnil\tnil\tnil\t0\n")
  tap.is(r.stderr, "oops\n")
end)

test("rule S5: stderr can go where stdout goes", function()
  local p <close> = shell("echo a; echo b >&2; echo c",
    { stdout = PIPE, stderr = STDOUT })
  tap.is(p.stderr, nil)
  local out, err = p:communicate()
  tap.is(out, "a\nb\nc\n")
  tap.is(err, nil)
end)

test("rule S11: input that goes nowhere is refused, and not dropped", function()
  local p <close> = exec "true"
  tap.throws(function() p:communicate "x" end, "no pipe")
  tap.throws(function() p:communicate(5) end, "input must be a string")
  tap.is(p:wait(), 0)
end)

test("rule S11: what a communicate has read that was cancelled, is the next "
  .. "one's", function()
  local from, to = stream.pipe()
  local p <close> = shell(
    ("echo first; read go < /proc/self/fd/%d; echo second; exit 3"):format(
      from:fileno()), { stdout = PIPE, pass_fds = { from } })
  local task = asyncio.create_task(p.communicate, p)
  tap.eventually(function() return p.stdout._r:buffered() == 6 end)
  task:cancel()
  tap.throws(function() task:await() end, asyncio.CancelledError)
  to:write "go\n"
  from:close()
  to:close()
  tap.is(p:communicate(), "first\nsecond\n")
  tap.is(p.returncode, 3)
end)

test("rule S11: so after a timeout", function()
  local p <close> = shell("echo some; exec sleep 600",
    { stdin = PIPE, stdout = PIPE })
  tap.eventually(function() return p.stdout._r:buffered() == 5 end)
  tap.throws(function()
    asyncio.wait_for({ p.communicate, p, "in" }, 0.01)
  end, asyncio.TimeoutError)
  p:kill()
  tap.is(p:communicate(), "some\n")
  tap.is(p.returncode, -9)
end)

test("rule S9: it is read to the end, though the child has ended", function()
  local p <close> = shell("(sleep 0.1; echo late) & exit 2", { stdout = PIPE })
  tap.is(p:communicate(), "late\n")
  tap.is(p.returncode, 2)
end)

test("a stream of one child is another's stdin", function()
  local from, to = stream.pipe()
  local p <close> = exec("echo", "hello", { stdout = to })
  to:close()
  local q <close> = exec("tr", "a-z", "A-Z", { stdin = from, stdout = PIPE })
  from:close()
  tap.is(q:communicate(), "HELLO\n")
  tap.is(p:wait(), 0)
end)

test("streams of a child that is not read", function()
  local p <close> = exec("head", "-c", "100000", "/dev/zero",
    { stdout = PIPE })
  tap.is(p:wait(), 0, "what the limit allows is read ahead: it need not wait")
  tap.is(#p.stdout:read(), 100000)
end)

tap.done()
