local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"
local NONBLOCK <const> = 2048

-- A script for a luvisor of its own, and spawn's options for it.
local function script(text, options)
  options = options or {}
  table.move({ LUVISOR, "-e", text }, 1, 3, 1, options)
  return options
end

local function is_nonblocking(pid, fd)
  local file <close> = assert(io.open(("/proc/%s/fdinfo/%d"):format(pid, fd)))
  return tonumber(file:read("a"):match("flags:%s*(%d+)"), 8) & NONBLOCK ~= 0
end

local function with_file(fn)
  local name = os.tmpname()
  local ok, err = pcall(fn, name)
  os.remove(name)
  if not ok then error(err, 0) end
end

local function read_file(name)
  local file <close> = assert(io.open(name))
  return file:read("a")
end

-- Starts Lua text with functions for scripts that look at themselves.
local PRELUDE <const> = [[
  local process = require "luvisor.process"
  local stream = require "luvisor.stream"
  local task = require "luvisor.task"
  local function flags()
    local found = {}
    for fd = 0, 2 do
      local info = io.open("/proc/self/fdinfo/" .. fd):read("a")
      local on = tonumber(info:match("flags:%s*(%d+)"), 8) & 2048 ~= 0
      found[#found + 1] = on and "nonblocking" or "blocking"
    end
    return table.concat(found, " ")
  end
]]

-- What a script prints that reads a line of stdin, writes to stdout and stderr
-- and says before, meanwhile and after how its descriptors are.
local LOOKS_AT_ITSELF <const> = PRELUDE .. [[
  local log = io.open(arg[1], "w")
  log:write(flags(), "\n")
  local reading = task.spawn(function() return stream.stdin:readline() end)
  task.checkpoint()
  task.checkpoint()
  log:write(flags(), "\n")
  stream.stdout:write("out\n")
  stream.stderr:write("err\n")
  log:write(flags(), "\n")
  log:write(reading:join(), "\n")
  stream.stdout:drain()
  log:write(flags(), "\n")
  log:close()
]]

local BLOCKING <const> = "blocking blocking blocking\n"
local LOG <const> = BLOCKING:rep(3) .. "a line\n" .. BLOCKING

-- descriptors that others share -----------------------------------------------

tap.test("pipes are never made non-blocking", function()
  with_file(function(name)
    local p = process.run { LUVISOR, "-e", LOOKS_AT_ITSELF, name,
                            input = "a line\nmore" }
    tap.is(p.stdout, "out\n")
    tap.is(p.stderr, "err\n")
    tap.is(read_file(name), LOG)
  end)
end)

tap.test("a terminal is never made non-blocking", function()
  with_file(function(name)
    local p = process.spawn { LUVISOR, "-e", LOOKS_AT_ITSELF, name,
                              pty = { echo = false } }
    tap.is(p.tty:readline(), "out\r")
    tap.is(p.tty:readline(), "err\r")
    for fd = 0, 2 do
      tap.ok(not is_nonblocking(p.pid, fd), "descriptor " .. fd)
    end
    p.tty:write("a line\n")
    tap.ok(p:wait().ok)
    tap.is(p.tty:read(), "", "the end, not EIO")
    tap.is(read_file(name), LOG)
    p:close()
  end)
end)

tap.test("files are never made non-blocking", function()
  with_file(function(name)
    with_file(function(text)
      local file <close> = io.open(text, "w")
      file:write("a line\nmore")
      file:close()
      with_file(function(out)
        local p = process.run {
          LUVISOR, "-e", LOOKS_AT_ITSELF, name, stdin = { file = text },
          stdout = { file = out }, stderr = "stdout",
        }
        tap.ok(p.ok)
        local both = read_file(out)
        tap.ok(both:find("out\n", 1, true) and both:find("err\n", 1, true))
        tap.is(read_file(name), LOG)
      end)
    end)
  end)
end)

tap.test("sockets are never made non-blocking", function()
  with_file(function(name)
    local out = process.capture {
      "perl", "-e", [[
        use Socket; $^F = 9;
        socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, 0) or die;
        if (!fork) {
          close $ours;
          open STDIN, "<&", $its; open STDOUT, ">&", $its;
          open STDERR, ">&", $its;
          close $its;
          exec @ARGV;
        }
        close $its;
        syswrite $ours, "a line\nmore";
        shutdown $ours, 1;
        my @lines = <$ours>;
        print sort @lines;
      ]], LUVISOR, "-e", LOOKS_AT_ITSELF, name,
    }
    tap.is(out, "err\nout")
    tap.is(read_file(name), LOG)
  end)
end)

