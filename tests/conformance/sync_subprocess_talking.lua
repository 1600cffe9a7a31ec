-- Counterparts of Python's test_subprocess.py: communicate, signals and the
-- ends of processes. Those that tests/lua has are not repeated.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LONG <const> = 30 -- seconds; nothing here takes that long
local KIB64 <const> = 64 * 1024

-- -- communicate --------------------------------------------------------------

tap.test("test_communicate_timeout: the rest comes with the next call",
function()
  local p <close> = process.spawn { "sh", "-c",
    "echo pineapple >&2; read x <&5; echo pear >&2; cat", stdin = "pipe",
    stdout = "pipe", stderr = "pipe", fds = { [5] = "pipe-in" } }
  tap.throws(function() p:communicate("banana", { timeout = 0.05 }) end,
    "Timeout")
  p.fds[5]:write "\n"
  local r = p:communicate()
  tap.is(r.stdout, "banana")
  tap.is(r.stderr, "pineapple\npear\n")
end)

tap.test("test_communicate_timeout_large_output: however often, and whatever "
  .. "came between", function()
  local p <close> = process.spawn { "sh", "-c", [[
    for i in 1 2 3 4; do head -c 65536 /dev/zero; read x <&5; done]],
    stdout = "pipe", fds = { [5] = "pipe-in" } }
  for _ = 1, 4 do
    tap.throws(function() p:communicate(nil, { timeout = 0.02 }) end,
      "Timeout")
    p.fds[5]:write "\n"
  end
  tap.is(#p:communicate().stdout, 4 * KIB64)
end)

tap.test("test_communicate_repeated_call_after_stdout_close: a child that has "
  .. "closed its stdout is waited for", function()
  local p <close> = process.spawn { "sh", "-c", "exec >&-; read x <&5; exit 3",
    stdout = "pipe", fds = { [5] = "pipe-in" } }
  for _ = 1, 3 do
    tap.throws(function() p:communicate(nil, { timeout = 0.02 }) end,
      "Timeout")
  end
  p.fds[5]:write "\n"
  local r = p:communicate(nil, { timeout = LONG })
  tap.is(r.stdout, "")
  tap.is(r.code, 3)
end)

tap.test("test_communicate_epipe, test_communicate_epipe_only_stdin: nobody "
  .. "reads the input", function()
  local big = ("x"):rep(1 << 20)
  for _, others in ipairs { "pipe", "null" } do
    local p <close> = process.spawn { "true", stdin = "pipe", stdout = others,
                                      stderr = others }
    tap.ok(p:communicate(big).ok)
    local q <close> = process.spawn { "true", stdin = "pipe", stdout = others,
                                      stderr = others }
    q:wait()
    tap.ok(q:communicate(big).ok, "nor did anybody when it was called")
  end
end)

tap.test("test_broken_pipe_cleanup: what was not read breaks no block's end",
function()
  local p
  do
    local q <close> = process.spawn { "true", stdin = "pipe" }
    p = q
    pcall(task.move_on, 0, q.stdin.write, q.stdin, ("x"):rep(4 * KIB64))
    q:wait()
  end
  tap.is(p.returncode, 0)
  tap.ok(p.stdin:is_closing())
end)

tap.test("test_communicate_eintr: a signal that is handled meanwhile "
  .. "interrupts nothing", function()
  local heard = 0
  local _ <close> = signal.on("USR1", function() heard = heard + 1 end)
  for _, name in ipairs { "stdout", "stderr" } do
    local p <close> = process.spawn { "sh", "-c", "for i in 1 2 3 4 5; do "
      .. "kill -USR1 $PPID; echo $i; echo $i >&2; done", stdout = "null",
      stderr = "null", [name] = "pipe" }
    tap.is(p:communicate()[name], "1\n2\n3\n4\n5\n")
  end
  tap.eventually(function() return heard > 0 end)
end)

tap.test("test_communicate_returns, test_stdout_devnull, test_stderr_devnull: "
  .. "what is no pipe holds nobody up", function()
  local p <close> = process.spawn { "sh", "-c",
    "head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2; exit 47",
    stdout = "null", stderr = "null" }
  local r = p:communicate(nil, { timeout = LONG })
  tap.is_deeply({ r.stdout, r.stderr, r.code }, { nil, nil, 47 })
end)

-- -- Signals ------------------------------------------------------------------

-- Wait, without letting the loop have a look, until it has ended.
local function until_dead(p)
  while not children.is_gone(p.pid) do
    os.execute "true"
  end
end

tap.test("test_send_signal_dead, test_kill_dead, test_terminate_dead: a signal "
  .. "for who has ended, and nobody has looked yet", function()
  for _, send in ipairs { function(p) p:kill() end,
                          function(p) p:terminate() end,
                          function(p) p:send_signal "INT" end } do
    local p <close> = process.spawn { "echo", "x", stdout = "pipe" }
    until_dead(p)
    local ok, err = pcall(send, p)
    tap.ok(ok or err:is "NoProcess")
    local r = p:communicate()
    tap.is(r.stdout, "x\n")
    tap.is(r.code, 0, "it is not changed by that")
    tap.throws(function() send(p) end, "NoProcess")
  end
end)

tap.test("test_send_signal_race, test_send_signal_race2: none is sent to a "
  .. "number that may be another's", function()
  local log = children.trace("kill,tkill,tgkill,pidfd_send_signal", [[
    local p = process.spawn { "true" }
    p:wait()
    for _ = 1, 3 do
      pcall(p.send_signal, p, "TERM")
      pcall(p.send_signal, p, "TERM", "group")
      pcall(p.kill, p)
    end
    p:stop()
    p:close()
  ]])
  tap.is(children.count(log, "SIGTERM") + children.count(log, "SIGKILL"), 0)
end)

tap.test("test_stopped: a child that is stopped has not ended", function()
  local p <close> = process.spawn { "sh", "-c", "kill -STOP $$; exit 6" }
  tap.eventually(function() return children.state(p.pid) == "T" end)
  tap.ok(not task.move_on(0.02, p.wait, p))
  tap.is(p.returncode, nil)
  p:send_signal "CONT"
  tap.is(p:wait().code, 6)
end)

tap.test("test_run_abort: a death by signal is told", function()
  local p <close> = process.spawn { "sh", "-c", "kill -ABRT $$",
                                    limits = { core = 0 } }
  tap.is(p:wait().returncode, -signal.number "ABRT")
end)

tap.test("test_CalledProcessError_str_signal, test_CalledProcessError_str_non_"
  .. "zero: an error's text says how it ended", function()
  local function text(script)
    local _, err = tap.throws(function()
      process.run { "sh", "-c", script, limits = { core = 0 } }
    end, "ExitError")
    return tostring(err)
  end
  tap.is(text "kill -ABRT $$", "\"sh\" killed by ABRT")
  tap.is(text "exit 2", "\"sh\" exited 2")
  tap.is(text "kill -40 $$", "\"sh\" killed by RTMIN+6")
end)

-- -- Ends ---------------------------------------------------------------------

tap.test("test_poll: the status is there as soon as it has ended", function()
  local p <close> = process.spawn { "sh", "-c", "read x; exit 0",
                                    stdin = "pipe" }
  tap.is(p.returncode, nil)
  p.stdin:write "A\n"
  tap.eventually(function() return p.returncode == 0 end)
  tap.is(p:wait().code, 0)
end)

tap.test("test_leak_fast_process_del_killed: a child whose handle was dropped, "
  .. "and that another kills, leaves neither zombie nor descriptor", function()
  local r = children.run([[
    local core_os = require "luvisor.core.os"
    local children = require("luvisor.core.process").children
    collectgarbage()
    local before = #core_os.fds()
    local pid = process.spawn({ "sleep", "600", stdout = "pipe",
                                stderr = "pipe" }).pid
    collectgarbage()
    collectgarbage()
    lv.signal.send(pid, "KILL")
    while #children() > 0 do task.sleep(0.001) end
    collectgarbage()
    task.sleep(0.001)
    print(#core_os.fds() - before, io.open("/proc/" .. pid .. "/stat"))
  ]], { stderr = "pipe", timeout = LONG })
  tap.is(r.stdout:match "^0\tnil", "0\tnil")
  tap.like(r.stderr, "was dropped while it runs")
end)

tap.test("test_threadsafe_wait: a task that waits, while another kills and "
  .. "waits, hears the same", function()
  local p <close> = process.spawn { "sleep", "600" }
  local seen = {}
  local other = task.spawn(function()
    seen[1] = p.returncode == nil
    p:kill()
    seen[2] = p:wait().returncode
    seen[3] = p:wait().returncode
  end)
  tap.is(p:wait(LONG).returncode, -9)
  tap.is(p:wait().returncode, -9)
  other:join()
  tap.is_deeply(seen, { true, -9, -9 })
end)

tap.test("ContextManagerTests: the end of a block closes the streams",
function()
  local before = #core_os.fds()
  local p
  do
    local q <close> = process.spawn { "sh", "-c", "printf stdout; "
      .. "printf stderr >&2", stdout = "pipe", stderr = "pipe" }
    p = q
    tap.is(q.stdout:read(), "stdout")
    tap.is(q.stderr:read(), "stderr")
    q:wait()
  end
  tap.is(p.returncode, 0)
  tap.throws(function() p.stdout:read() end, "Closed")
  tap.throws(function() p.stderr:read() end, "Closed")
  tap.eventually(function() return #core_os.fds() == before end)
end)

tap.test("test_call_keyboardinterrupt_no_kill, test_run_keyboardinterrupt_no_"
  .. "kill: after ^C a child has time to end in its own way", function()
  local p <close> = children.start([[
    process.run { "sh", "-c", "trap 'sleep 0.05; echo cleaned; exit 9' TERM; "
      .. "echo ready; while :; do sleep 0.01; done", stdout = "inherit" }
  ]], { pty = { echo = false } })
  tap.is(p.tty:readline(), "ready\r")
  p.tty:write "\3"
  tap.is(p.tty:readline(), "cleaned\r")
  tap.is(p:wait(LONG).code, 130)
end)

tap.done()
