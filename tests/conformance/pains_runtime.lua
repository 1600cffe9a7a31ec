-- What users of other runtimes suffer: tasks that vanish, crashes across
-- coroutines, polling, programs that end in silence, errors nobody looked at.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local sync = require "luvisor.sync"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- -- Tasks --------------------------------------------------------------------

local function collect()
  for _ = 1, 3 do collectgarbage() end
end

tap.test("cpython#117379, gh-155502: a task that nobody holds is not collected "
  .. "while it waits, whatever it waits for", function()
  local ended, go = {}, sync.event()
  local function note(what) ended[#ended + 1] = what end
  task.nursery(function(n)
    n:spawn(function()
      local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
      task.spawn(function() note(p.stdout:readline()) end)
      go:wait()
      p.stdin:write "a stream\n"
      p.stdin:close()
      p:wait()
      note "a process"
    end)
    n:spawn(function() task.sleep(0.02) note "a timer" end)
    n:spawn(function() go:wait() note "an event" end)
    for _ = 1, 10 do
      task.checkpoint()
      collect()
    end
    go:set()
    collect()
  end)
  table.sort(ended)
  tap.is_deeply(ended, { "a process", "a stream", "a timer", "an event" })
end)

tap.test("gh-155502: nor is a chain that nothing else refers to", function()
  local last
  do
    local queues = {}
    for i = 1, 50 do queues[i] = sync.queue() end
    for i = 1, 49 do
      task.spawn(function() queues[i + 1]:put(queues[i]:get() + 1) end)
    end
    last = task.spawn(function() return queues[50]:get() end)
    task.checkpoint()
    queues[1]:put(0)
  end
  collect()
  tap.is(last:join(), 49)
end)

-- -- Coroutines ---------------------------------------------------------------

tap.test("luv#329: what was made in a coroutine outlives it", function()
  local p
  do
    local made_in = coroutine.create(function()
      p = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
      coroutine.yield()
    end)
    coroutine.resume(made_in)
    coroutine.close(made_in)
  end
  collect()
  local read = coroutine.wrap(function() return p.stdout:readline() end)
  local reading = task.spawn(read)
  task.checkpoint()
  coroutine.wrap(function() p.stdin:write "through\n" p.stdin:close() end)()
  collect()
  tap.is(reading:join(), "through")
  tap.is(coroutine.wrap(function() return p:wait().code end)(), 0)
end)

tap.test("luv#329: a coroutine that is collected while a stream of its waits "
  .. "ends in order", function()
  for _ = 1, 20 do
    local reading = task.spawn(function()
      local p <close> = process.spawn { "sleep", "600", stdout = "pipe" }
      coroutine.wrap(function() p.stdout:read(1) end)()
    end)
    task.checkpoint()
    collect()
    reading:cancel()
    pcall(reading.join, reading)
  end
  collect()
  tap.is(#require "luvisor.core.process".children(), 0)
end)

tap.test("luv#618: whatever waits returns its values, where it is called",
function()
  local p <close> = process.spawn { "echo", "hello", stdout = "pipe" }
  tap.is(p.stdout:readline() .. "!" .. p:wait().code, "hello!0")
  local lines = {}
  for line in process.spawn({ "seq", "3", stdout = "pipe" }).stdout:lines() do
    lines[#lines + 1] = line
    task.sleep(0)
  end
  tap.is(table.concat(lines, " "), "1 2 3")
end)

-- -- Waiting ------------------------------------------------------------------

tap.test("tarantool#4915: who waits for a process does not poll", function()
  local function calls(seconds)
    local log = children.trace("epoll_wait,epoll_pwait,epoll_pwait2,poll,ppoll,"
      .. "select,nanosleep,clock_nanosleep,waitid,write", [[
      local p = process.spawn { "sh", "-c", "read x; exit 0", stdin = "pipe" }
      io.stderr:write "BEGIN\n"
      task.spawn(function() task.sleep(tonumber(arg[1])) p.stdin:close() end)
      p:wait()
      io.stderr:write "END\n"
    ]], { seconds, stderr = "null" })
    return children.count(log:match "BEGIN(.*)END", "\n")
  end
  local short, long = calls(0.05), calls(0.4)
  tap.ok(long < short + 10, ("%d calls, %d in less time"):format(long, short))
end)

tap.test("tarantool#4916: a wait may have an end, in three ways", function()
  local p <close> = process.spawn { "sleep", "600" }
  tap.throws(function() p:wait(0.01) end, "Timeout")
  tap.throws(function() task.timeout(0.01, p.wait, p) end, "Timeout")
  tap.is(task.move_on(0.01, p.wait, p), false)
  tap.is(p.status, nil)
end)

tap.test("tarantool doc#1248: a session, a group and signals to it can be had",
function()
  for _, opts in ipairs { { session = true }, { process_group = true } } do
    opts[1], opts[2] = "sh", "-c"
    opts[3] = "sleep 600 & echo $!; ps -o sid= -o pgid= -p $$; wait"
    opts.stdout = "pipe"
    local p <close> = process.spawn(opts)
    local grandchild = tonumber(p.stdout:readline())
    local sid, pgid = p.stdout:readline():match "(%d+)%s+(%d+)"
    tap.is(tonumber(pgid), p.pid)
    tap.is(tonumber(sid) == p.pid, opts.session == true)
    p:send_signal("KILL", "group")
    tap.is(p:wait().signal, "KILL")
    tap.eventually(function() return children.is_gone(grandchild) end)
  end
end)

-- -- The end, and errors ------------------------------------------------------

tap.test("execa#516, lua-eco: a wait for what can never come is told, not left "
  .. "in silence", function()
  for what, script in pairs {
    ["an event"] = "lv.sync.event():wait()",
    ["a queue"] = "lv.sync.queue():get()",
    ["a task"] = "local q = lv.sync.queue() "
      .. "task.spawn(function() return q:get() end):join()",
  } do
    local r = children.run(script, { check = false, timeout = 30 })
    tap.is(r.code, 1, what)
    tap.like(r.stderr, "eadlock", what)
  end
end)

tap.test("lua-eco: an error that nobody looks at is not passed over", function()
  for what, script in pairs {
    ["a spawn"] = "process.spawn { '/no/such/program' } print 'went on'",
    ["a command"] = "process.run { 'false' } print 'went on'",
    ["a write"] = "local p = process.spawn { 'true', stdin = 'pipe' } "
      .. "p:wait() p.stdin:write 'x' print 'went on'",
    ["a signal"] = "local p = process.spawn { 'true' } p:wait() p:kill() "
      .. "print 'went on'",
    ["a task"] = "task.spawn(function() process.run { 'false' } end) "
      .. "task.sleep(600) print 'went on'",
  } do
    local r = children.run(script, { check = false, timeout = 30 })
    tap.is(r.code, 1, what)
    tap.is(r.stdout, "", what)
    tap.isnt(r.stderr, "", what)
  end
end)

tap.test("lua-eco: what is not closed, waited for or freed goes with the "
  .. "script", function()
  local r = children.run([[
    local p = process.spawn { "sleep", "600", stdin = "pipe", stdout = "pipe" }
    local reader, writer = stream.pipe()
    writer:write "never read"
    task.detached(function() reader:readexactly(100) end)
    print(p.pid)
  ]], { timeout = 30 })
  tap.is(r.stderr, "")
  tap.ok(children.is_gone(tonumber(r.stdout)))
end)

tap.done()
