-- sd_notify(3): what services say of themselves.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok, like = tap.is, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local with = services.with

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

-- What the programs have at hand: say(text[, fds]).
local PRELUDE <const> = [[
import array, os, signal, socket, sys, time
address = os.environ["NOTIFY_SOCKET"]
if address[0] == "@": address = "\0" + address[1:]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.connect(address)
def say(text, fds=()):
    data = text if isinstance(text, bytes) else text.encode()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    sock.sendmsg([data], rights if fds else [])
def barrier():
    a, b = os.pipe()
    say("BARRIER=1", [b])
    os.close(b)
    os.read(a, 1)
    os.close(a)
]]

-- A service that is ready when its Python program says so.
local function python(program, more)
  local spec = { command = { "python3", "-c", PRELUDE .. program },
                 ready = { notify = true, timeout = 60 }, cwd = TMP }
  for key, value in pairs(more or {}) do spec[key] = value end
  return spec
end

local PAUSE <const> = "\nwhile True: signal.pause()\n"

-- Calls fn with the lines of the supervisor's own log, which come here.
local function said(sup)
  local lines = {}
  sup.log.warning = function(_, message, fields)
    lines[#lines + 1] = { message = message, fields = fields or {} }
  end
  return lines
end

local function reset(path)
  os.remove(path)
end

-- Waits until the program has made this file.
local function made(path)
  return tap.eventually(function() return fs.exists(path) end, 30, path)
end

tap.test("READY=1 makes it ready, STATUS= is shown", function()
  with({ a = python([[
say("STATUS=loading")
while not os.path.exists("go"): time.sleep(0.01)
say("STATUS=serving\nREADY=1\n")]] .. PAUSE) }, function(sup)
    local starter = task.spawn(sup.start, sup, "a")
    tap.eventually(function()
      return sup:status("a").status_text == "loading"
    end, 30)
    is(sup:status("a").state, "starting")
    fs.write_file(TMP .. "/go", "")
    starter:join()
    is(sup:status("a").status_text, "serving")
    is(sup:status("a").state, "running")
  end)
  reset(TMP .. "/go")
end)

tap.test("a word inside a line is no message", function()
  with({ a = python([[
say("STATUS=READY=1")
say("X READY=1\nREADY=0\n=\nREADY\n")
open("said", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
say("READY=1")]] .. PAUSE) }, function(sup)
    local starter = task.spawn(sup.start, sup, "a")
    made(TMP .. "/said")
    tap.eventually(function() return sup:status("a").status_text end, 30)
    is(sup:status("a").status_text, "READY=1")
    is(sup:status("a").state, "starting")
    fs.write_file(TMP .. "/go", "")
    starter:join()
  end)
  reset(TMP .. "/go")
  reset(TMP .. "/said")
end)

tap.test("WATCHDOG=1 in time keeps it; without, it is started again", function()
  with({ a = python([[
assert os.environ["WATCHDOG_USEC"] == "1000000"
assert os.environ["WATCHDOG_PID"] == str(os.getpid())
say("READY=1")
while not os.path.exists("stop"):
    say("WATCHDOG=1")
    time.sleep(0.02)
os.remove("stop")
]] .. PAUSE, { watchdog = 1, backoff = { initial = 0.01 } }) }, function(sup)
    sup:start "a"
    local first = sup:status("a").pid
    task.sleep(1.2)
    is(sup:status("a").pid, first)
    fs.write_file(TMP .. "/stop", "")
    local inst = sup:find("a")[1]
    local reason
    inst:wait_until(function(i)
      if i.state == "backoff" then reason = i.reason end
      return i.state == "running" and i.pid ~= first
    end)
    is(reason, "no WATCHDOG=1 for 1 s")
    is(sup:status("a").restarts, 1)
  end)
end)

tap.test("WATCHDOG=trigger is at once, WATCHDOG_USEC= sets the time", function()
  for text, why in pairs {
    ["WATCHDOG=trigger"] = "WATCHDOG=trigger",
    ["WATCHDOG_USEC=50000"] = "no WATCHDOG=1 for 0.05 s",
  } do
    with({ a = python(('say("READY=1")\nsay("%s")'):format(text) .. PAUSE, {
      restart = "never" }) }, function(sup)
      sup:start "a"
      sup:wait("a", "failed", 30)
      is(sup:status("a").reason, why)
    end)
  end
end)

-- It takes a pidfd to wait for another's child.
local can_adopt = pcall(function()
  local _ <close> = lv.process.adopt(1)
end)

tap.test("MAINPID= is a process of the service: its end is the service's",
  function()
    if not can_adopt then return tap.skip "there are no pidfds" end
    services.both_ways(function(how)
      with({ a = python([[
if os.fork() == 0:
    os.setsid()
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent: time.sleep(0.001)
        say("MAINPID=%d\nREADY=1" % os.getpid())
        time.sleep(1000)
    os._exit(0)
os.wait()
time.sleep(1000)
]], { restart = "never" }) }, function(sup)
        sup:start "a"
        local status = sup:status "a"
        local inst = sup:find("a")[1]
        ok(status.pid ~= inst.process.pid, how)
        sup:signal("a", "KILL")
        sup:wait("a", "failed", 30)
        is(#sup.descendants:list(inst), 0, how)
        like(sup:status("a").exit, "killed by KILL", how)
      end)
    end)
  end)

tap.test("the first process may end once another is the main one", function()
  if not can_adopt then return tap.skip "there are no pidfds" end
  with({ a = python([[
has_said, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    say("MAINPID=%d\nREADY=1" % os.getpid())
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(3))
    os.write(tell, b"x")
    while True: signal.pause()
os.read(has_said, 1)
barrier()
]], { restart = "never" }) }, function(sup)
    sup:start "a"
    local inst = sup:find("a")[1]
    tap.eventually(function() return inst.process.status end, 30)
    is(inst.state, "running")
    sup:signal("a", "USR1")
    sup:wait("a", "failed", 30)
    is(sup:status("a").code, 3)
  end)
end)

tap.test("MAINPID= of another process is refused", function()
  with({ a = python(('say("MAINPID=%d\\nMAINPID=1\\nMAINPID=x\\nREADY=1")')
    :format(require "luvisor.core.os".getpid()) .. PAUSE) }, function(sup)
    local lines = said(sup)
    sup:start "a"
    is(sup:status("a").pid, sup:find("a")[1].process.pid)
    is(#lines, 3)
    like(lines[1].message, "MAINPID")
  end)
end)

tap.test("EXTEND_TIMEOUT_USEC= gives it more time to get ready, and to stop",
  function()
    with({ a = python([[
def end(*_):
    say("EXTEND_TIMEOUT_USEC=30000000")
    time.sleep(1.2)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
say("EXTEND_TIMEOUT_USEC=30000000")
while not os.path.exists("go"): time.sleep(0.01)
say("READY=1")]] .. PAUSE, { ready = { notify = true, timeout = 10 },
      stop = { grace = 1 } }) }, function(sup)
      local starter = task.spawn(sup.start, sup, "a")
      local inst = sup:find("a")[1]
      tap.eventually(function()
        return inst.ready_until and inst.ready_until > lv.time.now() + 15
      end, 30)
      fs.write_file(TMP .. "/go", "")
      starter:join()
      sup:stop "a"
      is(sup:status("a").code, 0, "it was not killed")
    end)
    reset(TMP .. "/go")
  end)

tap.test("RELOADING=1, STOPPING=1, ERRNO= are events", function()
  local seen = {}
  with({ a = python([[
say("READY=1")
say("RELOADING=1\nMONOTONIC_USEC=1")
say("READY=1\nERRNO=2\nFDSTORE=1\nUNKNOWN=x")
say("STOPPING=1")]] .. PAUSE) }, function(sup)
    local follower = sup.events:subscribe()
    sup:start "a"
    for event in follower do
      if event.type == "status" then
        seen[#seen + 1] = event.text or event.errno
      end
      if event.text == "stopping" then break end
    end
    follower:close()
  end)
  tap.is_deeply(seen, { "reloading", "2", "stopping" })
end)

tap.test("BARRIER=1 is answered: the descriptors are closed", function()
  with({ a = python([[
barrier()
say("READY=1")
barrier()
open("passed", "w").close()]] .. PAUSE) }, function(sup)
    sup:start "a"
    made(TMP .. "/passed")
  end)
  reset(TMP .. "/passed")
end)

tap.test("a child that is already gone may have said it", function()
  with({ a = python([[
if os.fork() == 0:
    say("READY=1")
    os._exit(0)
os.wait()]] .. PAUSE) }, function(sup)
    sup:start "a"
    is(sup:status("a").state, "running")
  end)
end)

tap.test("odd datagrams: empty, long, no text, as many descriptors as fit",
  function()
    with({ a = python([[
say("")
say(b"\xff\xfe\x00READY=1\x00")
sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
say("STATUS=" + "x" * (64 * 1024) + "\nREADY=1")
null = os.open("/dev/null", os.O_RDONLY)
for _ in range(20): say("X=1", [null] * 253)
barrier()
open("said", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
say(b"STATUS=\xff\xfe")
say("READY=1", [null, null])]] .. PAUSE) }, function(sup)
      local lines = said(sup)
      local before = #require "luvisor.core.os".fds()
      local starter = task.spawn(sup.start, sup, "a")
      made(TMP .. "/said")
      is(sup:status("a").state, "starting")
      is(sup:status("a").status_text, nil)
      like(lines[1] and lines[1].message, "too long")
      ok(#require "luvisor.core.os".fds() < before + 20, "none is kept")
      fs.write_file(TMP .. "/go", "")
      starter:join()
    end)
    reset(TMP .. "/go")
    reset(TMP .. "/said")
  end)

tap.test("one that talks without end costs the others nothing", function()
  with({ a = python [[
say("READY=1")
while True: say("STATUS=again")
]], b = { command = "sleep 100" } }, function(sup)
    sup:start "a"
    for _ = 1, 20 do
      sup:start "b"
      sup:stop "b"
    end
    is(sup:status("b").state, "stopped")
  end)
end)

local is_root = require "luvisor.core.os".geteuid() == 0

tap.test("a message of another user is refused, of the service's taken",
  function()
    if not is_root then return tap.skip "only root has other users" end
    with({ a = python([[
with open("address", "w") as f: f.write(os.environ["NOTIFY_SOCKET"])
os.rename("address", "made")
while not os.path.exists("go"): time.sleep(0.01)
if os.fork() == 0:
    os.setgid(65534)
    os.setuid(65534)
    say("READY=1")
    barrier()
    os._exit(0)
os.wait()]] .. PAUSE), b = python([[
if os.fork() == 0:
    say("STATUS=own")
    os._exit(0)
os.wait()
say("READY=1")]] .. PAUSE, { user = "nobody" }) }, function(sup)
      local lines = said(sup)
      local starter = task.spawn(sup.start, sup, "a")
      made(TMP .. "/made")
      local address = fs.read_file(TMP .. "/made")
      lv.process.run { "python3", "-c", PRELUDE .. 'say("STATUS=foreign")\n'
        .. "barrier()", user = "nobody", cwd = "/",
        env = { NOTIFY_SOCKET = address } }
      is(sup:status("a").status_text, nil)
      like(lines[1] and lines[1].message, "another user")
      is(lines[1] and lines[1].fields.uid, 65534)
      local refused = #lines
      fs.write_file(TMP .. "/go", "")
      starter:join()
      is(sup:status("a").state, "running", "one of its own is taken")
      sup:start "b"
      is(sup:status("b").status_text, "own")
      is(#lines, refused, lines[#lines] and lines[#lines].message)
    end)
    reset(TMP .. "/go")
    reset(TMP .. "/made")
  end)

tap.test("a service that changes its user may go on talking", function()
  if not is_root then return tap.skip "only root has other users" end
  with({ a = python([[
os.setgid(65534)
os.setuid(65534)
say("READY=1")]] .. PAUSE) }, function(sup)
    sup:start "a"
    is(sup:status("a").state, "running")
  end)
end)

tap.test("systemd-notify says it, too", function()
  if not lv.process.which "systemd-notify" then
    return tap.skip "there is no systemd-notify"
  end
  with({ a = { command = { shell = "systemd-notify --status=here --ready; "
    .. "exec sleep 100" }, ready = { notify = true, timeout = 60 } } },
    function(sup)
      sup:start "a"
      is(sup:status("a").status_text, "here")
    end)
end)

tap.test("without `ready` or `watchdog` there is no socket", function()
  with({ a = { type = "oneshot",
    command = { shell = "test -z \"$NOTIFY_SOCKET$WATCHDOG_USEC\"" } } },
    function(sup)
      sup:start "a"
      is(sup:status("a").state, "done")
    end)
end)

tap.done()
