-- After CPython's test_subprocess.py: how children are ended, and waited for.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local core_process = require "luvisor.core.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local PIPE <const> = asyncio.subprocess.PIPE
local exec <const> = asyncio.create_subprocess_exec
local shell <const> = asyncio.create_subprocess_shell

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function blocked(opts)
  return exec("sleep", "600", opts or {})
end

local function code(name)
  return -signal.number(name)
end

test("test_kill: it is killed", function()
  local p <close> = blocked()
  tap.is(p.returncode, nil)
  p:kill()
  tap.is(p:wait(), code "KILL")
  tap.is(p.returncode, code "KILL")
end)

test("test_terminate: it is terminated", function()
  local p <close> = blocked()
  p:terminate()
  tap.is(p:wait(), code "TERM")
end)

test("test_kill_issue43884: wait returns though a grandchild holds stdout",
function()
  local p <close> = shell("sleep 1; sleep 1", { stdout = PIPE })
  tap.eventually(function()
    local list = children.read_file(
      ("/proc/%d/task/%d/children"):format(p.pid, p.pid))
    return list:find "%d"
  end)
  p:kill()
  tap.is(p:wait(), code "KILL")
  tap.is(p.stdout:at_eof(), false, "the pipe is held")
end)

test("test_wait_even_if_pipe_is_open: wait ends at the exit, whenever it was "
  .. "called", function()
  local p <close> = shell("sleep 600 & echo $!; exit 3", { stdout = PIPE })
  local early = asyncio.create_task(p.wait, p)
  local pid = math.tointeger(p.stdout:readline())
  tap.is(early:await(), 3)
  tap.is(p:wait(), 3)
  tap.is(p.stdout:at_eof(), false)
  signal.send(pid, "KILL")
  tap.is(p.stdout:read(), "", "until the grandchild has ended")
end)

test("test_send_signal: HUP has its default meaning in the child", function()
  local script = [[
    lv.signal.ignore "HUP"
    local asyncio = lv.asyncio
    local p = asyncio.create_subprocess_shell("echo sleeping; exec sleep 600",
      { stdout = asyncio.subprocess.PIPE })
    io.write(p.stdout:readline())
    p:send_signal "HUP"
    print(p:wait())
  ]]
  tap.is(children.run(script).stdout, ("sleeping\n%d\n"):format(code "HUP"))
end)

test("rule S12: a signal after the end finds nobody", function()
  local p <close> = exec "true"
  tap.is(p:wait(), 0)
  for _, call in ipairs {
    p.kill, p.terminate, function() p:send_signal(15) end,
  } do
    tap.throws(function() call(p) end, asyncio.ProcessLookupError)
  end
  tap.throws(function() p:send_signal "NOSUCH" end, "NOSUCH")
end)

test("test_subprocess_send_signal_race: a signal around the exit does not cost "
  .. "the code", function()
  for _ = 1, 10 do
    local p <close> = exec("sleep", "0.01")
    asyncio.sleep(0.01)
    local ok, err = pcall(p.send_signal, p, "USR1")
    tap.ok(ok or err:is(asyncio.ProcessLookupError))
    local status = p:wait()
    tap.ok(status == 0 or status == code "USR1", "it is " .. status)
  end
end)

test("test_subprocess_concurrent_wait: any number may wait", function()
  local p <close> = exec("cat", { stdin = PIPE, stdout = PIPE })
  local before = {}
  for i = 1, 5 do before[i] = asyncio.create_task(p.wait, p) end
  tap.is(p:communicate "some data", "some data")
  tap.is(p.returncode, 0)
  local after = {}
  for i = 1, 10 do after[i] = { p.wait, p } end
  for _, status in ipairs(asyncio.gather(table.unpack(after))) do
    tap.is(status, 0)
  end
  for _, task in ipairs(before) do tap.is(task:await(), 0) end
end)

test("test_cancel_process_wait: cancelling wait leaves the child alone",
function()
  local p <close> = blocked()
  local task = asyncio.create_task(p.wait, p)
  asyncio.get_running_loop():call_soon(task.cancel, task)
  tap.throws(function() task:await() end, asyncio.CancelledError)
  tap.is(task:cancel(), false, "it has ended")
  tap.is(p.returncode, nil)
  p:kill()
  tap.is(p:wait(), code "KILL")
end)

-- The children that are there now and were not before.
local function started_by(fn)
  local before = {}
  for _, pid in ipairs(core_process.children()) do before[pid] = true end
  fn()
  local count = 0
  for _, pid in ipairs(core_process.children()) do
    if not before[pid] then count = count + 1 end
  end
  return count
end

