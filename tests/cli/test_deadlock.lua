local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, signal, sync, task = lv.process, lv.signal, lv.sync, lv.task
  local function on_close(fn) return setmetatable({}, { __close = fn }) end
  local function wait_for_ever() sync.event():wait() end
]]

local function run(code)
  return process.run { LUVISOR, "-e", PRELUDE .. code, check = false,
                       timeout = 60 }
end

tap.test("when nothing can wake any task, the program fails with a dump",
  function()
    local r = run [[
      local q = sync.queue()
      task.spawn(q.get, q).name = "the consumer"
      task.spawn(wait_for_ever)
    ]]
    tap.is(r.code, 1)
    tap.like(r.stderr, "^luvisor: deadlock: every task waits, and no child, "
      .. "timer, stream or signal is left that could wake one\n")
    tap.like(r.stderr, "\ntask 2 %(the consumer%) waiting for an item")
    tap.like(r.stderr, "\ntask 3 .* waiting for an event\nstack traceback:")
  end)

tap.test("the cleanup runs all the same, and may wait", function()
  local r = run [[
    task.at_exit(function()
      task.sleep(0.001)
      print(process.capture { "echo", "at exit" })
    end)
    local _ <close> = on_close(function(_, err)
      task.shield_for(60, task.sleep, 0.001)
      print("closed by " .. err.kind)
    end)
    wait_for_ever()
  ]]
  tap.is(r.code, 1)
  tap.is(r.stdout, "closed by Cancelled\nat exit\n")
end)

tap.test("a task that waits for itself in a circle is one", function()
  local r = run [[
    local a, b
    a = task.spawn(function() b:join() end)
    b = task.spawn(function() a:join() end)
  ]]
  tap.is(r.code, 1)
  tap.like(r.stderr, "waiting for a task to end")
  local r2 = run "local l = sync.lock() l:acquire() l:acquire()"
  tap.is(r2.code, 1)
end)

tap.test("our own handlers are nothing that may come, a script's are",
  function()
    local r = run [[
      task.spawn(function()
        signal.wait "USR1"
        print "woken"
      end)
      task.spawn(process.run, { shell = "kill -USR1 $PPID" })
    ]]
    tap.is(r.code, 0)
    tap.is(r.stdout, "woken\n")
    local p <close> = process.spawn {
      LUVISOR, "-e", PRELUDE .. [[
        local event = sync.event()
        signal.on("USR1", function() event:set() end)
        io.write "ready\n"
        io.flush()
        event:wait()
      ]], stdout = "pipe",
    }
    p.stdout:readline()
    p:send_signal "USR1"
    tap.is(p:wait(60).code, 0)
  end)

tap.test("a child, a timer and a stream may come", function()
  for _, wait in ipairs {
    "process.run { 'sleep', '0.02' }", "task.sleep(0.02)",
    "process.spawn({ 'sleep', '0.02', stdout = 'pipe' }).stdout:read()",
    "task.timeout(60, process.spawn({ 'true' }).wait, "
      .. "process.spawn { 'sleep', '0.02' })",
  } do
    local r = run(wait .. " print 'end'")
    tap.is(r.stdout, "end\n", wait)
    tap.is(r.code, 0, wait)
  end
end)

tap.test("a time limit around the wait may come", function()
  local r = run "print(task.move_on(0.01, wait_for_ever))"
  tap.is(r.stdout, "false\n")
  tap.is(r.code, 0)
end)

tap.test("a detached task alone is no deadlock, but waits with others",
  function()
    local r = run "task.detached(wait_for_ever) task.checkpoint()"
    tap.is(r.code, 0)
    r = run "task.detached(wait_for_ever) wait_for_ever()"
    tap.is(r.code, 1)
    tap.like(r.stderr, "deadlock")
  end)

tap.test("a second deadlock, during the cleanup, ends the program at once",
  function()
    local r = run [[
      local _ <close> = on_close(function()
        print "cleaning up"
        task.shield(wait_for_ever)
      end)
      wait_for_ever()
    ]]
    tap.is(r.code, 1)
    tap.is(r.stdout, "cleaning up\n", "what was printed is not lost")
    tap.like(r.stderr, "luvisor: deadlock during the cleanup\ntask 1 ")
  end)

tap.test("a deadlock in at_exit is one, too", function()
  local r = run [[
    task.at_exit(function() print "the other" end)
    task.at_exit(wait_for_ever)
  ]]
  tap.is(r.code, 1)
  tap.like(r.stderr, "deadlock: every task waits")
  tap.is(r.stdout, "the other\n")
end)

tap.test("Deadlock wins over os.exit's code and is told once", function()
  local r = run [[
    local _ <close> = on_close(function() task.shield(wait_for_ever) end)
    os.exit(0)
  ]]
  tap.is(r.code, 1)
  local _, count = r.stderr:gsub("luvisor: deadlock", "")
  tap.is(count, 1)
end)

tap.done()
