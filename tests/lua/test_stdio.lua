-- A child's descriptors: every form of stdin, stdout, stderr and fds, seen from
-- inside the child.
local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

-- A name for a file that goes with its variable.
local function tmpname()
  return setmetatable({ path = os.tmpname() }, {
    __close = function(self) os.remove(self.path) end,
  })
end

-- What our descriptor is, as "pipe:[1234]".
local function link_of(fd)
  return process.capture { "readlink", ("/proc/%d/fd/%d"):format(
    core_os.getpid(), fd) }
end

-- Run this luvisor on a script of its own, whose 0, 1 and 2 are known.
local function run_luvisor(script, opts)
  local full = { LUVISOR, "-e", script }
  for name, value in pairs(opts or {}) do full[name] = value end
  return process.run(full)
end

-- -- Words --------------------------------------------------------------------

tap.test("spawn gives null, and our own stdout and stderr", function()
  local r = run_luvisor [[
    local process = require "luvisor.process"
    process.spawn { "sh", "-c", "readlink /proc/self/fd/0; echo err >&2" }
      :wait()
  ]]
  tap.is(r.stdout, "/dev/null\n")
  tap.is(r.stderr, "err\n")
end)

tap.test("run gives null and two pipes", function()
  local r = process.run { "sh", "-c",
    "readlink /proc/self/fd/0; echo out; echo err >&2" }
  tap.is(r.stdout, "/dev/null\nout\n")
  tap.is(r.stderr, "err\n")
end)

tap.test("pipe joins it to us", function()
  local p <close> = process.spawn { "sh", "-c",
    "read line; echo \"$line\"; echo err >&2; readlink /proc/self/fd/0",
    stdin = "pipe", stdout = "pipe", stderr = "pipe" }
  p.stdin:write "hello\n"
  tap.is(p.stdout:readline(), "hello")
  tap.like(p.stdout:readline(), "^pipe:", "a pipe, which it can reopen")
  tap.is(p.stderr:read(), "err\n")
  p:wait()
end)

tap.test("null is /dev/null", function()
  local p <close> = process.spawn { "sh", "-c",
    "cat; echo gone; echo gone >&2; for i in 0 1 2; do "
      .. "(readlink /proc/$$/fd/$i >&3); done",
    stdin = "null", stdout = "null", stderr = "null", fds = { [3] = "pipe" } }
  tap.is(p.fds[3]:read(), ("/dev/null\n"):rep(3))
  tap.is(p.stdout, nil, "and no stream of ours")
  tap.ok(p:wait().ok)
end)

local OPEN <const> = "for i in 0 1 2; do test -e /proc/self/fd/$i && "
  .. "printf $i >&9; done; exit 0"

tap.test("close leaves it closed", function()
  for _, names in ipairs { { "stdin" }, { "stdout" }, { "stderr" },
                           { "stdin", "stdout", "stderr" } } do
    local opts = { "sh", "-c", OPEN, fds = { [9] = "pipe" } }
    for _, name in ipairs(names) do opts[name] = "close" end
    local p <close> = process.spawn(opts)
    local open = "012"
    for _, name in ipairs(names) do
      local fd = ({ stdin = "0", stdout = "1", stderr = "2" })[name]
      open = open:gsub(fd, "")
    end
    tap.is(p.fds[9]:read(), open, table.concat(names, " "))
    p:wait()
  end
end)

tap.test("inherit is what we have", function()
  local r = run_luvisor([[
    local process = require "luvisor.process"
    process.run { "sh", "-c", "cat; echo out; echo err >&2",
                  stdin = "inherit", stdout = "inherit", stderr = "inherit" }
  ]], { input = "in\n" })
  tap.is(r.stdout, "in\nout\n")
  tap.is(r.stderr, "err\n")
end)

-- -- stderr = "stdout" --------------------------------------------------------

