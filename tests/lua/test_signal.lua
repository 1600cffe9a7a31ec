local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local function let_run()
  for _ = 1, 5 do task.checkpoint() end
end

-- A signal that a thread sends to itself has arrived when kill returns.
local function send_self(sig, times)
  for _ = 1, times or 1 do signal.send(core_os.getpid(), sig) end
end

tap.test("a signal may be said in three ways", function()
  for _, sig in ipairs { "TERM", "SIGTERM", 15 } do
    tap.is(signal.number(sig), 15)
    tap.is(signal.name(sig), "TERM")
  end
  tap.is(signal.name "SIGUSR1", "USR1")
  tap.is(signal.number(signal.name(64)), 64, "real-time ones, too")
end)

tap.test("what is no signal is refused", function()
  local wrong = { "FOO", "", "sigterm ", -1, 65, 15.5, 1 << 32 | 15, {}, true }
  for _, sig in ipairs(wrong) do
    tap.throws(function() signal.number(sig) end, "no such signal")
    tap.throws(function() signal.wait(sig) end, "UsageError")
  end
  tap.throws(function() signal.number() end, "UsageError")
  tap.throws(function() signal.name(0) end, "UsageError")
end)

tap.test("what cannot be caught is refused", function()
  for _, sig in ipairs { "KILL", "STOP", "SEGV", "BUS", "FPE", "ILL", 0 } do
    tap.throws(function() signal.wait(sig) end, "cannot be caught")
  end
  tap.throws(function() signal.wait("USR1", "KILL") end, "KILL cannot")
  tap.throws(function() signal.wait() end, "UsageError")
  tap.throws(function() signal.listen {} end, "UsageError")
  tap.throws(function() signal.listen "USR1" end, "list of signals")
  tap.throws(function() signal.on("KILL", print) end, "cannot be caught")
  tap.throws(function() signal.on "USR1" end, "expected a function")
end)

tap.test("wait returns the name of the one that came", function()
  local t = task.spawn(signal.wait, "USR1", 12)
  let_run()
  send_self "USR2"
  tap.is(t:join(), "USR2")
end)

tap.test("a wait may be cancelled", function()
  tap.is(task.move_on(0.001, signal.wait, "USR1"), false)
end)

tap.test("listen hears each arrival, however many and whenever", function()
  local heard = { USR1 = 0, USR2 = 0 }
  local names = signal.listen { "USR1", "USR2" }
  send_self("USR1", 3000)
  send_self("USR2", 2000)
  task.nursery(function(n)
    n:spawn(function()
      for name in names do
        heard[name] = heard[name] + 1
        if heard[name] % 100 == 0 then task.checkpoint() end
      end
    end)
    let_run()
    send_self("USR1", 1000)
    tap.eventually(function() return heard.USR1 == 4000 end)
    names:close()
  end)
  tap.is_deeply(heard, { USR1 = 4000, USR2 = 2000 })
end)

tap.test("the loop over listen stops listening when it is left", function()
  signal.ignore "USR1"
  local count = 0
  send_self "USR1" -- ignored
  local t = task.spawn(function()
    for _ in signal.listen { "USR1" } do
      count = count + 1
      if count == 2 then break end
    end
  end)
  let_run()
  send_self("USR1", 2)
  t:join()
  send_self "USR1" -- ignored again: we live
  tap.is(count, 2)
  signal.ignore("USR1", false)
end)

tap.test("what was ignored before a wait is ignored after it", function()
  signal.ignore "USR2"
  local t = task.spawn(signal.wait, "USR2")
  let_run()
  send_self "USR2"
  tap.is(t:join(), "USR2", "but heard meanwhile")
  send_self "USR2"
  signal.ignore("USR2", false)
  t = task.spawn(signal.wait, "PIPE")
  let_run()
  send_self "PIPE"
  tap.is(t:join(), "PIPE")
  send_self "PIPE" -- we ignore it ourselves
end)

tap.test("children start with defaults, whatever we ignore", function()
  signal.ignore "USR1"
  local status = process.run { shell = "kill -USR1 $$; exit 0", check = false }
  tap.is(status.signal, "USR1")
  signal.ignore("USR1", false)
end)

tap.test("what must not be ignored is refused", function()
  tap.throws(function() signal.ignore "CHLD" end, "how a child ended")
  tap.throws(function() signal.ignore "KILL" end, "KILL cannot be ignored")
  tap.throws(function() signal.ignore(0) end, "UsageError")
end)

tap.test("CHLD may be listened to while children are waited for", function()
  local names = signal.listen { "CHLD" }
  tap.is(process.run({ "true" }).ok, true)
  tap.is(names(), "CHLD")
  names:close()
  tap.is(process.run({ "true" }).ok, true)
end)

tap.test("every listener of a signal hears it", function()
  local first, second = signal.listen { "USR1" }, signal.listen { "USR1" }
  send_self "USR1"
  tap.is(first(), "USR1")
  tap.is(second(), "USR1")
  first:close()
  send_self "USR1"
  tap.is(second(), "USR1")
  second:close()
end)

tap.test("close wakes who waits; what had come is given first", function()
  local names = signal.listen { "USR1" }
  local t = task.spawn(names.next, names)
  let_run()
  names:close()
  tap.is(t:join(), nil)
  names:close()
  names = signal.listen { "USR1" }
  send_self("USR1", 2)
  tap.is(names(), "USR1")
  names:close()
  tap.is(names(), "USR1")
  tap.is(names(), nil)
end)

tap.test("two tasks cannot wait for one listener", function()
  local names = signal.listen { "USR1" }
  local t = task.spawn(names.next, names)
  let_run()
  tap.throws(function() names:next() end, "Busy")
  t:cancel()
  local second = task.spawn(names.next, names)
  let_run()
  send_self "USR1"
  tap.is(second:join(), "USR1", "the next one may, at once")
  names:close()
end)

tap.test("a cancelled wait for a listener takes nothing", function()
  local names = signal.listen { "USR1" }
  local t = task.spawn(names.next, names)
  let_run()
  t:cancel()
  send_self "USR1"
  let_run()
  tap.is(t.state, "cancelled")
  tap.is(names(), "USR1")
  names:close()
end)

tap.test("on calls its function for each arrival, in tasks that may wait",
  function()
    local names = {}
    local handle = signal.on("USR1", function(name)
      task.checkpoint()
      names[#names + 1] = name
    end)
    send_self("USR1", 3)
    tap.eventually(function() return #names == 3 end)
    tap.is_deeply(names, { "USR1", "USR1", "USR1" })
    handle:close()
    handle:close()
    signal.ignore "USR1"
    send_self "USR1"
    let_run()
    tap.is(#names, 3, "not after it was closed")
    signal.ignore("USR1", false)
  end)

tap.test("a listener that is collected listens no more", function()
  signal.ignore "USR1"
  signal.listen { "USR1" }
  collectgarbage()
  collectgarbage()
  send_self "USR1"
  signal.ignore("USR1", false)
end)

tap.test("send says what is wrong", function()
  tap.throws(function() signal.send(2147483647, "TERM") end, "NoProcess")
  tap.throws(function() signal.send(1 << 40, "TERM") end, "no such pid")
  tap.throws(function() signal.send("1", "TERM") end, "pid must be an integer")
  tap.throws(function() signal.send(1.5, "TERM") end, "UsageError")
  tap.throws(function() signal.send(core_os.getpid()) end, "no such signal")
  signal.send(core_os.getpid(), 0)
end)

tap.done()
