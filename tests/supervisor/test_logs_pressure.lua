-- When a log cannot be written: a disk that is full, one that is slow, and a
-- log that nobody reads.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")

local is, like, ok = tap.is, tap.like, tap.ok

-- Call fn with a folder on a disk of eight mebibytes. It is in the namespace of
-- another process, and so gone with that.
local function with_disk(fn)
  local dir = os.getenv "TMPDIR"
  local keeper <close> = process.spawn {
    "unshare", "-rm", "sh", "-c",
    'mount -t tmpfs -o size=8M none "$1" && echo mounted && exec cat', "sh",
    dir, stdin = "pipe", stdout = "pipe", stderr = "null",
  }
  if keeper.stdout:readline() ~= "mounted" then
    tap.skip "no disk can be mounted here"
  end
  fn(("/proc/%d/root%s"):format(keeper.pid, dir))
end

-- Fill what is left of a disk, but for some bytes.
local function fill(dir, left)
  fs.write_file(dir .. "/most", ("x"):rep((8 << 20) - left),
    { atomic = false })
end

local function event(t, what)
  return tap.eventually(function()
    for _, one in ipairs(t.events) do
      if one.what == what then return one end
    end
  end, 20, what)
end

local function is_complete(text, n)
  local complete, why = logs.are_complete({ text }, n)
  ok(complete, why or "each line is there, once and in order")
end

tap.test("a full disk: the service waits, and nothing is lost", function()
  with_disk(function(disk)
    fill(disk, 100000)
    local t <close> = logs.new { file = disk .. "/log" }
    local p = t:start "seq 1 1000000"
    local pressure = event(t, "pressure")
    is(pressure.code, "ENOSPC")
    is(pressure.on_pressure, "block")
    is(t.said[1].level, "warning")
    is(t.said[1].message,
      "its log cannot be written: the service waits when its pipe is full")
    is(p.status, nil, "it has more to say")
    fs.remove(disk .. "/most")
    event(t, "relief")
    ok(p:wait().ok)
    t:drained()
    is(t.said[2].message, "its log can be written again")
    is_complete(fs.read_file(disk .. "/log"), 1000000)
    is(t.log:stats().dropped, 0)
  end)
end)

tap.test("so it is with stamps and rotation", function()
  with_disk(function(disk)
    fill(disk, 100000)
    local t <close> = logs.new { file = disk .. "/log", max_size = 50000,
                                 keep = 99, timestamps = "unix" }
    local p = t:start "seq 1 20000"
    event(t, "pressure")
    fs.remove(disk .. "/most")
    ok(p:wait().ok)
    t:drained()
    local complete, why = logs.are_complete(logs.files(disk .. "/log"), 20000,
      "^%d+%.%d+ (%d+)$")
    ok(complete, why)
  end)
end)

tap.test("or it does not wait: what has no room is counted in a gap", function()
  with_disk(function(disk)
    fill(disk, 100000)
    local t <close> = logs.new { file = disk .. "/log", on_pressure = "drop" }
    ok(t:start "seq 1 400000":wait().ok, "it comes to its end")
    is(event(t, "pressure").on_pressure, "drop")
    fs.remove(disk .. "/most")
    local gap = event(t, "gap")
    t:drained()
    local text = fs.read_file(disk .. "/log")
    local before, bytes, lines, after = text:match(
      "^(.*\n)luvisor: (%d+) bytes in (%d+) lines are missing here: "
      .. "they could not be written\n(.*)$")
    local kept = select(2, before:gsub("\n", ""))
    is_complete(before, kept)
    is(after, "", "at its end")
    is(kept + tonumber(lines), 400000, "no line is unaccounted for")
    is(#before + tonumber(bytes), 2688895, "nor a byte")
    is(gap.lines, tonumber(lines))
    is(t.log:stats().dropped, tonumber(bytes))
    ok(#before <= 100000 + (1 << 20) + (1 << 16), "and memory was bounded")
  end)
end)

tap.test("what was written when luvisor ended is written, the rest is said",
  function()
    with_disk(function(disk)
      fill(disk, 8192)
      local t <close> = logs.new { file = disk .. "/log" }
      local p = t:start "seq 1 5000"
      event(t, "pressure")
      ok(p:wait().ok, "the rest is in the pipe")
      t.log:close()
      local text = fs.read_file(disk .. "/log")
      is(event(t, "lost").bytes, 23893 - #text)
      is(t.said[#t.said].message, "the end of its log could not be written")
    end)
  end)

tap.test("a full disk does not keep a service from starting", function()
  local t <close> = logs.new { file = "/dev/full" }
  local p = t:start "echo x"
  ok(p:wait().ok)
  is(event(t, "pressure").code, "ENOSPC")
  t.inst.spec.log = { file = "good" }
  t.log:update(t.inst.spec)
  t:drained()
  is(logs.read "good", "x\n", "and is helped by another place")
end)

tap.test("a limit of our own is an error, and not our end", function()
  local code = [[
    local logs = dofile(os.getenv "LUVISOR_SOURCE" .. "/tests/support/logs.lua")
    local tap = require "luvisor.tap"
    local t <close> = logs.new { max_size = 0 }
    local p = t:start "seq 100000 149999"
    tap.eventually(function() return t.events[1] end, 20)
    print(t.events[1].code)
  ]]
  local result = process.run { env = { CODE = code }, check = false,
    shell = [[ulimit -f 20; exec "$LUVISOR" -e "$CODE"]] }
  like(result.stdout, "EFBIG")
  is(result.stderr, "")
end)

-- A disk that is as slow as we like: a pipe, which we read.
local function with_pipe(log, fn)
  local path = os.getenv "TMPDIR" .. "/pipe"
  process.run { "mkfifo", path, check = true }
  log.file = path
  local _ <close> = setmetatable({}, { __close = function()
    fs.remove(path)
  end })
  local t <close> = logs.new(log)
  fn(t, function() return process.spawn { "cat", path, stdout = "pipe" } end)
end

tap.test("a slow one: the service waits", function()
  with_pipe({}, function(t, open)
    local p = t:start "seq 1 300000"
    event(t, "pressure")
    is(p.status, nil)
    do
      local reader <close> = open()
      for i = 1, 300000 do
        if reader.stdout:readline() ~= tostring(i) then error(i) end
      end
    end
    ok(p:wait().ok)
    t:drained()
  end)
end)

tap.test("a slow one, or it does not wait", function()
  with_pipe({ on_pressure = "drop" }, function(t, open)
    ok(t:start "seq 1 1000000":wait().ok)
    local reader <close> = open()
    local lines, line = 0, reader.stdout:readline()
    while line == tostring(lines + 1) do
      lines, line = lines + 1, reader.stdout:readline()
    end
    local missing = line:match "bytes in (%d+) lines are missing here"
    is(lines + tonumber(missing), 1000000)
    t:drained()
  end)
end)

tap.done()
