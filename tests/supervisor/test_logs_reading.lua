-- Reading a log: its last lines, the lines that match, and those that come.
local fs = require "luvisor.fs"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local is, is_deeply, like, ok = tap.is, tap.is_deeply, tap.like, tap.ok

local function talker(t)
  local p = t:start { "cat", stdin = "pipe" }
  return function(text)
    if text then return p.stdin:write(text) end
    p.stdin:close()
    p:wait()
    t:drained()
  end
end

local function numbers(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = tostring(i) end
  return list
end

tap.test("the last lines are read from the end, over rotated files", function()
  local t <close> = logs.new { max_size = 1000, keep = 3 }
  is_deeply(t.log:tail(5), {}, "there is none before the first start")
  t:run "seq 1 1000; printf unfinished"
  is_deeply(t.log:tail(3), { "999", "1000", "unfinished" })
  is_deeply(t.log:tail(0), {})
  local lines = t.log:tail(600)
  is(#lines, 600)
  is(lines[1], "402")
  lines = t.log:tail(10000)
  is(#lines, select(2, table.concat(logs.files()):gsub("\n", "")),
    "as many as there are")
end)

tap.test("also over compressed ones", function()
  local t <close> = logs.new { max_size = 2000, keep = 9, gzip = true }
  t:run "seq 1 2000"
  tap.eventually(function() return #logs.names() > 4 and
    not table.concat(logs.names(), " "):find "log.%d [^ ]" and
    not logs.read "web.log.1" end, 20)
  is_deeply(t.log:tail(2000), numbers(1, 2000))
end)

tap.test("an enormous line at the end is cut at its beginning", function()
  local t <close> = logs.new {}
  t:run "echo first; head -c 6000000 /dev/zero | tr '\\0' x; echo; echo last"
  local lines = t.log:tail(200)
  is(lines[#lines], "last")
  is(#lines, 2)
  ok(#lines[1] <= 4 << 20, "of 4 MiB")
end)

tap.test("of two files: the order of time, if they say it", function()
  local t <close> = logs.new { stdout = "out", stderr = "err",
                               timestamps = "unix" }
  local p = t:start { shell = "echo 1; read x; echo 2 >&2; read x; echo 3",
                      stdin = "pipe" }
  for i, name in ipairs { "out", "err" } do
    tap.eventually(function() return logs.read(name):find(i .. "\n$") end, 20)
    p.stdin:write "go on\n"
  end
  p:wait()
  t:drained()
  local lines = t.log:tail(9)
  for i, line in ipairs(lines) do like(line, " " .. i .. "$") end
  is(#lines, 3)
end)

tap.test("else half of each, or more where the other has less", function()
  local t <close> = logs.new { stdout = "out", stderr = "err" }
  t:run "seq 1 9; echo bad >&2"
  is_deeply(t.log:tail(4), { "7", "8", "9", "bad" })
  t:run "seq 11 19 >&2"
  is_deeply(t.log:tail(4), { "8", "9", "18", "19" })
end)

local function hear(how)
  local t <close> = logs.new { on_pressure = how }
  local heard = {}
  local say = talker(t)
  say "port 1\n"
  tap.eventually(function() return logs.read() == "port 1\n" end, 20)
  t.log:match("port (%d+)", function(port) heard[#heard + 1] = port end)
  say "listening on po"
  say "rt 80"
  say "80 now\r\nport 2\nno match\nport 3\n"
  tap.eventually(function() return #heard == 3 end, 20)
  is_deeply(heard, { "8080", "2", "3" }, "from then on")
  t.log:match(nil)
  say "port 4\n"
  tap.eventually(function() return logs.read():find "port 4" end, 20)
  is(#heard, 3, "until nobody does")
  t.log:match("^unfinished$", function(text) heard[#heard + 1] = text end)
  say "unfinished"
  say()
  is(heard[4], "unfinished", "the last line may have no end")
  is(logs.read(), "port 1\nlistening on port 8080 now\r\nport 2\nno match\n"
    .. "port 3\nport 4\nunfinished\n", "and all is written")
end

tap.test("who asks for lines that match hears of them", function()
  hear "block"
end)

tap.test("also where the loop reads them, so as to drop them", function()
  hear "drop"
end)

tap.test("both streams are looked at", function()
  local t <close> = logs.new { stdout = "out", stderr = "err" }
  local heard = {}
  t.log:match("^%w+$", function(word) heard[word] = true end)
  t:run "echo one; echo two >&2"
  tap.eventually(function() return heard.one and heard.two end, 20)
end)

tap.test("a pattern and a line cannot hold up all", function()
  local t <close> = logs.new {}
  t.log:match("^(.-)(.-)x$", function() end)
  t:run "head -c 3000000 /dev/zero | tr '\\0' y; echo"
  is(#logs.read(), 3000001)
end)

-- Follow it in a task; what it has read so far.
local function follow(t, n)
  local lines = {}
  local follower = t.log:follow(n)
  local reading = task.detached(function()
    for line in follower do lines[#lines + 1] = line end
    lines.over = true
  end)
  return lines, setmetatable({}, { __close = function()
    reading:cancel()
    pcall(reading.join, reading)
    follower:close()
  end })
end

local function follow_files(how)
  local t <close> = logs.new { max_size = 1000, keep = 1, on_pressure = how }
  t:run "seq 1 3"
  local lines, _ <close> = follow(t, 2)
  t:run "seq 4 2000"
  tap.eventually(function() return #lines == 1999 end, 20)
  is_deeply(lines, numbers(2, 2000), "though most files are gone by then")
  t:run "printf 2001"
  tap.eventually(function() return lines[2000] == "2001" end, 20,
    "over starts of the service")
end

tap.test("followed, it is read as it comes, whatever its files", function()
  follow_files "block"
end)

tap.test("also where the loop reads it", function() follow_files "drop" end)

tap.test("a follower that is too far behind is told so", function()
  local t <close> = logs.new { max_size = 100, keep = 1 }
  t:run "echo 0"
  local follower <close> = t.log:follow(1)
  t:run "seq 1 5000"
  is(follower:next(), "0")
  is(follower:next(), "1")
  local before, gap, after = 1, nil, nil
  for last in follower do
    if last:find "lines are missing here" then
      gap = true
    elseif not gap then
      before = before + 1
      if last ~= tostring(before) then error(last) end
    else
      after = after and after + 1 or tonumber(last)
      if last ~= tostring(after) then error(last) end
    end
    if last == "5000" then break end
  end
  ok(gap, "between whole lines")
end)

tap.test("a log that is closed while it is followed loses nothing", function()
  local t <close> = logs.new { max_size = 50000, keep = 99 }
  local lines, _ <close> = follow(t)
  t:start "seq 1 150000":wait()
  t.log:close()
  local complete, why = logs.are_complete(logs.files(), 150000)
  ok(complete, why)
  tap.eventually(function() return lines.over end, 20)
  is(lines[#lines], "150000")
end)

tap.test("from before the first start on, and to the end", function()
  local t <close> = logs.new {}
  local lines, _ <close> = follow(t, 10)
  t:run "echo one"
  tap.eventually(function() return lines[1] == "one" end, 20)
  t.log:close()
  tap.eventually(function() return lines.over end, 20, "it is closed")
end)

tap.test("followed through moves of its file", function()
  local t <close> = logs.new {}
  local lines, _ <close> = follow(t)
  local say = talker(t)
  say "one\n"
  tap.eventually(function() return lines[1] end, 20)
  fs.rename(logs.dir .. "/web.log", logs.dir .. "/moved")
  t.log:reopen()
  say "two\n"
  tap.eventually(function() return lines[2] end, 20)
  fs.remove(logs.dir, { recursive = true })
  say "three\n"
  tap.eventually(function() return lines[3] end, 20)
  say()
  is_deeply(lines, { "one", "two", "three" })
end)

tap.test("a disk that takes its time holds up no cancellation", function()
  local t <close> = logs.new {}
  t:run "echo 0"
  local follower <close> = t.log:follow(1)
  is(follower:next(), "0")
  local caught = 0
  for i = 1, 10 do
    t:run("echo " .. i)
    local line
    local reader = task.spawn(function() line = follower:next() end)
    while not line and not task.dump():find "a log file" do task.sleep(0) end
    reader:cancel()
    local joined = pcall(reader.join, reader)
    caught = caught + (joined and 0 or 1)
    is(line or follower:next(), tostring(i), "nothing is lost")
  end
  ok(caught > 0, "while it was read")
end)

tap.test("what goes to no file can be followed as well", function()
  local t <close> = logs.new { target = "null" }
  t:run "seq 1 5"
  local lines, _ <close> = follow(t, 2)
  t:run "seq 6 9"
  tap.eventually(function() return #lines == 6 end, 20)
  is_deeply(lines, numbers(4, 9))
end)

tap.test("several follow, and one that is slow holds up nobody", function()
  local t <close> = logs.new { target = "null" }
  local slow <close> = t.log:follow()
  local lines, _ <close> = follow(t)
  t:run "seq 1 400000"
  tap.eventually(function() return lines[#lines] == "400000" end, 20)
  local complete, why = logs.are_complete(
    { table.concat(lines, "\n") .. "\n" }, 400000)
  ok(complete, why)
  is(slow:next(), "1")
  t.log:close()
  local last, gaps = nil, 0
  for line in slow do
    last = line
    if line:find "lines are missing here" then gaps = gaps + 1 end
  end
  ok(gaps > 0 and last, "what it missed is said")
end)

tap.done()
