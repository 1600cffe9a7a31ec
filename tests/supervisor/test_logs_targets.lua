-- Where output goes that goes to no file: the journal, syslog, our own output,
-- nowhere.
local core = require "luvisor.core.notify"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local settings = require "luvisor.supervisor.logs.settings"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local SUPPORT <const> = os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua"
local logs = dofile(SUPPORT)

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

-- A socket that takes messages as journald and syslogd have one.
local Server = {}
Server.__index = Server

local function serve(path)
  local self = setmetatable({ got = {}, path = path }, Server)
  self.sock = core.open(path)
  self.task = task.detached(function()
    for text in function() return (self.sock:receive()) end do
      self.got[#self.got + 1] = text
    end
  end)
  return self
end

function Server:has(n)
  return tap.eventually(function() return #self.got >= n end, 20)
end

function Server:__close()
  self.sock:close()
  self.task:join()
  if fs.exists(self.path) then fs.remove(self.path) end
end

-- Call fn with the sockets of the journal and of syslog here.
local function with_sockets(fn)
  local journal, syslog = settings.journal, settings.syslog
  settings.journal = os.getenv "TMPDIR" .. "/journal"
  settings.syslog = os.getenv "TMPDIR" .. "/syslog"
  local returned, err = pcall(fn, settings.journal, settings.syslog)
  settings.journal, settings.syslog = journal, syslog
  if not returned then error(err, 0) end
end

local function fields_of(message)
  local fields = {}
  for name, value in message:gmatch "(%u[%u_]*)=([^\n]*)\n" do
    fields[name] = value
  end
  return fields
end

tap.test("the journal: each line is a message with its fields", function()
  with_sockets(function(journal)
    local server <close> = serve(journal)
    local t <close> = logs.new { target = "journal" }
    t:run "echo one; echo '<3>bad' >&2; echo; printf unfinished"
    server:has(3)
    is_deeply(fields_of(server.got[1]), {
      MESSAGE = "one", PRIORITY = "6", SYSLOG_FACILITY = "3",
      SYSLOG_IDENTIFIER = "web", UNIT = "web",
    })
    local second = fields_of(server.got[2])
    is(second.MESSAGE, "bad")
    is(second.PRIORITY, "3", "as the line says, like systemd's")
    is(fields_of(server.got[3]).MESSAGE, "unfinished")
    is_deeply(t.log:tail(9), { "one", "<3>bad", "", "unfinished" },
      "the last lines are here")
  end)
end)

tap.test("syslog has messages of its own kind", function()
  with_sockets(function(_, syslog)
    local server <close> = serve(syslog)
    local t <close> = logs.new { target = "syslog" }
    t:run "echo one; echo '<0>panic'"
    server:has(2)
    like(server.got[1], "^<30>%u%l%l [ %d]%d %d%d:%d%d:%d%d web: one$")
    like(server.got[2], "^<24>.* web: panic$")
  end)
end)

tap.test("syslog does where there is no journal", function()
  with_sockets(function(_, syslog)
    local server <close> = serve(syslog)
    local t <close> = logs.new { target = "journal" }
    t:run "echo one"
    server:has(1)
    like(server.got[1], "web: one$")
  end)
end)

tap.test("where there is neither, nothing is started", function()
  with_sockets(function()
    local t <close> = logs.new { target = "journal" }
    local _, err = tap.throws(function() t.log:stdio() end, "ENOENT")
    is(tostring(err), "its log the journal cannot be opened: "
      .. "No such file or directory (ENOENT)")
  end)
end)

tap.test("a line too long for one message is several", function()
  with_sockets(function(_, syslog)
    local server <close> = serve(syslog)
    local t <close> = logs.new { target = "syslog" }
    t:run "head -c 20000 /dev/zero | tr '\\0' x; echo; echo end"
    server:has(4)
    like(server.got[4], "web: end$")
  end)
end)

tap.test("a journal that is started anew misses nothing", function()
  with_sockets(function(journal)
    local t <close> = logs.new { target = "journal" }
    local p
    do
      local first <close> = serve(journal)
      p = t:start { "cat", stdin = "pipe" }
      p.stdin:write "one\n"
      first:has(1)
    end
    p.stdin:write "two\nthree\n"
    tap.eventually(function() return t.events[1] end, 20)
    is(t.events[1].what, "pressure")
    local second <close> = serve(journal)
    second:has(2)
    is(fields_of(second.got[1]).MESSAGE, "two")
    is(fields_of(second.got[2]).MESSAGE, "three")
    tap.eventually(function()
      return t.events[2] and t.events[2].what == "relief"
    end, 20)
    p.stdin:close()
    p:wait()
    t:drained()
  end)
end)

tap.test("nowhere: nothing is written, but the last lines are there", function()
  local t <close> = logs.new { target = "null" }
  t:run "seq 1 300; printf unfinished"
  is(fs.exists(logs.dir), false)
  is_deeply(t.log:tail(2), { "300", "unfinished" })
  is(#t.log:tail(1000), 200)
  is(t.log:stats().bytes, 1102)
end)

tap.test("what is remembered is bounded", function()
  local t <close> = logs.new { target = "null" }
  t:run "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"
  local lines = t.log:tail(2)
  is(lines[#lines], "end")
  ok(#lines[1] <= 128 << 10, "a part of the long line is there")
  is(t.log:stats().bytes, 3000005)
end)

-- Run code in a program of its own, for its own output is looked at.
local function run_code(code)
  return process.run { os.getenv "LUVISOR", "-e",
    ("local logs = dofile(%q) "):format(SUPPORT) .. code }
end

tap.test("our own output: each stream to ours, by whole lines", function()
  local result = run_code [[
    local t <close> = logs.new { target = "inherit" }
    t:run "printf 'out a\nout'; echo err >&2; printf ' b\nrest'"
    io.stderr:write(table.concat(t.log:tail(10), "|"), "\n")
  ]]
  is(result.stdout, "out a\nout b\nrest\n")
  is(result.stderr, "err\nout a|out b|rest|err\n")
end)

tap.test("our own output may have stamps", function()
  local result = run_code [[
    local t <close> = logs.new { target = "inherit", timestamps = "unix" }
    t:run "echo one; echo two"
  ]]
  like(result.stdout, "^%d+%.%d%d%d%d%d%d one\n%d+%.%d%d%d%d%d%d two\n$")
end)

tap.test("a service may outlive whoever reads our output", function()
  local result = process.run { shell = [["$LUVISOR" -e "$CODE" | :]], env = {
    CODE = ("local logs = dofile(%q)\n"):format(SUPPORT) .. [[
      local t <close> = logs.new { target = "inherit", on_pressure = "drop" }
      local status = t:start "seq 1000000":wait()
      t.log:drained()
      io.stderr:write(tostring(status.ok and t.log:stats().dropped > 0))
    ]],
  } }
  is(result.stderr, "true")
end)

tap.done()