tap.test("stderr goes where stdout goes", function()
  local both <const> = "echo a; echo b >&2; echo c"
  local r = process.run { "sh", "-c", both, stderr = "stdout" }
  tap.is(r.stdout, "a\nb\nc\n", "to a pipe, in order")
  tap.is(r.stderr, nil)
  local file <close> = tmpname()
  process.run { "sh", "-c", both, stdout = { file = file.path },
                stderr = "stdout" }
  tap.is(read_file(file.path), "a\nb\nc\n", "to a file, none over the other")
  r = process.run { "readlink", "/proc/self/fd/2", stdout = "null",
                    stderr = "stdout", fds = { [3] = "null" } }
  tap.ok(r.ok, "to nowhere")
  local p <close> = process.spawn { "sh", "-c", OPEN, stdout = "close",
    stderr = "stdout", fds = { [9] = "pipe" } }
  tap.is(p.fds[9]:read(), "0", "closed, as it is")
  p:wait()
  r = run_luvisor [[
    require("luvisor.process").spawn { "sh", "-c", "echo a; echo b >&2",
                                       stderr = "stdout" }:wait()
  ]]
  tap.is(r.stdout .. "|" .. r.stderr, "a\nb\n|", "to our own")
  local terminal <close> = process.spawn { "sh", "-c", "echo b >&2; tty <&2",
    pty = true, stderr = "stdout" }
  tap.is(terminal.tty:readline(), "b\r", "to the terminal")
  terminal:wait()
end)

-- -- Files --------------------------------------------------------------------

tap.test("a file is read or written", function()
  local file <close> = tmpname()
  write_file(file.path, "what was here before, and is long\n")
  process.run { "echo", "new", stdout = { file = file.path } }
  tap.is(read_file(file.path), "new\n", "written anew")
  process.run { "sh", "-c", "echo more >&2",
                stderr = { file = file.path, append = true } }
  tap.is(read_file(file.path), "new\nmore\n", "added to")
  tap.is(process.capture { "cat", stdin = { file = file.path } }, "new\nmore",
    "read")
  local r = process.run { "sh", "-c", "cat <&5; echo 6 >&6", fds = {
    [5] = { file = file.path, mode = "r" },
    [6] = { file = file.path, append = true } } }
  tap.is(r.stdout, "new\nmore\n", "another descriptor")
  tap.is(read_file(file.path), "new\nmore\n6\n")
end)

tap.test("mode says how a file is opened", function()
  local file <close> = tmpname()
  local function echo(text, opts)
    opts.file = file.path
    process.run { "sh", "-c", "printf %s " .. text, stdout = opts }
    return read_file(file.path)
  end
  tap.is(echo("abc", { mode = "w" }), "abc")
  tap.is(echo("d", { mode = "a" }), "abcd")
  tap.is(echo("X", { mode = "rw" }), "Xbcd", "rw leaves what is there")
  process.run { "sh", "-c", "cat; echo Y >&0",
                stdin = { file = file.path, mode = "rw" } }
  tap.is(read_file(file.path), "XbcdY\n")
end)

tap.test("mode may be the permissions of a new file", function()
  local dir = process.capture { "mktemp", "-d" }
  local umask = process.capture { shell = "umask" }
  local function permissions(opts)
    local path = dir .. "/new"
    opts.file = path
    process.run { "echo", "a", stdout = opts }
    process.run { "echo", "b", stdout = opts }
    local text = process.capture { "stat", "-c", "%a", path }
    local content = read_file(path)
    os.remove(path)
    return text .. " " .. content:gsub("\n", "")
  end
  tap.is(permissions { mode = "0600" }, "600 b")
  tap.is(permissions { mode = 384 }, "600 b")
  tap.is(permissions { mode = "0600", append = true }, "600 ab",
    "and it is appended to all the same")
  local usual = ("%o"):format(438 & ~tonumber(umask, 8))
  tap.is(permissions {}, usual .. " b", "the usual ones")
  os.remove(dir)
end)

-- -- Descriptors, Lua files, streams ------------------------------------------

tap.test("a number is our descriptor", function()
  local r = run_luvisor [[
    local process = require "luvisor.process"
    process.run { "sh", "-c", "echo out; echo err >&2", stdout = 2, stderr = 1 }
  ]]
  tap.is(r.stdout, "err\n", "swapped")
  tap.is(r.stderr, "out\n")
  r = run_luvisor([[
    require("luvisor.process").run { "cat", stdin = 0, stdout = 1 }
  ]], { input = "in\n" })
  tap.is(r.stdout, "in\n")
end)

