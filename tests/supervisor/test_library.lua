-- luvisor.supervisor in a script: it owns its services, and leaves nothing
-- behind, however it ends.
local fs = require "luvisor.fs"
local lv = require "luvisor"
local process = require "luvisor.process"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local LUVISOR <const> = os.getenv "LUVISOR"
local services = dofile(SOURCE .. "/tests/support/services.lua")

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

-- A script that has a service which sleeps for `mark` seconds, and does as
-- `rest` says.
local function script(mark, rest)
  return { LUVISOR, "-e", ([[
local lv = require "luvisor"
local task = lv.task
local supervisor = require "luvisor.supervisor"
local sup <close> = supervisor.new {
  log = { dir = "%s/log", level = "error" },
  services = { a = { command = { shell =
    "setsid sleep %s & trap '' TERM; echo port=7 up; sleep %s; sleep %s" },
    ready = { log = "(port=%%d) up" }, stop = { grace = 0.05 } } },
}
]]):format(TMP, mark, mark, mark) .. rest, stdout = "pipe", stderr = "pipe",
    check = false, timeout = 60 }
end

local function is_alone(mark, name)
  tap.eventually(function()
    return #services.alive(mark, "sleep") == 0
  end, 30, name or "nothing is left")
  services.clean()
end

tap.test("start, wait, facts, stop", function()
  local sup <close> = supervisor.new(services.config {
    db = { command = { shell = "echo port=7; exec sleep 100" },
           ready = { log = "(port=%d)" } },
    web = { command = "sleep 100", requires = { "db" } },
  })
  sup:start "web"
  sup:wait("web", "ready", 30)
  sup:wait("db", "running", 30)
  is(sup:status("db").facts.port, "7")
  is_deeply({ sup:status("web").state, sup:status("db").ready },
    { "running", true })
  sup:stop "db"
  sup:wait("db", "stopped", 30)
  sup:close()
  services.clean()
end)

tap.test("start_all, and events", function()
  local sup <close> = supervisor.new(services.config {
    a = { command = "sleep 100" },
    b = { command = "sleep 100", autostart = false },
  })
  local follower <close> = sup.events:subscribe()
  sup:start_all()
  for event in follower do
    if event.service == "a" and event.to == "running" then break end
  end
  is(sup:status("b").state, "stopped")
  sup:close()
  services.clean()
end)

tap.test("wait raises Timeout, and tells wrong words", function()
  local sup <close> = supervisor.new(services.config {
    a = { command = "sleep 100", ready = { delay = 1000 } } })
  sup:start("a", { wait = false })
  tap.throws(function() sup:wait("a", "ready", 0.01) end, "Timeout")
  tap.throws(function() sup:start("a", { wait = 0.01 }) end, "Timeout")
  is(sup:status("a").state, "starting", "and it goes on")
  tap.throws(function() sup:wait("a", "redy", 1) end, "UsageError")
  tap.throws(function() sup:start "b" end, "UsageError")
  sup:close()
  services.clean()
end)

tap.test("a configuration of a script is checked, with its line", function()
  local _, err = tap.throws(function()
    supervisor.new { services = {
      a = { comand = "x" }, b = { command = "sleep 1", requires = { "c" } } } }
  end, "ConfigError")
  is(#err.errors, 3)
  like(tostring(err), "test_library.lua:%d+: service \"a\": comand: ")
end)

tap.test("left by <close>, by an error, by a cancel", function()
  local mark = services.mark()
  local function open()
    return supervisor.new(services.config {
      a = { command = { "sleep", mark } } })
  end
  do
    local sup <close> = open()
    sup:start "a"
  end
  is(#services.alive(mark), 0, "by <close>")
  pcall(function()
    local sup <close> = open()
    sup:start "a"
    error "oh"
  end)
  is(#services.alive(mark), 0, "by an error")
  task.move_on(0.2, function()
    local sup <close> = open()
    sup:start "a"
    task.sleep(1000)
  end)
  is(#services.alive(mark), 0, "by a cancel")
  services.clean()
end)

tap.test("the end of the script is the end of all, without a close", function()
  local mark = services.mark()
  local r = process.run(script(mark, [[
    sup:start "a"
    print(sup:status("a").facts.port, sup:status("a").state)
  ]]))
  is(r.stdout, "7\trunning\n")
  is(r.code, 0)
  is_alone(mark)
end)

tap.test("so it is after an error, and after os.exit", function()
  local mark = services.mark()
  local r = process.run(script(mark, "sup:start 'a' error('oh', 0)"))
  is(r.code, 1)
  like(r.stderr, "oh")
  is_alone(mark)
  r = process.run(script(mark, "sup:start 'a' os.exit(5)"))
  is(r.code, 5)
  is_alone(mark)
end)

tap.test("and of a supervisor that is in no <close>", function()
  for ending, code in pairs {
    ["print 'left'"] = 0, ["error 'x'"] = 1, ["os.exit(3)"] = 3,
  } do
    local mark = services.mark()
    local argv = script(mark, "sup:start 'a' " .. ending)
    argv[3] = argv[3]:gsub("sup <close>", "sup")
    is(process.run(argv).code, code, ending)
    is_alone(mark)
  end
end)

tap.test("after ^C and TERM: at rest, at the start, at the stop", function()
  local mark = services.mark()
  for _, rest in ipairs {
    "sup:start 'a' print 'go' task.sleep(1000)",
    [[task.spawn(function() sup:start "a" end)
      sup:wait("a", "starting") print "go" task.sleep(1000)]],
    [[sup:start "a" print "go" sup:stop "a" task.sleep(1000)]],
  } do
    for sig, code in pairs { INT = 130, TERM = 143 } do
      local opts = script(mark, rest)
      opts.check, opts.timeout = nil, nil
      local p <close> = process.spawn(opts)
      is(p.stdout:readline(), "go")
      p:send_signal(sig)
      is(p:wait(30).code, code)
      is_alone(mark, sig)
    end
  end
end)

tap.test("a supervisor beside another", function()
  local one <close> = supervisor.new(services.config {
    a = { command = "sleep 100" } })
  local two <close> = supervisor.new(services.config({
    a = { command = "sleep 100" } }, { log = { dir = TMP .. "/log/two" } }))
  task.gather(function() one:start "a" end, function() two:start "a" end)
  ok(one:status("a").pid ~= two:status("a").pid)
  one:close()
  is(two:status("a").state, "running")
  two:close()
  services.clean()
end)

tap.test("closed, it starts nothing any more", function()
  local sup = supervisor.new(services.config { a = { command = "sleep 100" } })
  sup:close()
  sup:close()
  tap.throws(function() sup:start "a" end)
  services.clean()
end)

tap.test("the logs are there", function()
  local sup <close> = supervisor.new(services.config {
    a = { type = "oneshot", command = { shell = "echo one; echo two >&2" } } })
  sup:start "a"
  is_deeply(sup:find("a")[1].log:tail(5), { "one", "two" })
  is(fs.read_file(TMP .. "/log/a.log"), "one\ntwo\n")
  sup:close()
  services.clean()
end)

tap.done()
