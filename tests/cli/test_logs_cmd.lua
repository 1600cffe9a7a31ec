-- luvisor logs and events: of one and of several, followed, since a time.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local since = require "luvisor.cli.since"
local tap = require "luvisor.tap"
local task = require "luvisor.task"
local time = require "luvisor.time"

local is, is_deeply, ok, like = tap.is, tap.is_deeply, tap.ok, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local ups = dofile(SOURCE .. "/tests/support/up.lua")

-- Each writes what it is told to by a file of its name: a line for a line.
local WRITER <const> = [[
service %q { log = { timestamps = %s }, command = { shell = [=[
  i=0
  echo begin
  while :; do
    while test -s say-%s && test $i -lt $(wc -l < say-%s); do
      i=$((i + 1))
      sed -n "${i}p" say-%s
    done
    sleep 0.02
  done
]=] } }
]]

local function writer(name, stamps)
  return WRITER:format(name, stamps or "false", name, name, name)
end

local up = ups.start(writer "a" .. writer "long-name" .. writer("b", '"iso"')
  .. 'service "none" { command = "sleep 1000", autostart = false }')

local function say(name, text)
  local path = up.dir .. "/say-" .. name
  local before = fs.exists(path) and fs.read_file(path) or ""
  fs.write_file(path, before .. text .. "\n")
end

local function logged(line, code)
  return up:luvisor("logs " .. line, code).stdout
end

tap.test("the last lines of one, as they are", function()
  up:says "long%-name running"
  tap.eventually(function() return logged "a" == "begin\n" end)
  say("a", "one\ntwo\nthree")
  tap.eventually(function()
    return logged "a" == "begin\none\ntwo\nthree\n"
  end)
  is(logged "a -n 2", "two\nthree\n")
  is(logged "-n0 a", "")
  is(logged "none", "")
end)

tap.test("of several, each line begins with whose it is", function()
  tap.eventually(function() return logged "long-name" == "begin\n" end)
  is(logged "a long-name -n 1", "a         | three\nlong-name | begin\n")
  local all = logged "--all -n 1"
  like(all, "^a         | three\nlong%-name | begin\n")
  like(all, "\nb         | [^\n]* begin\n$")
end)

tap.test("as JSON, one object a line", function()
  is(logged "a -n 1 --json", '{"line":"three","service":"a"}\n')
  for line in logged("a long-name --json"):gmatch "[^\n]+" do
    local one = json.decode(line)
    ok(one.service == "a" or one.service == "long-name", line)
  end
end)

tap.test("-f goes on with what comes", function()
  local p <close> = up:follow "logs -f -n 1 a"
  is(p.stdout:readline(), "three")
  say("a", "four")
  is(p.stdout:readline(), "four")
  say("a", "five")
  is(p.stdout:readline(), "five")
  p:send_signal "INT"
  is(p:wait(30).code, 130)
  is(p.stderr:read(1 << 16) or "", "", "it ends without a word")
end)

tap.test("-f of several, by whose they are", function()
  local p <close> = up:follow "logs -f -n 1 a long-name"
  local first = { p.stdout:readline(), p.stdout:readline() }
  table.sort(first)
  is_deeply(first, { "a         | five", "long-name | begin" })
  say("long-name", "hello")
  is(p.stdout:readline(), "long-name | hello")
  say("a", "six")
  is(p.stdout:readline(), "a         | six")
end)

tap.test("who reads may go away: that is the end, in silence", function()
  -- It ends with the next line, which it cannot write.
  local r = up:bash [[
    while sleep 0.05; do echo more >> say-a; done &
    "$LUVISOR" logs -f a | head -n 1
    echo "${PIPESTATUS[0]}"
    kill %1
  ]]
  is(r.stdout, "begin\n0\n")
  is(r.stderr, "")
end)

tap.test("--since leaves out what is older", function()
  tap.eventually(function() return logged("b"):find "begin\n" end)
  like(logged "--since 1h b", "^%S+Z begin\n$")
  is(logged "--since 2999-01-01 b", "")
  like(logged "--since 2001-01-01 b", "begin")
  up:refuses("logs --since 1h a", 1, "the log of a has no times: give it "
    .. "`log = { timestamps = \"iso\" }`\n$")
  up:refuses("logs --since yesterday b", 2, "expected a duration")
end)