tap.test("a Lua file is one, too", function()
  local file <close> = tmpname()
  local out = assert(io.open(file.path, "w"))
  out:write "first "
  process.run { "printf", "second ", stdout = out }
  out:write "third"
  out:close()
  tap.is(read_file(file.path), "first second third", "after what we wrote")
  local input = assert(io.open(file.path))
  tap.is(input:read(6), "first ")
  tap.is(process.capture { "cat", stdin = input }, "second third",
    "from where we have read to")
  input:close()
  tap.throws(function() process.run { "cat", stdin = input } end, "Closed")
  tap.is(process.capture { "sh", "-c", "echo a >&5", stdout = "pipe",
    fds = { [5] = io.stdout } }, "")
end)

tap.test("a process' stdout goes to another's stdin in the kernel", function()
  local one <close> = process.spawn { "sh", "-c", "printf 'b\\na\\n'; sleep 60",
                                      stdout = "pipe" }
  local two <close> = process.spawn { "head", "-n1", stdin = one.stdout,
                                      stdout = "pipe" }
  tap.is(two.stdout:read(), "b\n")
  tap.ok(two:wait().ok)
end)

tap.test("what the child gets of a stream blocks, and ours does not", function()
  local one <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  local flags <const> = "cat /proc/self/fdinfo/%d"
  local function is_nonblocking(text)
    return tonumber(text:match "flags:%s*(%d+)", 8) & tonumber("4000", 8) ~= 0
  end
  tap.ok(not is_nonblocking(process.capture { shell = flags:format(0),
    stdin = one.stdout }), "a Reader")
  local r, w = stream.pipe()
  process.spawn { shell = flags:format(1), stdout = w }:wait()
  tap.ok(not is_nonblocking(r:read(4096)), "a Writer")
  for _, s in ipairs { one.stdout, one.stdin, r, w } do
    tap.ok(is_nonblocking(read_file("/proc/self/fdinfo/" .. s:fileno())))
  end
  for _, fd in ipairs { 0, 1, 2 } do
    local text = process.run { "sh", "-c", flags:format(fd) .. " >&3",
      stdin = "pipe", stderr = "pipe", stdout = "pipe",
      fds = { [3] = { file = "/dev/null", mode = "rw" } } }
    tap.ok(text.ok)
    local p <close> = process.spawn { "sh", "-c", flags:format(fd) .. " >&3",
      stdin = "pipe", stdout = "pipe", stderr = "pipe",
      fds = { [3] = "pipe" } }
    tap.ok(not is_nonblocking(p.fds[3]:read()), "its end of a pipe, " .. fd)
    p:wait()
  end
  r:close()
  w:close()
end)

tap.test("a Reader that has been read from is Busy", function()
  local one <close> = process.spawn { "sh", "-c", "echo a; sleep 60",
                                      stdout = "pipe" }
  tap.is(one.stdout:read(1), "a")
  local _, err = tap.throws(function()
    process.spawn { "cat", stdin = one.stdout }
  end, "Busy")
  tap.like(tostring(err), "stdin")
  local two <close> = process.spawn { "sleep", "60", stdout = "pipe" }
  task.nursery(function(n)
    n:spawn(function() two.stdout:read(1) end)
    task.checkpoint()
    tap.throws(function() process.spawn { "cat", stdin = two.stdout } end,
      "Busy", "or is being read from")
    n:cancel()
  end)
end)

tap.test("a closed stream is refused", function()
  local r, w = stream.pipe()
  r:close()
  w:close()
  tap.throws(function() process.spawn { "cat", stdin = r } end, "Closed")
  tap.throws(function() process.spawn { "cat", stdout = w } end, "Closed")
end)

tap.test("a stream of a file is at the same place in it", function()
  local file <close> = tmpname()
  write_file(file.path, "0123456789")
  local lua_file = assert(io.open(file.path, "r"))
  lua_file:read(4)
  lua_file:seek("cur", 0)
  local r = stream.open(lua_file, "r")
  tap.is(process.capture { "cat", stdin = r }, "456789")
  r:close()
  lua_file:close()
  local log = assert(io.open(file.path, "a"))
  local w = stream.open(log, "w")
  process.run { "printf", "appended", stdout = w }
  tap.is(read_file(file.path), "0123456789appended", "O_APPEND is kept")
  w:close()
  log:close()
end)

