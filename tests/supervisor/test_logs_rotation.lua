-- Log files that are rotated, kept, compressed, moved away and changed.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local function path(name)
  return logs.dir .. "/" .. name
end

-- A process that writes what it is told to.
local function talker(t)
  local p = t:start { "cat", stdin = "pipe" }
  return function(text)
    if text then return p.stdin:write(text) end
    p.stdin:close()
    p:wait()
    t:drained()
  end
end

local function eventually_in(name, text)
  tap.eventually(function() return logs.read(name) == text end, 20)
end

tap.test("the next line that would make it too big begins a file", function()
  local t <close> = logs.new { max_size = 20 }
  t:run "seq 100 112"
  is_deeply(logs.files(), { "100\n101\n102\n103\n104\n",
    "105\n106\n107\n108\n109\n", "110\n111\n112\n" })
end)

tap.test("a line longer than a file may be stands in one", function()
  local t <close> = logs.new { max_size = 10 }
  t:run "echo a; echo 12345678901234567890; echo b; printf 0123456789abcdef"
  is_deeply(logs.files(),
    { "a\n", "12345678901234567890\n", "b\n", "0123456789abcdef\n" })
end)

tap.test("so does one that comes in pieces", function()
  local t <close> = logs.new { max_size = 1000 }
  local say = talker(t)
  for i = 1, 10 do
    say(("x"):rep(500))
    eventually_in("web.log", ("x"):rep(500 * i))
  end
  say "\nnext\n"
  say()
  is_deeply(logs.files(), { ("x"):rep(5000) .. "\n", "next\n" })
end)

