-- After CPython's test_unix_events.py: watching children. There is one way to
-- do that, by pidfd, and where the kernel has none by SIGCHLD and a look at
-- each child; both are run here.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local tap = require "luvisor.tap"

-- What a script prints, with pidfds and without.
local function both(script, expected)
  for _, without in ipairs { "", "1" } do
    local env = { LUVISOR_NO_PIDFD = without }
    local r = children.run([[
      local asyncio = lv.asyncio
      local exec = asyncio.create_subprocess_exec
      local shell = asyncio.create_subprocess_shell
    ]] .. script, { env = env, timeout = 30 })
    tap.is(r.stdout, expected, without == "" and "pidfd" or "SIGCHLD")
  end
end

local function test(name, script, expected)
  tap.test(name, function() both(script, expected) end)
end

test("test_create_watcher: nothing has to be made or attached", [[
  print(exec("true"):wait())
]], "0\n")

test("test_sigchld: an exit, a signal, and a stop that is none", [[
  print(shell("exit 12"):wait())
  print(shell("kill -TERM $$"):wait())
  local p = shell("kill -STOP $$; exit 3")
  asyncio.sleep(0.02)
  print(p.returncode)
  while p.returncode == nil do
    p:send_signal "CONT"
    asyncio.sleep(0.005)
  end
  print(p:wait())
]], "12\n-15\nnil\n3\n")

test("test_sigchld_two_children: each has its own code", [[
  local slow = shell("read go; exit 1", { stdin = "pipe" })
  local fast = shell("exit 2")
  print(fast:wait(), slow.returncode)
  slow.stdin:write "go\n"
  print(slow:wait())
]], "2\tnil\n1\n")

test("test_sigchld_two_children_terminating_together: though one signal tells "
  .. "of both", [[
  local all = {}
  for i = 1, 20 do all[i] = shell("read go; exit " .. i, { stdin = "pipe" }) end
  for _, p in ipairs(all) do p.stdin:write "go\n" end
  local started = os.clock()
  while os.clock() < started + 0.05 do end -- let all end unseen
  for i, p in ipairs(all) do assert(p:wait() == i) end
  print "each"
]], "each\n")

test("test_sigchld_race_condition: one that has ended before anybody looks", [[
  local all = {}
  for i = 1, 20 do all[i] = shell("exit " .. i) end
  for i, p in ipairs(all) do assert(p:wait() == i) end
  print "all"
]], "all\n")

test("test_sigchld_replace_handler: any number may wait for one child", [[
  local p = shell("read go; exit 4", { stdin = "pipe" })
  local first = asyncio.create_task(p.wait, p)
  local second = asyncio.create_task(p.wait, p)
  asyncio.sleep(0)
  p.stdin:write "go\n"
  print(first:await(), second:await(), p:wait())
]], "4\t4\t4\n")

test("test_sigchld_remove_handler: nobody need", [[
  local p = shell("read go; exit 5", { stdin = "pipe" })
  local task = asyncio.create_task(p.wait, p)
  asyncio.sleep(0)
  task:cancel()
  p.stdin:write "go\n"
  while p.returncode == nil do asyncio.sleep(0.001) end
  print(task:cancelled(), p.returncode)
]], "true\t5\n")

test("test_remove_child_handler: of two children each is of itself", [[
  local a = shell("read go; exit 1", { stdin = "pipe" })
  local b = shell("read go; exit 2", { stdin = "pipe" })
  local first = asyncio.create_task(a.wait, a)
  local second = asyncio.create_task(b.wait, b)
  asyncio.sleep(0)
  first:cancel()
  a.stdin:write "go\n"
  b.stdin:write "go\n"
  print(second:await(), a:wait(), first:cancelled())
]], "2\t1\ttrue\n")

test("test_sigchld_unhandled_exception: an error in what is told of an exit "
  .. "costs no other child its", [[
  asyncio.run(function()
    local loop = asyncio.get_running_loop()
    local heard = loop:create_future()
    loop:set_exception_handler(function(_, c) heard:set_result(c.message) end)
    local t = loop:subprocess_shell(function()
      return { process_exited = function() error "oops" end }
    end, "exit 3")
    print(shell("exit 4"):wait(), t:_wait(), heard:await())
  end)
]], "4\t3\tException in callback process_exited\n")

tap.test("test_sigchld_unknown_status: a code that nobody can know is 255",
function()
  local r = children.run [[
    local Process = lv.asyncio.subprocess.Process
    local lost = { status = { ok = false }, name = "lost", pid = 4711 }
    print(setmetatable({ _process = lost }, Process).returncode)
  ]]
  tap.is(r.stdout, "255\n")
  tap.like(r.stderr, "reaped by somebody else")
end)

test("test_sigchld_child_reaped_elsewhere: os.execute and io.popen do not take "
  .. "what is not theirs", [[
  local p = shell("read go; exit 6", { stdin = "pipe" })
  assert(os.execute "true")
  local f = io.popen "echo x"
  f:read "a"
  f:close()
  p.stdin:write "go\n"
  assert(os.execute "sleep 0.02")
  print(p:wait())
]], "6\n")

test("test_sigchld_unknown_pid_during_registration: children of others are "
  .. "left alone", [[
  local p = shell("read go; exit 7", { stdin = "pipe" })
  local f = io.popen("exit 9")
  asyncio.sleep(0.01)
  print(select(3, f:close()))
  p.stdin:write "go\n"
  print(p:wait())
]], "9\n7\n")

test("test_set_loop: a child outlives the loop that it was started in", [[
  local p
  asyncio.run(function()
    p = shell("read go; exit 8", { stdin = "pipe" })
  end)
  p.stdin:write "go\n"
  print(asyncio.run(p.wait, p))
]], "8\n")

test("test_set_loop_race_condition: also if it ends between two loops", [[
  local p
  asyncio.run(function() p = shell "exit 9" end)
  assert(os.execute "sleep 0.02")
  print(asyncio.run(p.wait, p))
]], "9\n")

test("test_close: what is left at the end of the program is stopped", [[
  local p = shell("trap 'echo stopped; exit' TERM; echo on >&2; "
    .. "while :; do sleep 0.01; done", { stderr = "pipe" })
  io.write(p.stderr:readline())
  io.stdout:flush()
]], "on\nstopped\n")

test("test_fork_asyncio_subprocess: a child may run children of its own", [[
  local script = [=[
    local asyncio = require "luvisor.asyncio"
    local p = asyncio.create_subprocess_exec("echo", "inner",
      { stdout = asyncio.subprocess.PIPE })
    print((p:communicate()))
  ]=]
  local p = exec(os.getenv "LUVISOR", "-e", script,
    { stdout = asyncio.subprocess.PIPE })
  print((p:communicate()), p.returncode)
]], "inner\n\n\t0\n")

tap.test("test_get_default_child_watcher: pidfds are used where there are any",
function()
  children.need "strace"
  if not children.has_pidfds then tap.skip "there are none" end
  local log = children.trace("wait4,waitid", [[
    lv.asyncio.create_subprocess_exec("true"):wait()
  ]])
  tap.like(log, "waitid%(P_PIDFD")
  tap.is(log:find "wait4%(%-1", nil, "and never any child")
end)

tap.done()