tap.test("times of the past are read as people write them", function()
  local function at(text) return assert(since.parse(text)) end
  local now = time.wall()
  ok(math.abs(now - at "10m" - 600) < 60, "ten minutes ago")
  ok(math.abs(now - at "90" - 90) < 60, "seconds")
  is(at "2026-01-31", os.time { year = 2026, month = 1, day = 31, hour = 0 })
  for _, text in ipairs { "2026-01-31 12:30", "2026-01-31T12:30",
                          "2026-01-31 12:30:00" } do
    is(at(text), os.time { year = 2026, month = 1, day = 31, hour = 12,
                           min = 30 })
  end
  local today = os.date "*t"
  today.hour, today.min, today.sec = 9, 5, 7
  is(at "9:05:07", os.time(today))
  for _, text in ipairs { "", "x", "25:00", "12:60", "2026-02-30", "12:30:99",
                          "2026-1-1", "-5", "12:30 2026-01-31" } do
    local got, expected = since.parse(text)
    is(got, nil, text)
    like(expected, "^expected a duration .* got '")
  end
end)

tap.test("on a terminal, what was written moves no cursor", function()
  say("a", "\27[1;31mred\27[0m \27]0;title\7 \27[2J \27[31")
  local function shown(opts)
    return up:luvisor("logs -n 1 a", 0, opts).stdout
  end
  tap.eventually(function() return shown():find "red" end)
  ok(shown():find("\27]0;title\7 \27[2J", 1, true), "as it is, in a pipe")
  local env = { LUVISOR_CONFIG = up.path, TERM = "xterm" }
  is(shown { pty = true, env = env },
    "\27[1;31mred\27[0m ?]0;title? ?[2J ?[31\r\n")
end)

tap.test("a line may be of any length", function()
  say("long-name", ("x"):rep(1200000))
  tap.eventually(function()
    return up:command("logs -n 1 long-name").stdout:find "^x*\n$"
  end)
  is(#logged "-n 1 long-name", 1200001)
end)

tap.test("what cannot be is said", function()
  up:refuses("logs", 2, "which services%? Say their names, or %-%-all\n$")
  up:refuses("logs a --all", 2, "names and %-%-all are not used together\n$")
  up:refuses("logs -n x a", 2, "expected a number, 0 or more, got 'x'")
  up:refuses("logs lnog-name", 4, 'no service "lnog%-name", did you mean')
  up:refuses("logs a xyz", 4, 'no service "xyz"\n$')
end)

tap.test("events tell what has happened, why, and who asked for it", function()
  up:luvisor "start none"
  up:luvisor "stop none"
  local text = up:luvisor("events").stdout
  like(text, "\n%d%d:%d%d:%d%d  none  stopped %-> waiting %(by user %d+, pid")
  like(text, "\n%S+  none  starting %-> running\n")
  like(text, "\n%S+  none  stopping %-> stopped: killed by TERM\n")
  local last = up:luvisor("events -n 1").stdout
  like(last, "^%S+  none  [^\n]*stopped[^\n]*\n$")
end)

tap.test("events as JSON, one object a line", function()
  local seqs = {}
  for line in up:luvisor("events -n 3 --json").stdout:gmatch "[^\n]+" do
    local event = json.decode(line)
    seqs[#seqs + 1] = event.seq
    is(event.type, "state")
    is(event.service, "none")
  end
  is(#seqs, 3)
  is(seqs[3], seqs[1] + 2)
end)

tap.test("events -f goes on with what comes", function()
  local p <close> = up:follow "events -f -n 0"
  local line
  task.nursery(function(n)
    n:spawn(function()
      line = p.stdout:readline()
      n:cancel()
    end)
    -- When it listens nobody knows.
    while true do up:run { "restart", "none" } end
  end)
  like(line, "^%S+  none  ")
  p:send_signal "INT"
  is(p:wait(30).code, 130)
  is(p.stderr:read(1 << 16) or "", "")
end)

tap.test("the end of the supervisor is the end of who follows", function()
  local logs <close> = up:follow "logs -f -n 1 b"
  ok(logs.stdout:readline(), "a line")
  local events <close> = up:follow "events -f -n 1"
  ok(events.stdout:readline(), "an event")
  up:luvisor "shutdown"
  is(up:ended().code, 0)
  is(logs:wait(30).code, 0)
  is(events:wait(30).code, 0)
  is(logs.stderr:read(1 << 16) or "", "")
end)

up:close()
tap.done()