tap.test("also one of ten megabytes, with zeros", function()
  local t <close> = logs.new { max_size = 100000 }
  t:run "echo a; head -c 10000000 /dev/zero; echo; echo b"
  local files = logs.files()
  is(files[#files], "b\n")
  ok(table.concat(files) == "a\n" .. ("\0"):rep(10000000) .. "\nb\n")
end)

tap.test("stamps count, and a line has one however it comes", function()
  local t <close> = logs.new { max_size = 60, timestamps = "iso" }
  local say = talker(t)
  local iso = "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ "
  say "one\ntw"
  tap.eventually(function() return logs.read():find "tw$" end, 20)
  say "o\nthree\nfour"
  say()
  local files = logs.files()
  is(#files, 2)
  like(files[1], "^" .. iso .. "one\n" .. iso .. "two\n$")
  like(files[2], "^" .. iso .. "three\n" .. iso .. "four\n$")
end)

tap.test("so many files are kept", function()
  local t <close> = logs.new { max_size = 20, keep = 2 }
  t:run "seq 100 130"
  is_deeply(logs.names(), { "web.log", "web.log.1", "web.log.2" })
  is_deeply(logs.files(), { "120\n121\n122\n123\n124\n",
    "125\n126\n127\n128\n129\n", "130\n" })
end)

tap.test("or none", function()
  local t <close> = logs.new { max_size = 20, keep = 0 }
  t:run "seq 100 112"
  is_deeply(logs.names(), { "web.log" })
  is(logs.read(), "110\n111\n112\n")
end)

tap.test("all of them together have at most the total", function()
  local t <close> = logs.new { max_size = 1000, keep = 100, total = 5000 }
  t:run "seq 1000 9999"
  local sum = 0
  for _, name in ipairs(logs.names()) do sum = sum + #logs.read(name) end
  ok(sum <= 5000, "at the end: " .. sum)
  is(#logs.names(), 5)
  local all = table.concat(logs.files())
  is(all:sub(-5), "9999\n")
  is(all:sub(1, 5), ("%d\n"):format(10000 - sum // 5), "the newest")
end)

tap.test("a total alone is a limit, too", function()
  local t <close> = logs.new { max_size = 0, total = 1000 }
  t:run "seq 1000 9999"
  ok(#logs.read() <= 1000)
end)

tap.test("without a size there is one file", function()
  local t <close> = logs.new { max_size = 0 }
  t:run "seq 1 300000"
  is_deeply(logs.names(), { "web.log" })
  is(t.log:stats().size, 1988895)
end)

local function gunzip(name)
  local result = process.run { "gzip", "-dc", path(name), check = true }
  return result.stdout
end

-- All that is in the files, the oldest first; waits for gzip.
local function all_of(keep)
  tap.eventually(function()
    for i = 1, keep do
      if fs.exists(path("web.log." .. i)) then return false end
    end
    return not fs.exists(path "web.log.gz.tmp")
  end, 20)
  local parts = { logs.read() }
  for i = 1, keep do
    local name = ("web.log.%d.gz"):format(i)
    if fs.exists(path(name)) then
      is(process.run { "gzip", "-t", path(name) }.code, 0, name .. " is whole")
      table.insert(parts, 1, gunzip(name))
    end
  end
  return parts
end

tap.test("rotated files are compressed, while it goes on", function()
  local t <close> = logs.new { max_size = 200000, keep = 50, gzip = true }
  t:run "seq 1 100000"
  local complete, why = logs.are_complete(all_of(50), 100000)
  ok(complete, why or "nothing is lost")
  is_deeply(logs.names(), { "web.log", "web.log.1.gz", "web.log.2.gz" })
  is(fs.stat(path "web.log.1.gz").mode, fs.stat(path "web.log").mode)
  t:run "seq 100001 200000"
  complete, why = logs.are_complete(all_of(50), 200000)
  ok(complete, why or "nor with those that are compressed already")
end)

tap.test("what was not compressed when luvisor ended is, later", function()
  fs.mkdir(logs.dir)
  fs.write_file(path "web.log.1", "two\n")
  fs.write_file(path "web.log.2", "one\n")
  fs.write_file(path "web.log.gz.tmp", "rest of a gzip that was killed")
  local t <close> = logs.new { gzip = true }
  t:run "echo three"
  is_deeply(all_of(5), { "one\n", "two\n", "three\n" })
  is_deeply(logs.names(), { "web.log", "web.log.1.gz", "web.log.2.gz" })
end)

tap.test("where gzip is missing the files stay as they are", function()
  local t <close> = logs.new { max_size = 20, gzip = true }
  local spawn = process.spawn
  process.spawn = function(opts)
    if opts[1] == "gzip" then opts[1] = "/nonexistent/gzip" end
    return spawn(opts)
  end
  t:run "seq 100 112"
  tap.eventually(function() return t.said[1] end, 20)
  process.spawn = spawn
  is(t.said[1].message, "its log cannot be compressed")
  is(#logs.files(), 3)
  is(#t.said, 1, "which is said once")
end)

tap.test("other rules hold at once, and nothing is started anew", function()
  local t <close> = logs.new { max_size = 0 }
  local say = talker(t)
  say "100\n101\n102\n"
  eventually_in("web.log", "100\n101\n102\n")
  t.inst.spec = { log = { max_size = 8, keep = 2 } }
  t.log:update(t.inst.spec)
  say "103\n104\n105\n"
  eventually_in("web.log", "105\n")
  is_deeply(logs.files(), { "100\n101\n102\n", "103\n104\n", "105\n" })
  t.inst.spec = { log = { max_size = 8, keep = 1, timestamps = "unix" } }
  t.log:update(t.inst.spec)
  tap.eventually(function() return not fs.exists(path "web.log.2") end, 20)
  t.inst.spec = { log = { file = "other.log", timestamps = "unix" } }
  t.log:update(t.inst.spec)
  say "106\n"
  tap.eventually(function() return logs.read "other.log" end, 20)
  say()
  like(logs.read "other.log", "^%d+%.%d+ 106\n$", "in another file")
  is(logs.read(), "105\n")
end)

tap.test("apart instead of together is from the next start on", function()
  local t <close> = logs.new {}
  t:run "echo out; echo err >&2"
  t.inst.spec = { log = { stdout = "out", stderr = "err" } }
  t.log:update(t.inst.spec)
  t:run "echo out; echo err >&2"
  is(logs.read(), "out\nerr\n")
  is(logs.read "out", "out\n")
  is(logs.read "err", "err\n")
end)

tap.test("a file that was moved away is left at the next line's end", function()
  local t <close> = logs.new {}
  local say = talker(t)
  say "one\ntw"
  eventually_in("web.log", "one\ntw")
  fs.rename(path "web.log", path "moved")
  t.log:reopen()
  say "o\nthree\n"
  eventually_in("web.log", "three\n")
  is(logs.read "moved", "one\ntwo\n")
  say()
end)

tap.test("one that was removed is made again", function()
  local t <close> = logs.new {}
  local say = talker(t)
  say "one\n"
  eventually_in("web.log", "one\n")
  fs.remove(logs.dir, { recursive = true })
  say "two\n"
  eventually_in("web.log", "two\n")
  say()
end)

tap.test("one that somebody has cut goes on at its end", function()
  local t <close> = logs.new {}
  local say = talker(t)
  say "one\ntwo\n"
  eventually_in("web.log", "one\ntwo\n")
  process.run { "truncate", "-s", "0", path "web.log" }
  say "three\n"
  eventually_in("web.log", "three\n")
  say()
end)

tap.test("where it cannot be rotated it grows, and that is said once",
  function()
    local t <close> = logs.new { max_size = 20, keep = 1 }
    local say = talker(t)
    fs.mkdir(path "web.log.1/in the way", { parents = true })
    say "100\n101\n102\n103\n104\n105\n"
    eventually_in("web.log", "100\n101\n102\n103\n104\n105\n")
    is(t.events[1].what, "rotation")
    is(t.said[1].message, "its log cannot be rotated, and grows")
    fs.remove(path "web.log.1", { recursive = true })
    say "106\n107\n108\n109\n110\n"
    tap.eventually(function() return fs.exists(path "web.log.1") end, 20)
    say()
    is(table.concat(logs.files()),
      "100\n101\n102\n103\n104\n105\n106\n107\n108\n109\n110\n")
    is(#t.events, 1)
  end)

tap.done()
