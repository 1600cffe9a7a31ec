local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local LUVISOR <const> = os.getenv "LUVISOR"

-- Before every script that is run here.
local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, signal, task = lv.process, lv.signal, lv.task
  local function on_close(fn) return setmetatable({}, { __close = fn }) end
  local function wait_for_ever()
    signal.wait "USR1"
  end
  local function say(text)
    io.write(text, "\n")
    io.flush()
  end
]]

local function run(code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUVISOR, "-e", PRELUDE .. code
  opts.check, opts.timeout = false, 60
  return process.run(opts)
end

local function spawn(code, opts)
  opts = opts or {}
  opts[1], opts[2], opts[3] = LUVISOR, "-e", PRELUDE .. code
  opts.stdout = "pipe"
  return process.spawn(opts)
end

local function is_gone(pid)
  return not pcall(signal.send, pid, 0)
end

-- This one takes its five seconds beside the tests.
local patient <close> = spawn [[
  say(process.spawn({ "sleep", "600" }).pid)
  while true do end
]]
local patients_child <const> = tonumber(patient.stdout:readline())
patient:send_signal "INT"

local CHILD_AND_CLEANUP <const> = [[
  local p = process.spawn { "sleep", "600" }
  local _ <close> = on_close(function() say "closed" end)
  task.at_exit(function() say "at exit" end)
  say(p.pid)
]]

tap.test("INT and TERM end the program in order: 130 and 143", function()
  for sig, code in pairs { INT = 130, TERM = 143 } do
    local p <close> = spawn(CHILD_AND_CLEANUP .. "p:wait()")
    local pid = tonumber(p.stdout:readline())
    p:send_signal(sig)
    tap.is(p.stdout:read(), "closed\nat exit\n")
    tap.is(p:wait(60).code, code)
    tap.ok(is_gone(pid))
  end
end)

tap.test("a second INT or TERM ends it at once, and its children", function()
  for _, second in ipairs { "INT", "TERM" } do
    local p <close> = spawn(CHILD_AND_CLEANUP .. [[
      local _ <close> = on_close(function()
        say "cleaning up"
        task.shield(task.sleep, 600)
      end)
      p:wait()
    ]])
    local pid = tonumber(p.stdout:readline())
    p:send_signal "INT"
    tap.is(p.stdout:readline(), "cleaning up")
    p:send_signal(second)
    tap.is(p:wait(60).code, 128 + signal.number(second))
    tap.is(p.stdout:read(), "", "no cleanup")
    tap.eventually(function() return is_gone(pid) end)
  end
end)

tap.test("the second ends a script that never comes back to wait", function()
  local p <close> = spawn [[
    local p = process.spawn { shell = "sleep 600 & echo $!; wait",
                              stdout = "inherit" }
    say(p.pid)
    while true do end
  ]]
  local first, second = p.stdout:readline(), p.stdout:readline()
  p:send_signal "INT"
  p:send_signal "TERM"
  tap.is(p:wait(60).code, 143)
  tap.eventually(function()
    return is_gone(tonumber(first)) and is_gone(tonumber(second))
  end, "the whole group is gone")
end)

tap.test("children that come and go are not left at the second INT", function()
  for _ = 1, 10 do
    local p <close> = spawn([[
      signal.ignore "INT"
      task.spawn(function()
        task.sleep(0.001 * math.random(10))
        signal.ignore("INT", false)
        say "ready"
      end)
      while true do
        process.spawn({ "sleep", "0.003", stdout = "inherit" })
        process.run { "true" }
      end
    ]], { stderr = "null" }) -- which tells of children that were dropped
    p.stdout:readline()
    p:send_signal "INT"
    p:send_signal "INT"
    local status = p:wait(60)
    tap.is(status.code, 130)
    tap.is(p.stdout:read(), "", "who had our output is gone")
  end
end)

tap.test("INT during os.exit's cleanup changes the code; a second kills",
  function()
    local p <close> = spawn [[
      local names = signal.listen { "USR1" }
      local _ <close> = on_close(function()
        say "cleaning up"
        task.shield_for(60, names)
      end)
      os.exit(7)
    ]]
    p.stdout:readline()
    p:send_signal "INT"
    p:send_signal "USR1"
    tap.is(p:wait(60).code, 130)
  end)

tap.test("a script that listens to INT is not ended by it", function()
  local p <close> = spawn [[
    local names = signal.listen { "INT" }
    say "ready"
    for i = 1, 3 do say(names() .. i) end
    names:close()
    say "closed"
    wait_for_ever()
  ]]
  tap.is(p.stdout:readline(), "ready")
  for i = 1, 3 do
    p:send_signal "INT"
    tap.is(p.stdout:readline(), "INT" .. i)
  end
  tap.is(p.stdout:readline(), "closed")
  p:send_signal "INT"
  tap.is(p:wait(60).code, 130, "until it listens no more")
end)

tap.test("a script may ignore INT, and take it back", function()
  local p <close> = spawn [[
    signal.ignore "INT"
    local listener <close> = signal.listen { "USR2" }
    say "ready"
    listener()
    signal.ignore("INT", false)
    say "back"
    wait_for_ever()
  ]]
  tap.is(p.stdout:readline(), "ready")
  for _ = 1, 3 do p:send_signal "INT" end
  p:send_signal "USR2"
  tap.is(p.stdout:readline(), "back")
  p:send_signal "INT"
  tap.is(p:wait(60).code, 130)
end)

tap.test("INT that was ignored when we started stays so", function()
  local p <close> = process.spawn {
    "sh", "-c", 'trap "" INT; exec "$0" -e "$1"', LUVISOR,
    [[local listener <close> = require("luvisor.signal").listen { "USR1" }
      print "ready" io.flush() print(listener())]],
    stdout = "pipe",
  }
  tap.is(p.stdout:readline(), "ready")
  for _ = 1, 3 do p:send_signal "INT" end
  p:send_signal "USR1"
  tap.is(p.stdout:readline(), "USR1")
  tap.is(p:wait(60).code, 0)
end)

tap.test("a handler's error ends the program as any task's", function()
  local r = run [[
    signal.on("USR2", function(name) error("handling " .. name, 0) end)
    task.at_exit(function() say "at exit" end)
    process.run { shell = "kill -USR2 $PPID" }
    wait_for_ever()
  ]]
  tap.is(r.code, 1)
  tap.is(r.stdout, "at exit\n")
  tap.like(r.stderr, "^luvisor: handling USR2\n")
end)

tap.test("signal.on does not keep the program alive", function()
  local r = run [[
    signal.on("USR2", print)
    signal.on("INT", print)
    say "end"
  ]]
  tap.is(r.stdout, "end\n")
  tap.ok(r.ok)
end)

tap.test("QUIT prints what every task does, and nothing ends", function()
  local p <close> = spawn([[
    local t = task.spawn(wait_for_ever)
    t.name = "the waiter"
    local names = signal.listen { "USR2" }
    task.checkpoint()
    say "ready"
    names()
    say "end"
    t:cancel()
  ]], { stderr = "pipe" })
  tap.is(p.stdout:readline(), "ready")
  p:send_signal "QUIT"
  tap.is(p.stderr:readline(), "luvisor: 2 tasks")
  local dump = p.stderr:readuntil "(the waiter) waiting for a signal\n"
  tap.like(dump, "^task 1 %(%(command line%)%) waiting for a signal\n")
  tap.is(p.stderr:readline(), "stack traceback:")
  p:send_signal "USR2"
  tap.is(p.stdout:readline(), "end")
  tap.is(p:wait(60).code, 0)
end)

tap.test("one is enough in the end: after five seconds it counts for two",
  function()
    tap.is(patient:wait(60).code, 130)
    tap.eventually(function() return is_gone(patients_child) end)
  end)

tap.done()
