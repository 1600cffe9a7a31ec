-- The log of a service: its files, its pipe, and from one process to the next.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local is, is_deeply = tap.is, tap.is_deeply

-- A pipe that processes of a test wait at, by opening it.
local function with_gate(fn)
  process.run { "mkfifo", "gate" }
  local ok, err = pcall(fn, function() process.run { shell = "echo >gate" } end)
  fs.remove "gate"
  if not ok then error(err, 0) end
end

tap.test("both streams come to one file, in their order", function()
  local t <close> = logs.new {}
  t:run "for i in 1 2 3; do echo out $i; echo err $i >&2; done"
  is(logs.read(), "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n")
  is_deeply(logs.names(), { "web.log" })
end)

tap.test("they go apart where each has a file", function()
  local t <close> = logs.new { stdout = "a/out", stderr = logs.dir .. "/err" }
  t:run "echo out; echo err >&2"
  is(logs.read "a/out", "out\n", "the folder is made")
  is(logs.read "err", "err\n", "an absolute path is one")
end)

tap.test("the one that has no file goes to the usual one", function()
  local t <close> = logs.new { stderr = "err" }
  t:run "echo out; echo err >&2"
  is(logs.read(), "out\n")
  is(logs.read "err", "err\n")
end)

tap.test("two names of one file are one file", function()
  local t <close> = logs.new { stdout = "x", stderr = logs.dir .. "/x" }
  t:run "echo out; echo err >&2"
  is(logs.read "x", "out\nerr\n")
end)

tap.test("instances have files of their own", function()
  local more = { name = "web@2", number = 2 }
  local t <close> = logs.new({}, more)
  t:run "echo usual"
  is(logs.read "web@2.log", "usual\n")
  local named <close> = logs.new({ file = "x/app.txt" }, more)
  named:run "echo named"
  is(logs.read "x/app@2.txt", "named\n")
end)

tap.test("the next process goes on where the last one ended", function()
  local t <close> = logs.new {}
  for i = 1, 3 do t:run("echo start " .. i) end
  is(logs.read(), "start 1\nstart 2\nstart 3\n")
  t.log:close()
  t:run "echo again"
  is(logs.read(), "start 1\nstart 2\nstart 3\nagain\n", "also in a new log")
end)

tap.test("what was there before luvisor is kept, and its last line ended",
  function()
    fs.mkdir(logs.dir)
    fs.write_file(logs.dir .. "/web.log", "old\nunfin")
    local t <close> = logs.new {}
    t:run "echo new"
    is(logs.read(), "old\nunfin\nnew\n")
  end)

tap.test("a line that a killed process left unfinished stands alone", function()
  local t <close> = logs.new {}
  local p = t:start "printf 'one\\ntw'; exec sleep 100"
  tap.eventually(function() return logs.read() == "one\ntw" end, 20)
  p:send_signal "KILL"
  p:wait()
  t:drained()
  is(logs.read(), "one\ntw\n")
  t:run "echo next"
  is(logs.read(), "one\ntw\nnext\n")
end)

tap.test("bytes are bytes: zeros, and lines of ten megabytes", function()
  local t <close> = logs.new {}
  t:run "printf 'a\\0b\\n\\377\\r\\n'; head -c 10000000 /dev/zero; printf x"
  tap.ok(logs.read() == "a\0b\n\xff\r\n" .. ("\0"):rep(10000000) .. "x\n")
  is(t.log:stats().bytes, 10000008)
end)

tap.test("a grandchild's output after the exit still comes", function()
  with_gate(function(open)
    local t <close> = logs.new {}
    t:start "(read line < gate; echo late) & echo early":wait()
    t.log:drained()
    is(logs.read(), "early\n", "waited for, but not for ever")
    open()
    tap.eventually(function() return logs.read() == "early\nlate\n" end, 20)
    t:run "echo next"
    is(logs.read(), "early\nlate\nnext\n")
  end)
end)

tap.test("a stranger and the next process share the pipe", function()
  with_gate(function(open)
    local t <close> = logs.new {}
    t:start "(read line < gate; echo stranger) & echo one":wait()
    t.log:drained()
    local p = t:start { shell = "echo two; exec cat", stdin = "pipe" }
    tap.eventually(function() return logs.read() == "one\ntwo\n" end, 20)
    open()
    tap.eventually(function()
      return logs.read() == "one\ntwo\nstranger\n"
    end, 20)
    p.stdin:write "three\n"
    p.stdin:close()
    p:wait()
    t:drained()
    is(logs.read(), "one\ntwo\nstranger\nthree\n")
  end)
end)

tap.test("a log that cannot be keeps the service from starting, and says why",
  function()
    local t <close> = logs.new { file = "/dev/null/x" }
    local _, err = tap.throws(function() t.log:stdio() end, "ENOTDIR")
    is(tostring(err),
      "its log /dev/null/x cannot be opened: Not a directory (ENOTDIR)")
    is_deeply(t.events, {}, "and is no event")
    t.inst.spec.log.file = "good"
    t.log:update(t.inst.spec)
    t:run "echo good"
    is(logs.read "good", "good\n", "until it is changed")
  end)

tap.test("a folder where the file should be is the same", function()
  fs.mkdir(logs.dir .. "/web.log", { parents = true })
  local t <close> = logs.new {}
  local _, err = tap.throws(function() t.log:stdio() end, "EISDIR")
  is(tostring(err), ("its log %s/web.log cannot be opened: "):format(logs.dir)
    .. "Is a directory (EISDIR)")
end)

tap.test("two do not write one file", function()
  local a <close> = logs.new {}
  a:run "echo a"
  local b = logs.new {}
  local _, err = tap.throws(function() b.log:stdio() end, "EBUSY")
  is(tostring(err), ("its log %s/web.log cannot be opened: "):format(logs.dir)
    .. "another process writes it")
  b.log:close()
  is(logs.read(), "a\n")
end)

tap.test("a terminal's output comes to the log, too", function()
  local t <close> = logs.new {}
  local p = process.spawn { shell = "tty >/dev/null && echo terminal",
                            pty = true }
  t.log:started(p)
  p:wait()
  t:drained()
  p:close()
  is(logs.read(), "terminal\r\n")
end)

tap.test("a process that could not be started leaves nothing behind", function()
  local t <close> = logs.new {}
  t.log:stdio()
  tap.throws(function() process.spawn { "/nonexistent" } end, "ENOENT")
  t:drained()
  t:run "echo next"
  is(logs.read(), "next\n")
end)

tap.test("what has come is counted", function()
  local t <close> = logs.new { max_size = 100 }
  is_deeply(t.log:stats(),
    { bytes = 0, dropped = 0, rotations = 0, size = 0 })
  t:run "seq 1 50"
  is_deeply(t.log:stats(),
    { bytes = 141, dropped = 0, rotations = 1, size = 42 })
end)

tap.test("closing twice is harmless", function()
  local t <close> = logs.new {}
  t:run "echo x"
  t.log:close()
  t.log:close()
  is(logs.read(), "x\n")
end)

tap.done()
