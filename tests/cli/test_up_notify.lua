-- What luvisor up tells whoever started it, by sd_notify(3).
local core = require "luvisor.core.notify"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, ok, like = tap.is, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

local DIR <const> = os.getenv "TMPDIR"

-- Calls fn with the address of a socket and a function that returns the next
-- message that matches, and who sent it.
local function listening(address, fn)
  local sock <close> = core.open(address)
  local function next_message(pattern)
    return task.timeout(20, function()
      local text, pid = sock:receive()
      while text and not text:find(pattern) do text, pid = sock:receive() end
      return text, pid
    end)
  end
  fn(address, next_message)
  sock:close()
  os.remove(address)
end

local CONFIG <const> = [[
  service "fast" { command = "sleep 1000" }
  service "slow" { command = "sleep 1001", requires = { "fast" },
    ready = { command = "test -e go" } }
  service "job" { type = "job", command = "true", schedule = "every 1h" }
]]

tap.test("READY=1 comes when the first starts are over, STOPPING=1 at the end",
  function()
    listening(DIR .. "/notify", function(address, next_message)
      local up <close> = ups.start(CONFIG,
        { env = { NOTIFY_SOCKET = address } })
      is(next_message "STATUS=%d of", "STATUS=0 of 3 services up")
      up:says "fast running"
      ok(not up:err():find "slow running", "one is still on its way")
      local file <close> = assert(io.open(up.dir .. "/go", "w"))
      file:close()
      local text, pid = next_message "READY"
      is(text, "READY=1")
      is(pid, up.process.pid)
      up:says "slow running"
      is(next_message "STATUS=2", "STATUS=2 of 3 services up")
      up.process:send_signal "TERM"
      like(next_message "STOPPING", "^STOPPING=1\n")
      is(up:ended().code, 0)
    end)
  end)

tap.test("what has failed does not hold up READY=1", function()
  listening("@luvisor-test-" .. DIR, function(address, next_message)
    local up <close> = ups.start([[
      service "a" { command = "false", restart = "never", type = "oneshot" }
      service "b" { command = "sleep 1000", requires = { "a" } } ]],
      { env = { NOTIFY_SOCKET = address } })
    is(next_message "READY", "READY=1")
    up:says "a failed"
    is(up:stop().code, 0)
  end)
end)

tap.test("an apply is RELOADING=1 with its time, and READY=1 again", function()
  listening(DIR .. "/notify", function(address, next_message)
    local up <close> = ups.start([[service "a" { command = "sleep 1000" }]],
      { env = { NOTIFY_SOCKET = address } })
    next_message "READY"
    up.process:send_signal "HUP"
    like(next_message "RELOADING", "^RELOADING=1\nMONOTONIC_USEC=%d+$")
    is(next_message "READY", "READY=1")
    is(up:stop().code, 0)
  end)
end)

tap.test("WATCHDOG=1 comes as often as it must", function()
  listening(DIR .. "/notify", function(address, next_message)
    local up <close> = ups.start([[service "a" { command = "sleep 1000" }]], {
      env = { NOTIFY_SOCKET = address, WATCHDOG_USEC = "100000" } })
    for _ = 1, 3 do is(next_message "WATCHDOG", "WATCHDOG=1") end
    is(up:stop().code, 0)
  end)
end)

tap.test("services do not inherit what is meant for luvisor", function()
  listening(DIR .. "/notify", function(address, next_message)
    local up <close> = ups.start([[service "a" { type = "oneshot",
      command = { shell = "env > env" } } ]], { env = {
        NOTIFY_SOCKET = address, WATCHDOG_USEC = "1000000000",
        LISTEN_FDS = "1", KEPT = "yes" } })
    next_message "READY"
    local text = table.concat(up:lines "env", "\n")
    like(text, "KEPT=yes")
    for _, name in ipairs { "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS" } do
      ok(not text:find(name, 1, true), name)
    end
    is(up:stop().code, 0)
  end)
end)

tap.done()
