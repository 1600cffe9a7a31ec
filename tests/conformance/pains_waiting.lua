-- What users of other runtimes suffer: a wait that never ends, because somebody
-- else has the pipe, because nobody reads it, because nobody is told.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = children.LUVISOR
local LONG <const> = 30 -- seconds; nothing here takes that long

-- A shell whose child holds its stdout for ten minutes; it writes that pid.
local HOLDS <const> = "sleep 600 & echo $!; "

tap.test("cpython#119710: wait returns though a grandchild holds stdout",
function()
  for _, when in ipairs { "before the exit", "after it" } do
    local p <close> = process.spawn { "sh", "-c", HOLDS .. "read x; exit 3",
                                      stdin = "pipe", stdout = "pipe" }
    local pid = tonumber(p.stdout:readline())
    local waiting
    if when == "before the exit" then
      waiting = task.spawn(p.wait, p, LONG)
      task.checkpoint()
    end
    p.stdin:close()
    if not waiting then
      tap.eventually(function() return children.is_gone(p.pid) end)
      waiting = task.spawn(p.wait, p, LONG)
    end
    tap.is(waiting:join().code, 3, when)
    tap.ok(not children.is_gone(pid), "who still has it")
    signal.send(pid, "KILL")
  end
end)

tap.test("cpython#76296: wait ends though SIGCHLD was ignored when we began",
function()
  for _, without in ipairs { "", "1" } do
    local r = process.run {
      "sh", "-c", "trap '' CHLD; exec \"$0\" \"$@\"", LUVISOR, "-e", [[
        local process = require "luvisor.process"
        local p = process.spawn { "sh", "-c", "exit 7" }
        print(p:wait(20))
        print(process.run { "sh", "-c", "exit 8", check = false })
      ]], env = { LUVISOR_NO_PIDFD = without }, timeout = LONG,
    }
    tap.is(r.stdout, "exited 7\nexited 8\n", "no pidfds: " .. without)
  end
end)

tap.test("cpython#75628: communicate returns after the kill of a shell whose "
  .. "child has the pipe", function()
  local p <close> = process.spawn { "sh", "-c", HOLDS .. "wait",
                                    stdout = "pipe", stderr = "pipe" }
  tap.throws(function() p:communicate(nil, { timeout = 0.05 }) end, "Timeout")
  p:kill()
  local r = task.timeout(LONG, p.communicate, p, nil, { linger = 0.05 })
  tap.is(r.signal, "KILL")
  tap.is(r.pipe_held, true, "and it is told that somebody has it")
  signal.send(tonumber(r.stdout), "KILL")
end)

tap.test("anyio#1177, #1174, #1166: a wait for a child with a full pipe can be "
  .. "left, and nothing is lost", function()
  local p <close> = process.spawn { "head", "-c", "300000", "/dev/zero",
                                    stdout = "pipe" }
  tap.throws(function() p:wait(0.05) end, "Timeout")
  local waiting = task.spawn(p.wait, p, LONG)
  tap.is(#p.stdout:read(), 300000, "another task reads: no deadlock")
  tap.ok(waiting:join().ok)
end)

tap.test("python/asyncio#168: read() ends though the child writes more than "
  .. "the limit", function()
  for _, limit in ipairs { 1, 4096, 65536 } do
    local p <close> = process.spawn { "head", "-c", "1000000", "/dev/zero",
                                      stdout = "pipe", limit = limit }
    tap.is(#task.timeout(LONG, p.stdout.read, p.stdout), 1000000)
    p:wait()
  end
end)

tap.test("python/asyncio#209: a later child has no end of an earlier one's "
  .. "stdin", function()
  local cat <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  local later <close> = process.spawn { "sleep", "600" }
  local r = task.timeout(LONG, cat.communicate, cat, "abc")
  tap.is(r.stdout, "abc", "end of file reaches cat")
  tap.is(later.status, nil)
end)

tap.test("tinyexec#138, #137, child-process-promise#26, indexable-inc#914: "
  .. "run ends when its command has, whoever holds its pipes", function()
  local r = process.run { "sh", "-c", HOLDS .. "sleep 600 >&2 & echo done; "
    .. "exit 0", linger = 0.05, timeout = LONG }
  tap.like(r.stdout, "^%d+\ndone\n$", "with all that it wrote")
  tap.is(r.pipe_held, true)
  local pid = tonumber(r.stdout:match "%d+")
  tap.eventually(function() return children.is_gone(pid) end,
    "and they are ended")
end)

tap.test("openai/codex#4337: a timeout ends all that a shell has started",
function()
  local shell = process.which "bash" and "bash" or "sh"
  local _, err = tap.throws(function()
    process.run { shell, "-c", "(sleep 600; echo no) & echo $!; sleep 600 & "
      .. "echo $!; wait", timeout = 0.2 }
  end, "Timeout")
  local n = 0
  for pid in err.stdout:gmatch "%d+" do
    n = n + 1
    tap.eventually(function() return children.is_gone(pid) end)
  end
  tap.is(n, 2, "and keeps what was written")
end)

tap.test("zx#192, #191, earendil-works/pi#5571, cloudflare/sandbox-sdk#141, "
  .. "gh-145311, solo-orchestrator#386: nobody gets our stdin unasked",
function()
  local script = [[
    print(process.run { "cat", timeout = 20 }.stdout == "")
    print(process.capture { "cat", timeout = 20 } == "")
    print(process.spawn { "sh", "-c", "cat; exit 4" }:wait(20))
    print(stream.stdin:readline())
  ]]
  local host <close> = children.start(script, { stdin = "pipe" })
  host.stdin:write "ours\n" -- and it stays open
  tap.is(host.stdout:read(), "true\ntrue\nexited 4\nours\n")
  tap.ok(host:wait().ok)
end)

tap.test("a child that inherits our stdin, asked for, reads what is left of it",
function()
  local r = children.run([[
    process.run { "sh", "-c", "read line; echo $line; cat",
                  stdin = "inherit", stdout = "inherit" }
  ]], { input = "one\ntwo\n" })
  tap.is(r.stdout, "one\ntwo\n")
end)

tap.test("HaxeFoundation/haxe#11946: the exit code may be asked for before the "
  .. "output is read", function()
  local p <close> = process.spawn { "sh", "-c",
    "head -c 60000 /dev/zero; echo e >&2; exit 5", stdout = "pipe",
    stderr = "pipe" }
  tap.is(p:wait(LONG).code, 5)
  tap.is(#p.stdout:read(), 60000)
  tap.is(p.stderr:read(), "e\n")
  local q <close> = process.spawn { "sh", "-c",
    "head -c 600000 /dev/zero; exit 6", stdout = "pipe" }
  local r = q:communicate(nil, { timeout = LONG })
  tap.is(r.code, 6)
  tap.is(#r.stdout, 600000, "and all of it, in one call")
end)

tap.test("asyncio: a slow reader gets all that was written before the exit",
function()
  local p <close> = process.spawn { "head", "-c", "262144", "/dev/zero",
                                    stdout = "pipe" }
  local n = 0
  for piece in p.stdout:chunks(65536) do
    n = n + #piece
    for _ = 1, 20 do task.checkpoint() end
    if n > 200000 then
      tap.eventually(function() return children.is_gone(p.pid) end)
    end
  end
  tap.is(n, 262144)
  tap.ok(p:wait().ok)
end)

tap.done()
