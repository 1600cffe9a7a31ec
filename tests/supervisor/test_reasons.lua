-- What is said of a service that is not as somebody wants it: why, and what
-- could be done.
local fs = require "luvisor.fs"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local is, like = tap.is, tap.like

local TMP <const> = os.getenv "TMPDIR"
local _ = require "luvisor".stream.stderr -- is opened once: no leak

local function with(services, fn)
  local sup <close> = supervisor.new { services = services,
    log = { dir = TMP .. "/log", level = "error" }, state_dir = TMP .. "/state",
    defaults = { stop = { grace = 5 }, backoff = { initial = 0, jitter = 0 } } }
  fn(sup)
  sup:close()
  if fs.exists(TMP .. "/log") then
    fs.remove(TMP .. "/log", { recursive = true })
  end
end

local function until_state(sup, name, state)
  sup:find(name)[1]:wait_until(function(inst) return inst.state == state end)
end

tap.test("a daemon that goes to the background must not", function()
  with({ a = { command = { shell = "sleep 1000 & exit 0" } } }, function(sup)
    sup:start("a", { wait = false })
    sup:wait("a", "stopped", 30)
    is(sup:status("a").reason, "exited 0; what it had started was stopped "
      .. "with it: it must stay in the foreground")
  end)
end)

tap.test("who crashes, or has left nobody, is not told so", function()
  with({
    a = { command = { shell = "sleep 1000 & exit 3" }, restart = "never" },
    b = { command = "true" },
    c = { command = { shell = "sleep 1000 & exit 0" }, type = "oneshot" },
  }, function(sup)
    for _, name in ipairs { "a", "b", "c" } do
      sup:start(name, { wait = false })
    end
    until_state(sup, "a", "failed")
    until_state(sup, "b", "stopped")
    until_state(sup, "c", "done")
    is(sup:status("a").reason, "exited 3")
    is(sup:status("b").reason, "exited 0")
    is(sup:status("c").reason, "exited 0")
  end)
end)

tap.test("who had to go for another says for whom, and only then", function()
  with({
    blue = { command = "sleep 1000" },
    green = { command = "sleep 1000", conflicts = { "blue" } },
  }, function(sup)
    sup:start "blue"
    sup:start "green"
    is(sup:status("blue").reason, "killed by TERM; conflicts with green")
    sup:start "blue"
    is(sup:status("green").reason, "killed by TERM; conflicts with blue")
    sup:stop "blue"
    is(sup:status("blue").reason, "killed by TERM")
  end)
end)

tap.test("who starts says what it is not ready for", function()
  with({
    plain = { command = "sleep 1000", ready = { delay = 1000 } },
    log = { command = "sleep 1000", ready = { log = "^up$" } },
    asked = { command = "sleep 1000", ready = { tcp = "127.0.0.1:1" } },
  }, function(sup)
    for _, name in ipairs { "plain", "log", "asked" } do
      sup:start(name, { wait = false })
      until_state(sup, name, "starting")
    end
    is(sup:status("plain").reason, "not ready yet")
    is(sup:status("log").reason, 'not ready yet: no line fits "^up$"')
    tap.eventually(function()
      return sup:status("asked").reason:find "^not ready yet: .*ECONNREFUSED"
    end, 30, "what the last probe has said")
  end)
end)

tap.test("a oneshot has as long as it takes, unless it is limited", function()
  with({
    free = { type = "oneshot", command = "true" },
    slow = { type = "oneshot", command = "sleep 1000", ready_timeout = 0.05 },
    quick = { type = "oneshot", command = "true", ready_timeout = 1000 },
  }, function(sup)
    is(sup.config.services.free.ready_timeout, nil, "no limit")
    local _, err = tap.throws(function() sup:start "slow" end, "Failed")
    is(tostring(err), "slow is failed: not done after 0.05 s")
    is(sup:status("slow").pid, nil)
    sup:start "quick"
    is(sup:status("quick").state, "done")
  end)
end)

tap.test("what never gets ready is not forgiven for the time it took",
  function()
    with({ a = { command = "sleep 1000", ready = { log = "^never" },
      ready_timeout = 0.02, burst = { count = 1000 },
      backoff = { initial = 0.05, factor = 10, reset_after = 0.01 } } },
      function(sup)
        sup:start("a", { wait = false })
        local inst = sup:find("a")[1]
        tap.eventually(function()
          return (inst.delay or 0) > 0.4
        end, 30, "the delays grow")
      end)
  end)

tap.test("a terminal is its input, too, unless stdin is something else",
  function()
    with({
      at = { command = { shell = "tty" }, pty = true, type = "oneshot" },
      off = { command = { shell = "tty; true" }, pty = true, type = "oneshot",
              stdin = "null" },
    }, function(sup)
      sup:start "at"
      sup:start "off"
      like(sup:find("at")[1].log:tail(1)[1], "^/dev/pts/%d+")
      like(sup:find("off")[1].log:tail(1)[1], "^not a tty")
    end)
  end)

tap.done()