-- A Task that is cancelled before it creates a process, in it: no matter when
-- the cancellation comes, none is left.
local function cancel_creation(create)
  tap.is(started_by(function()
    local task = asyncio.create_task(create)
    task:cancel()
    tap.throws(function() task:await() end, asyncio.CancelledError)
  end), 0, "before it begins")
  tap.is(started_by(function()
    local task
    task = asyncio.create_task(function()
      task:cancel()
      return create()
    end)
    tap.throws(function() task:await() end, asyncio.CancelledError)
  end), 0, "when it is due")
end

test("test_cancel_make_subprocess_transport_exec: a creation that is cancelled "
  .. "leaves no child", function()
  cancel_creation(blocked)
end)

test("test_cancel_post_init: nor does subprocess_exec", function()
  cancel_creation(function()
    local loop = asyncio.get_running_loop()
    return loop:subprocess_exec(asyncio.SubprocessProtocol, "sleep", "600")
  end)
end)

-- A transport that is connected to a protocol that hears nothing.
local function transport_of(...)
  local loop = asyncio.get_running_loop()
  return (loop:subprocess_exec(asyncio.SubprocessProtocol, ...))
end

test("test_close_kill_running: closing the transport kills the child",
function()
  local transport = transport_of("sleep", "600")
  tap.is(transport:get_returncode(), nil)
  transport:close()
  tap.is(transport:is_closing(), true)
  transport:close()
  tap.is(transport:_wait(), code "KILL")
  tap.is(transport:get_returncode(), code "KILL")
end)

test("test_close_dont_kill_finished: it kills none that has ended", function()
  local transport = transport_of("true")
  local process = transport:get_extra_info "subprocess"
  local killed = false
  process:wait()
  process.kill = function() killed = true end
  transport:close()
  tap.is(killed, false)
  tap.is(transport:get_returncode(), 0)
end)

test("test_popen_error: a failed start raises, and leaves nothing", function()
  for _, stdin in ipairs { false, PIPE } do
    local _, err = tap.throws(function()
      exec("/no/such/program", "secret", {
        stdin = stdin or nil, stdout = PIPE, stderr = PIPE,
      })
    end, "ENOENT")
    tap.is(err.subject, "/no/such/program")
    tap.is(tostring(err):find "secret", nil, "arguments are not shown (S33)")
  end
  local _, err = tap.throws(function() exec("true", { cwd = "/no/such" }) end,
    "ENOENT")
  tap.is(err.subject, "/no/such", "it names the directory (S4)")
end)

test("test_popen_error_with_stdin_pipe: the pipe is closed again", function()
  local core_os = require "luvisor.core.os"
  local before = #core_os.fds()
  for _ = 1, 5 do
    pcall(exec, "/no/such/program", { stdin = PIPE })
  end
  tap.is(#core_os.fds(), before)
end)

-- Runs a program in which main is cancelled while a child writes, reads, or
-- both: the run must end.
local function ends_when_cancelled(program, streams)
  local script = ([[
    local asyncio = lv.asyncio
    local function follow()
      local loop = asyncio.get_running_loop()
      local protocol = { connection_made = function() print "made" end }
      loop:subprocess_shell(function() return protocol end, %q, { %s })
      asyncio.sleep(600)
    end
    asyncio.run(function()
      local task = asyncio.create_task(follow)
      asyncio.sleep(0.01)
      task:cancel()
      asyncio.pcall(task.await, task)
    end)
    print "ended"
  ]]):format(program, streams)
  tap.is(children.run(script, { timeout = 30 }).stdout, "made\nended\n")
end

test("test_subprocess_read_pipe_cancelled: a run ends though its pipe does not",
function()
  ends_when_cancelled("exec sleep 600", "stdin = 'null', stderr = 'null'")
end)

test("test_subprocess_write_pipe_cancelled: nor one that is written to",
function()
  ends_when_cancelled("exec sleep 600", "stdout = 'null', stderr = 'null'")
end)

test("test_subprocess_read_write_pipe_cancelled: nor both", function()
  ends_when_cancelled("exec sleep 600", "")
end)

test("rule S6: a child that somebody else has reaped has the code 255",
function()
  local r = children.run [[
    local Process = lv.asyncio.subprocess.Process
    local stolen = { status = { ok = false }, name = "stolen", pid = 4711 }
    local p = setmetatable({ _process = stolen, pid = 4711 }, Process)
    print(p.returncode, p.returncode)
  ]]
  tap.is(r.stdout, "255\t255\n")
  tap.like(r.stderr, "^luvisor: warning: stolen %(pid 4711%) was reaped")
  tap.is(children.count(r.stderr, "\n"), 1, "told of once")
end)

test("a process is stopped where its <close> variable is left", function()
  local pid
  do
    local p <close> = blocked { stdout = PIPE }
    pid = p.pid
  end
  tap.throws(function() signal.send(pid, 0) end, asyncio.ProcessLookupError)
end)

tap.done()