-- The other side of a terminal cannot be opened anew: it is used with care.
tap.test("what cannot be reopened is polled, and stays blocking", function()
  local p = process.spawn {
    "sh", "-c", [[stty raw -echo; echo ready >&3
      head -c 100000 | tr -d "\n" | wc -c >&3; echo a line; echo more]],
    pty = true, fds = { [3] = "pipe" },
  }
  tap.is(p.fds[3]:readline(), "ready")
  local child = process.spawn {
    LUVISOR, "-e", PRELUDE .. [[
      local reading = task.spawn(function() return stream.stdin:readline() end)
      stream.stdout:write(("x"):rep(49999), "\n", ("y"):rep(49999), "\n")
      stream.stdout:drain()
      io.stderr:write(flags(), "\n", reading:join(), "\n")
    ]], stdin = p.tty, stdout = p.tty, stderr = "pipe",
  }
  tap.is(p.fds[3]:readline():match("%d+"), "99998")
  tap.is(child.stderr:read(), BLOCKING .. "a line\n")
  tap.ok(child:wait().ok)
  p:close()
end)

tap.test("/dev/null can be read and written", function()
  local p = process.run(script(PRELUDE .. [[
    print(stream.stdin:readline(), stream.stdin:read(), stream.stdin:at_eof())
    stream.stderr:write("gone\n")
    stream.stderr:drain()
    print(flags())
  ]], { stdin = "null", stderr = "null" }))
  tap.is(p.stdout, "nil\t\ttrue\n" .. BLOCKING)
end)

-- How often each of these letters stands in a text.
local function count(text, ...)
  local counts = {}
  for i, letter in ipairs { ... } do
    counts[i] = select(2, text:gsub(letter, ""))
  end
  return counts
end

tap.test("a child that shares our full stdout never sees EAGAIN", function()
  for _, where in ipairs { "pipe", "tty" } do
    local p = process.spawn(script(PRELUDE .. [[
      local p = process.spawn { "sh", "-c", "yes B | head -n 20000; echo $?",
        stdout = "inherit", stderr = "inherit" }
      for i = 1, 3000 do stream.stdout:write("ours A", i, "\n") end
      p:wait()
    ]], { stdout = where == "pipe" and "pipe" or nil, stderr = "inherit",
          pty = where == "tty" }))
    local out = p.stdout or p.tty
    task.sleep(0.02) -- both are to find it full; if not, nothing is lost
    local text = out:read()
    tap.is_deeply(count(text, "A", "B"), { 3000, 20000 }, where)
    tap.ok(not text:find("rror", 1, true), "no error message")
    p:wait()
    p:close()
  end
end)

tap.test("two programs write to one terminal, neither is disturbed", function()
  local p = process.spawn {
    "sh", "-c", [[
      for letter in A B; do
        "$0" -e 'local s = require "luvisor.stream"
          for i = 1, 2000 do s.stdout:write(arg[1], i, "\n") end' $letter &
      done
      wait]], LUVISOR, pty = true,
  }
  tap.is_deeply(count(p.tty:read(), "A", "B"), { 2000, 2000 })
  p:wait()
  p:close()
end)

-- order -----------------------------------------------------------------------

-- A script that writes to stdout by all four ways in turn.
local IN_TURN <const> = [[
  local stream = require "luvisor.stream"
  local task = require "luvisor.task"
  for i = 1, 1500 do
    print("print", i)
    stream.stdout:write("stream ", i, "\n")
    io.write("io.write ", i, " ", 0.5, "\n")
    io.stdout:write("file:write ", i, "\n")
    if i % 100 == 0 then task.sleep(0) end
  end
]]