tap.test("a terminal is given on as it is", function()
  local p <close> = process.spawn { "sh", "-c",
    "for i in 1 2; do read x; echo \"<$x>\"; done", pty = { echo = false } }
  process.run { "echo", "typed by another", stdout = p.tty }
  tap.is(p.tty:readline(), "<typed by another>\r")
  local waited = false -- what is shared now blocks, but not us
  task.nursery(function(n)
    n:spawn(function()
      task.checkpoint()
      waited = true
      p.tty:write "typed by us\n"
    end)
    tap.is(p.tty:readline(), "<typed by us>\r")
  end)
  tap.ok(waited)
  p:wait()
end)

tap.test("a Writer that is not drained is Busy", function()
  local r, w = stream.pipe()
  task.nursery(function(n)
    n:spawn(function() w:write(("x"):rep(100000)) end)
    task.checkpoint()
    tap.throws(function() process.run { "echo", stdout = w } end, "Busy")
    tap.is(#r:readexactly(100000), 100000)
  end)
  process.run { "echo", "after it", stdout = w }
  tap.is(r:readline(), "after it")
  r:close()
  w:close()
end)

-- -- fds ----------------------------------------------------------------------

tap.test("fds gives further descriptors", function()
  local p <close> = process.spawn { "sh", "-c",
    "echo three >&3; read x <&4; echo \"four: $x\" >&3; "
      .. "readlink /proc/self/fd/5 >&3; test -e /proc/self/fd/6 || "
      .. "echo closed >&3; echo err >&8",
    fds = { [3] = "pipe", [4] = "pipe-in", [5] = "null", [6] = "close",
            [8] = "pipe" } }
  tap.is(p.fds[3]:readline(), "three")
  p.fds[4]:write "in\n"
  tap.is(p.fds[3]:readline(), "four: in")
  tap.is(p.fds[3]:readline(), "/dev/null")
  tap.is(p.fds[3]:readline(), "closed")
  tap.is(p.fds[8]:read(), "err\n")
  tap.is_deeply({ p.fds[5], p.fds[6], p.stdin }, {}, "streams only of pipes")
  p:wait()
end)

tap.test("any number of any numbers", function()
  local fds, list = {}, {}
  for i = 1, 100 do
    fds[10 + 3 * i] = "pipe"
    list[i] = 10 + 3 * i
  end
  local p <close> = process.spawn { "sh", "-c", "for i in "
    .. table.concat(list, " ") .. "; do echo $i > /proc/self/fd/$i; done",
    fds = fds }
  local got = {}
  for i, fd in ipairs(list) do got[i] = tonumber(p.fds[fd]:readline()) end
  tap.is_deeply(got, list)
  p:wait()
end)

tap.test("every other descriptor of ours is closed", function()
  local files = {}
  for i = 1, 100 do files[i] = io.open "/dev/null" end
  local r = process.run { "ls", "/proc/self/fd" }
  tap.is(r.stdout:gsub("\n", " "), "0 1 2 3 ", "but for the one of ls")
  r = process.run { "ls", "/proc/self/fd", fds = { [7] = "null" } }
  tap.is(r.stdout:gsub("\n", " "), "0 1 2 3 7 ")
  for _, file in ipairs(files) do file:close() end
end)

-- All orders of a list.
local function permutations(list, n, found)
  n, found = n or #list, found or {}
  if n <= 1 then found[#found + 1] = table.move(list, 1, #list, 1, {}) end
  for i = 1, n > 1 and n or 0 do
    list[i], list[n] = list[n], list[i]
    permutations(list, n - 1, found)
    list[i], list[n] = list[n], list[i]
  end
  return found
end

tap.test("descriptors are swapped in any order", function()
  local streams, numbers, links = {}, {}, {}
  for i = 1, 4 do
    streams[i] = { stream.pipe() }
    numbers[i] = streams[i][2]:fileno()
    links[numbers[i]] = link_of(numbers[i])
  end
  local bad = {}
  for _, order in ipairs(permutations { table.unpack(numbers) }) do
    local fds, argv, want = {}, { "readlink" }, {}
    for i, target in ipairs(numbers) do
      fds[target] = order[i]
      argv[#argv + 1] = "/proc/self/fd/" .. target
      want[#want + 1] = links[order[i]]
    end
    argv.fds = fds
    if process.capture(argv) ~= table.concat(want, "\n") then
      bad[#bad + 1] = table.concat(order, " ")
    end
  end
  tap.is_deeply(bad, {}, "all 24 orders of four")
  local a, b = numbers[1], numbers[2]
  tap.is(process.capture { "readlink", "/proc/self/fd/" .. a,
    "/proc/self/fd/" .. b, "/proc/self/fd/0",
    fds = { [a] = b, [b] = a }, stdin = a },
    table.concat({ links[b], links[a], links[a] }, "\n"), "and for stdin, too")
  for _, pair in ipairs(streams) do
    pair[1]:close()
    pair[2]:close()
  end
end)

tap.test("0, 1 and 2 are swapped in any order", function()
  local r = run_luvisor([[
    local process = require "luvisor.process"
    local function show(a, b, c)
      local p = process.spawn { "sh", "-c",
        "for i in 0 1 2; do (readlink /proc/$$/fd/$i >&9); done",
        stdin = a, stdout = b, stderr = c, fds = { [9] = "pipe" } }
      print(p.fds[9]:read())
      p:wait()
    end
    show("inherit", "inherit", "inherit")
    show(0, 1, 2) show(0, 2, 1) show(1, 0, 2) show(1, 2, 0) show(2, 0, 1)
    show(2, 1, 0) show(1, 1, 1) show(2, 2, 0)
  ]], { stdin = "pipe", input = "" })
  local list = {}
  for link in r.stdout:gmatch "[^\n]+" do list[#list + 1] = link end
  local got = {}
  for i = 4, #list do
    for fd = 0, 2 do
      if list[i] == list[1 + fd] then got[#got + 1] = fd end
    end
  end
  tap.is(table.concat(got), "012021102120201210111220")
end)

-- -- Without 0, 1 and 2 -------------------------------------------------------

local WITHOUT <const> = [[
  local process = require "luvisor.process"
  local OPEN = "for i in 0 1 2; do test -e /proc/self/fd/$i && "
    .. "printf $i >&9; done; exit 0"
  local function open(opts)
    opts[1], opts[2], opts[3] = "sh", "-c", OPEN
    opts.fds = { [9] = 9 }
    process.run(opts)
  end
  open { stdin = "inherit", stdout = "inherit", stderr = "inherit" }
  open { stdout = "inherit", stderr = "inherit", fds = { [9] = 9 } }
  open { stdin = "pipe", stdout = "pipe", stderr = "pipe" }
  open { stdin = "null", stdout = "null", stderr = "stdout" }
  local said = process.run { "sh", "-c", "cat; echo out; echo err >&2",
                             input = "in " }
  assert(said.stdout == "in out\n" and said.stderr == "err\n")
  process.run { "sh", "-c", "echo . >&9", fds = { [9] = 9 } }
]]

tap.test("it works whichever of 0, 1 and 2 we have not", function()
  for without = 0, 7 do
    local redirections, open = "", ""
    for fd = 0, 2 do
      if without >> fd & 1 == 1 then
        redirections = redirections .. (" %d%s&-"):format(fd,
          fd == 0 and "<" or ">")
      else
        open = open .. fd
      end
    end
    local p <close> = process.spawn { "sh", "-c", "exec \"$0\" \"$@\""
      .. redirections, LUVISOR, "-e", WITHOUT, fds = { [9] = "pipe" } }
    local second = "0" .. open:gsub("0", "")
    tap.is(p.fds[9]:read(), open .. second .. "012012.\n",
      "without" .. redirections)
    tap.ok(p:wait().ok)
  end
end)

tap.test("what is printed to a closed stdout is an error", function()
  local r = process.run { "sh", "-c", "exec \"$0\" -e 'print(1)' >&-", LUVISOR,
                          check = false }
  tap.is(r.code, 1)
  tap.like(r.stderr, "standard output")
end)

-- -- Leftovers ----------------------------------------------------------------

tap.test("our ends go with the process", function()
  local before = core_os.fds()
  do
    local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe",
      stderr = "pipe", fds = { [3] = "pipe", [4] = "pipe-in" } }
    local t <close> = process.spawn { "cat", pty = true }
    tap.ok(#core_os.fds() > #before)
    tap.ok(p.pid and t.pid)
  end
  tap.eventually(function() return #core_os.fds() == #before end)
end)

tap.done()
