-- After CPython's test_unix_events.py: signal handlers of a loop.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local core_os = require "luvisor.core.os"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

local function send_self(sig)
  signal.send(core_os.getpid(), sig)
end

test("test_check_signal: what is no signal is refused", function()
  local loop = asyncio.get_running_loop()
  for _, sig in ipairs { "NONE", 65, -1, {} } do
    tap.throws(function() loop:add_signal_handler(sig, print) end,
      "no such signal")
    tap.throws(function() loop:remove_signal_handler(sig) end,
      "no such signal")
  end
end)

test("test_add_signal_handler: it is called with its arguments", function()
  local loop, heard = asyncio.get_running_loop(), asyncio.Future()
  loop:add_signal_handler("HUP", heard.set_result, heard, "hung up")
  send_self "HUP"
  tap.is(heard:await(), "hung up")
  tap.is(loop:remove_signal_handler "HUP", true)
end)

test("test_add_signal_handler_coroutine_error: it may wait", function()
  local loop, heard = asyncio.get_running_loop(), asyncio.Future()
  loop:add_signal_handler("HUP", function()
    asyncio.sleep(0)
    heard:set_result "waited"
  end)
  send_self "HUP"
  tap.is(heard:await(), "waited")
  loop:remove_signal_handler "HUP"
end)

test("test_add_signal_handler_install_error2: one that cannot be caught",
function()
  local loop = asyncio.get_running_loop()
  for _, sig in ipairs { "KILL", "STOP" } do
    tap.throws(function() loop:add_signal_handler(sig, print) end,
      sig .. " cannot be caught")
    tap.is(loop:remove_signal_handler(sig), false)
  end
end)

-- A script that adds a handler, does this, and sends itself the signal.
local function killed_by(sig, action)
  local r = children.run([[
    local sig, action = arg[1], arg[2]
    local asyncio, loop = lv.asyncio
    asyncio.run(function()
      loop = asyncio.get_running_loop()
      loop:add_signal_handler(sig, print, "handled")
      if action == "remove" then loop:remove_signal_handler(sig) end
    end)
    lv.signal.send(require "luvisor.core.os".getpid(), sig)
    lv.task.sleep(5)
  ]], { sig, action, check = false })
  tap.is(r.stdout, "")
  return r.returncode
end

tap.test("test_remove_signal_handler: the signal does what it did", function()
  tap.is(killed_by("USR1", "remove"), -signal.number "USR1")
end)

tap.test("test_remove_signal_handler_2: INT ends the program again", function()
  tap.is(killed_by("INT", "remove"), 130)
end)

tap.test("test_close: handlers go with their loop", function()
  tap.is(killed_by("USR1", "close"), -signal.number "USR1")
end)

tap.test("test_fork_signal_handling: a child's signal is not ours", function()
  asyncio.run(function()
    local loop, heard = asyncio.get_running_loop(), 0
    loop:add_signal_handler("USR1", function() heard = heard + 1 end)
    local p = asyncio.create_subprocess_exec("sleep", "60")
    p:send_signal "USR1"
    tap.is(p:wait(), -signal.number "USR1", "it has the default")
    asyncio.sleep(0)
    tap.is(heard, 0)
    loop:remove_signal_handler "USR1"
  end)
end)

tap.done()