local function in_turn()
  local lines = {}
  for i = 1, 1500 do
    lines[#lines + 1] = ("print\t%d\nstream %d\nio.write %d 0.5\n"
      .. "file:write %d\n"):format(i, i, i, i)
  end
  return table.concat(lines)
end

tap.test("print, io.write and stream.stdout keep their order in a full pipe",
  function()
    local p = process.spawn(script(IN_TURN, { stdout = "pipe" }))
    tap.eventually(function() return p.stdout:_in_kernel() > 60000 end)
    tap.ok(p.stdout:read() == in_turn())
    p:wait()
  end)

tap.test("and in a file", function()
  with_file(function(name)
    tap.ok(process.run(script(IN_TURN, { stdout = { file = name } })).ok)
    tap.ok(read_file(name) == in_turn())
  end)
end)

tap.test("and behind what a cancelled write has queued", function()
  local p = process.spawn(script([[
    local stream = require "luvisor.stream"
    local task = require "luvisor.task"
    task.move_on(0.01, stream.stdout.write, stream.stdout, ("x"):rep(300000))
    print("p", 1, 1.0, nil)
    io.write("w ", 1, " ", 1.5, "\n")
    assert(io.stdout:write("f\n") == io.stdout)
    stream.stdout:write("s\n")
    print(setmetatable({}, { __tostring = function() return "t" end }))
  ]], { stdout = "pipe" }))
  tap.eventually(function() return p.stdout:_in_kernel() == 65536 end)
  tap.is(p.stdout:read():sub(300001), "p\t1\t1.0\tnil\nw 1 1.5\nf\ns\nt\n")
  p:wait()
end)

tap.test("and stderr keeps its own", function()
  local p = process.spawn(script([[
    local stream = require "luvisor.stream"
    local task = require "luvisor.task"
    task.move_on(0.01, stream.stderr.write, stream.stderr, ("x"):rep(300000))
    io.stderr:write("after\n")
  ]], { stderr = "pipe", stdout = "null" }))
  tap.eventually(function() return p.stderr:_in_kernel() == 65536 end)
  tap.is(p.stderr:read():sub(300001), "after\n")
  p:wait()
end)

tap.test("print and the writes of io are as Lua's in all else", function()
  with_file(function(name)
    local out = process.capture(script([[
      print()
      print(1, nil, "a\0b", 2^53)
      print(pcall(print, setmetatable({}, { __tostring = function()
        return {} end })))
      io.write()
      assert(io.write("a", 1, 1.5, "\n") == io.stdout)
      print(pcall(io.write, {}))
      print(pcall(function() io.stdout:write(nil) end))
      print(pcall(function() io.stdout.write({}) end))
      local name = "]] .. name .. [["
      local f = io.open(name, "w")
      assert(f:write("x", 1, " ", 0.1, "\n") == f)
      io.output(f)
      io.write("more\n")
      f:close()
      print(pcall(io.write, "x"))
      print(pcall(f.write, f, "x"))
      io.output(io.stdout)
      f = io.open(name)
      print(f:write("x"))
      print(f:read("a"))
      f = io.open("/dev/full", "w")
      f:setvbuf("no")
      print(f:write("x"))
    ]]))
    tap.is(out, [[

1	nil	a]] .. "\0" .. [[b	9.007199254741e+15
false	'__tostring' must return a string
a11.5
false	bad argument #1 to 'io.write' (string expected, got table)
false	(command line):8: bad argument #1 to 'write' (string expected, got nil)
false	(command line):9: bad argument #1 to 'write' (FILE* expected, got table)
false	default output file is closed
false	attempt to use a closed file
nil	Bad file descriptor	9
x1 0.1
more

nil	No space left on device	28]])
  end)
end)

-- the end ---------------------------------------------------------------------

tap.test("what is written to stdout is flushed at exit, whoever reads it",
  function()
    for _, ending in ipairs { "", "os.exit(0)", "stream.stdout:close()" } do
      local text = PRELUDE .. [[
        task.move_on(0.001, stream.stdout.write, stream.stdout,
          ("x"):rep(500000))
      ]] .. ending
      local p = process.spawn(script(text, { stdout = "pipe" }))
      tap.eventually(function() return p.stdout:_in_kernel() == 65536 end)
      tap.is(#p.stdout:read(), 500000, ending)
      tap.ok(p:wait().ok)
      with_file(function(name)
        tap.ok(process.run(script(text, { stdout = { file = name } })).ok)
        tap.is(#read_file(name), 500000, ending)
      end)
    end
  end)

tap.test("output that cannot be written makes the program fail, and say so",
  function()
    local p = process.run(script([[
      require "luvisor.stream".stdout:write("lost\n")
    ]], { stdout = { file = "/dev/full" }, check = false }))
    tap.is(p.code, 1)
    tap.like(p.stderr, "ENOSPC")

    local from, to = stream.pipe()
    p = process.spawn(script([[
      local stream = require "luvisor.stream"
      local task = require "luvisor.task"
      task.move_on(0.001, stream.stdout.write, stream.stdout,
        ("x"):rep(500000))
      io.stderr:write("written\n")
    ]], { stdout = to, stderr = "pipe" }))
    to:close()
    tap.is(p.stderr:readline(), "written")
    from:close()
    tap.is(p:wait().code, 1, "a pipe that is broken at the end, too")
    tap.like(p.stderr:read(), "nobody reads")
  end)

tap.test("a failure that the script has dealt with is none at the end",
  function()
    local r = process.run(script([[
      local stream = require "luvisor.stream"
      local ok, err = pcall(stream.stdout.write, stream.stdout, "lost\n")
      assert(not ok and err:is "ENOSPC")
    ]], { stdout = { file = "/dev/full" } }))
    tap.is(r.stderr, "")
  end)

tap.test("a closed descriptor cannot be opened", function()
  local r = process.run(script([[
    local stream = require "luvisor.stream"
    for _, name in ipairs { "stdin", "stdout" } do
      local ok, err = pcall(function() return stream[name] end)
      io.stderr:write(tostring(ok), " ", err.code, "\n")
    end
  ]], { stdin = "close", stdout = "close" }))
  tap.is(r.stderr, "false EBADF\nfalse EBADF\n")
end)

tap.test("what a script does not use is not opened", function()
  tap.is(rawget(stream, "stdin"), nil)
  tap.is(stream.nothing, nil)
end)

-- reading ---------------------------------------------------------------------

tap.test("stdin can be a pipe, a file, a terminal", function()
  local text = PRELUDE .. [[
    local lines = {}
    for line in stream.stdin:lines() do lines[#lines + 1] = line end
    print(#lines, lines[1], lines[#lines])
  ]]
  local long = ("x"):rep(100000)
  local input = "first\n" .. long .. "\nlast"
  tap.is(process.run(script(text, { input = input })).stdout,
    "3\tfirst\tlast\n")
  with_file(function(name)
    local file = io.open(name, "w")
    file:write(input)
    file:close()
    tap.is(process.run(script(text, { stdin = { file = name } })).stdout,
      "3\tfirst\tlast\n")
  end)
  local p = process.spawn(script(text, { pty = { echo = false } }))
  p.tty:write("first\nsecond\nlast\n\4")
  tap.is(p.tty:read(), "3\tfirst\tlast\r\n", "until end of file is typed")
  p:wait()
  p:close()
end)

tap.test("a terminal whose other side is gone is at its end", function()
  with_file(function(name)
    local p = process.spawn { LUVISOR, "-e", PRELUDE .. [[
      local signal = require "luvisor.signal"
      signal.ignore("HUP")
      io.open(arg[1], "w"):close()
      print("ready")
      local line = stream.stdin:readline()
      local log = io.open(arg[1], "w")
      log:write(tostring(line), " ", tostring(stream.stdin:at_eof()), "\n")
      log:close()
    ]], name, pty = true }
    tap.is(p.tty:readline(), "ready\r")
    p.tty:close()
    tap.ok(p:wait().ok)
    tap.is(read_file(name), "nil true\n")
    p:close()
  end)
end)

tap.test("a child that can open its standard streams by name", function()
  local r = process.run {
    "sh", "-c", "cat /dev/stdin >/dev/stdout; echo err >/dev/stderr",
    input = "through",
  }
  tap.is(r.stdout, "through")
  tap.is(r.stderr, "err\n")
end)

tap.done()
