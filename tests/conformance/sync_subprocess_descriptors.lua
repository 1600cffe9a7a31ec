-- Counterparts of Python's test_subprocess.py: descriptors that a child gets,
-- does not get, and that we keep. Those that tests/lua has are not repeated.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local core_os = require "luvisor.core.os"
local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

-- The child's descriptors, without the one that lists them.
local function open_in(opts)
  local all = { "sh", "-c", "ls /proc/$$/fd", stdin = "null" }
  for name, value in pairs(opts or {}) do all[name] = value end
  local list = {}
  for fd in process.capture(all):gmatch "%d+" do
    list[#list + 1] = math.tointeger(tonumber(fd))
  end
  table.sort(list)
  return table.concat(list, " ")
end

-- -- Numbers and files --------------------------------------------------------

local numbers = setmetatable({}, { __mode = "k" })

local function newest(before)
  local known = {}
  for _, fd in ipairs(before) do known[fd] = true end
  for _, fd in ipairs(core_os.fds()) do
    if not known[fd] then return fd end
  end
end

-- A file with this text, open for reading and writing, at its beginning.
local function tmpfile(text)
  local before = core_os.fds()
  local file = io.tmpfile()
  numbers[file] = newest(before)
  file:write(text or "")
  file:flush()
  file:seek "set"
  return file
end

local function as_file(file) return file end
local function as_number(file) return numbers[file] end

local function content(file)
  file:seek "set"
  return file:read "a"
end

tap.test("test_stdin_filedes, test_stdin_fileobj, test_stdout_filedes, "
  .. "test_stdout_fileobj, test_stderr_filedes, test_stderr_fileobj: a number "
  .. "and a file of ours, as each of the three", function()
  for _, as in ipairs { as_file, as_number } do
    local input <close> = tmpfile "pear"
    local out <close> = tmpfile()
    local err <close> = tmpfile()
    local p <close> = process.spawn { "sh", "-c",
      "cat; printf strawberry >&2", stdin = as(input), stdout = as(out),
      stderr = as(err) }
    tap.ok(p:wait().ok)
    tap.is(content(out), "pear")
    tap.is(content(err), "strawberry")
    tap.is_deeply({ p.stdin, p.stdout, p.stderr }, {}, "no streams of ours")
  end
end)

tap.test("test_stdout_stderr_file: one file for both", function()
  for _, as in ipairs { as_file, as_number } do
    local file <close> = tmpfile()
    process.run { "sh", "-c", "printf apple; printf orange >&2",
                  stdout = as(file), stderr = as(file) }
    tap.is(content(file), "appleorange")
  end
end)

tap.test("test_stdout_stdin_are_single_inout_fd, test_stdout_stderr_are_single"
  .. "_inout_fd, test_stderr_stdin_are_single_inout_fd: one file for any two",
function()
  for _, pair in ipairs { { "stdout", "stdin" }, { "stdout", "stderr" },
                          { "stderr", "stdin" } } do
    local inout <close> = assert(io.open("/dev/null", "r+"))
    tap.ok(process.run({ "true", [pair[1]] = inout, [pair[2]] = inout }).ok)
    tap.ok(inout:write "still open")
  end
end)

-- Which of 0, 1 and 2 a luvisor has not; which of the others its child gets as
-- which. 9 is a way out.
local SWAP <const> = [=[
  local process = require "luvisor.process"
  local from, to = {}, {}
  for fd in arg[1]:gmatch "%d" do from[#from + 1] = math.tointeger(fd) end
  for fd in arg[2]:gmatch "%d" do to[#to + 1] = math.tointeger(fd) end
  local names = { [0] = "stdin", "stdout", "stderr" }
  local opts = { "sh", "-c", "for i in 0 1 2; do "
    .. "(readlink /proc/$$/fd/$i || echo none) 2>/dev/null >&9; done",
    stdin = "close", stdout = "close", stderr = "close", fds = { [9] = 9 } }
  for i = 1, 2 do opts[names[to[i]]] = from[i] end
  process.spawn(opts):wait()
]=]

tap.test("test_swap_std_fds_with_one_closed: any two of ours as any two of its",
function()
  local dir <close> = children.tmpdir()
  local orders = { "01", "02", "10", "12", "20", "21" }
  for _, from in ipairs { "01", "02", "12" } do
    local closed = ("012"):gsub("[" .. from .. "]", "")
    for _, to in ipairs(orders) do
      local p <close> = process.spawn { "sh", "-c", ("exec \"$0\" \"$@\" %s>&-")
        :format(closed), children.LUVISOR, "-e", SWAP, from, to,
        stdin = { file = dir.path .. "/0", mode = "w" },
        stdout = { file = dir.path .. "/1" },
        stderr = { file = dir.path .. "/2" }, fds = { [9] = "pipe" } }
      local want = { [0] = "none", "none", "none" }
      for i = 1, 2 do
        want[tonumber(to:sub(i, i))] = dir.path .. "/" .. from:sub(i, i)
      end
      tap.is(p.fds[9]:read(), ("%s\n%s\n%s\n"):format(want[0], want[1],
        want[2]), from .. " as " .. to)
      p:wait()
    end
  end
end)

tap.test("test_small_errpipe_write_fd: an exec succeeds and fails as ever "
  .. "where 0 and 1 are free", function()
  for _, without in ipairs { "", "1" } do
    local r = process.run { "sh", "-c", "exec \"$0\" \"$@\" <&- >&-",
      children.LUVISOR, "-e", [[
        local process = require "luvisor.process"
        local said = process.capture { "echo", "apple" }
        local _, err = pcall(process.spawn, { "/no/such", stdin = "pipe",
                                              stdout = "pipe" })
        io.stderr:write(said, " ", err.code, " ",
          tostring(process.spawn({ "sh", "-c", "exit 5" }):wait()), "\n")
      ]], env = { LUVISOR_NO_PIDFD = without } }
    tap.is(r.stderr, "apple ENOENT exited 5\n")
  end
end)

-- -- What is closed and what is passed ----------------------------------------

tap.test("test_pipe_cloexec, test_close_fds: of our descriptors a child has "
  .. "those that it was given", function()
  local other <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe",
                                        stderr = "pipe" }
  local r, w = stream.pipe()
  local _ <close> = r
  local _ <close> = w
  local files = {}
  for i = 1, 9 do files[i] = assert(io.open "/dev/null") end
  tap.is(open_in(), "0 1 2")
  tap.is(open_in { fds = { [5] = r, [20] = w, [30] = files[1],
                           [31] = files[2] } }, "0 1 2 5 20 30 31")
  for _, file in ipairs(files) do file:close() end
  tap.is(other.status, nil)
end)

tap.test("test_close_fds: also of those that we have inherited ourselves",
function()
  local r = process.run { "sh", "-c", "exec 3</dev/null 7</dev/null "
    .. "8</dev/null; exec \"$0\" \"$@\"", children.LUVISOR, "-e", [[
      local process = require "luvisor.process"
      local list = { "sh", "-c", "ls /proc/$$/fd" }
      print((process.capture(list):gsub("\n", " ")))
      list.fds = { [7] = 7 }
      print((process.capture(list):gsub("\n", " ")))
    ]] }
  tap.is(r.stdout, "0 1 2\n0 1 2 7\n")
end)

tap.test("test_close_fds_when_max_fd_is_lowered: those above a lowered limit "
  .. "are closed, too", function()
  local r = process.run { "bash", "-c", "for i in {40..70}; do "
    .. "eval \"exec $i</dev/null\"; done; ulimit -n 29; exec \"$0\" \"$@\"",
    children.LUVISOR, "-e", [[
      print((require "luvisor.process".capture { "sh", "-c",
        "ulimit -n; ls /proc/$$/fd" }:gsub("\n", " ")))
    ]] }
  tap.is(r.stdout, "29 0 1 2\n")
end)

tap.test("test_pass_fds: each of several, and only that", function()
  local pipes, fds = {}, {}
  for _ = 1, 5 do
    local r, w = stream.pipe()
    pipes[#pipes + 1], pipes[#pipes + 2] = r, w
    fds[#fds + 1], fds[#fds + 2] = r:fileno(), w:fileno()
  end
  for i, fd in ipairs(fds) do
    tap.is(open_in { fds = { [fd] = pipes[i] } }, "0 1 2 " .. fd)
    tap.is(open_in { fds = { [fd] = fd } }, "0 1 2 " .. fd, "by number")
  end
  for _, s in ipairs(pipes) do s:close() end
end)

local function is_cloexec(fd)
  local text = children.read_file("/proc/self/fdinfo/" .. fd)
  return tonumber(text:match "flags:%s*(%d+)", 8) & tonumber("2000000", 8) ~= 0
end

tap.test("test_pass_fds_inheritable: what is passed is inherited, and ours is "
  .. "as it was", function()
  local r, w = stream.pipe()
  local _ <close> = r
  local _ <close> = w
  local ours = { r:fileno(), w:fileno() }
  tap.is(open_in { fds = { [ours[1]] = ours[1], [ours[2]] = ours[2] } },
    ("0 1 2 %d %d"):format(math.min(table.unpack(ours)),
      math.max(table.unpack(ours))))
  for _, fd in ipairs(ours) do
    tap.ok(is_cloexec(fd), "not for the next child")
  end
  tap.is(open_in(), "0 1 2")
end)

tap.test("test_pass_fds_redirected: what is passed may be stdin, stdout and "
  .. "stderr as well", function()
  local first <close> = assert(io.open("/dev/null", "r+"))
  local second <close> = assert(io.open("/dev/null", "r+"))
  local r, w = stream.pipe()
  local _ <close> = r
  local _ <close> = w
  process.run { "sh", "-c", "ls /proc/$$/fd; for i in 0 20 1 21 2 22; do "
    .. "readlink /proc/$$/fd/$i; done", stdin = first, stdout = w,
    stderr = second, fds = { [20] = first, [21] = w, [22] = second } }
  w:close()
  local out = r:read()
  tap.is(out:sub(1, 15), "0\n1\n2\n20\n21\n22\n")
  local links = {}
  for link in out:sub(16):gmatch "[^\n]+" do links[#links + 1] = link end
  tap.is(#links, 6)
  for i = 1, 6, 2 do tap.is(links[i], links[i + 1]) end
end)

-- -- What we keep -------------------------------------------------------------

tap.test("test_leaking_fds_on_error, test_no_leaking: with a few descriptors "
  .. "left, any number of spawns succeed and fail", function()
  children.need_kernel()
  local r = children.run([[
    local files = {}
    process.run { "true" }
    while true do
      local file = io.open "/dev/null"
      if not file then break end
      files[#files + 1] = file
    end
    for _ = 1, 10 do table.remove(files):close() end
    collectgarbage "stop"
    for _ = 1, 100 do
      local ok, err = pcall(process.spawn, { "/no/such/program",
        stdin = "pipe", stdout = "pipe", stderr = "pipe" })
      assert(not ok and err.code == "ENOENT", err)
    end
    for _ = 1, 15 do
      assert(process.capture { "cat", input = "lime" } == "lime")
    end
    print "done"
  ]], { limits = { nofile = 64 } })
  tap.is(r.stdout, "done\n")
end)

tap.test("test_double_close_on_error: no number is closed twice", function()
  local log = children.trace("close,close_range", [[
    for _ = 1, 3 do
      pcall(process.spawn, { "/no/such/program", stdin = "pipe",
        stdout = "pipe", stderr = "pipe", fds = { [7] = "pipe" } })
      pcall(process.spawn, { "true", cwd = "/no/such", pty = true })
      process.run { "true" }
      process.run { "cat", input = "x", pty = true, stdin = "pipe" }
    end
  ]])
  local twice = {}
  for line in log:gmatch "[^\n]+" do
    if line:find "EBADF" then twice[#twice + 1] = line end
  end
  tap.is_deeply(twice, {})
end)

tap.test("test_handles_closed_on_exception: what was to be given to a child "
  .. "that cannot be started stays ours", function()
  local file <close> = tmpfile "text"
  local r, w = stream.pipe()
  local _ <close> = r
  local _ <close> = w
  tap.throws(function()
    process.spawn { "/no/such/program", stdin = file, stdout = w,
                    stderr = w:fileno() }
  end, "ENOENT")
  tap.is(content(file), "text")
  w:write "x"
  tap.is(r:read(1), "x")
end)

tap.test("test_communicate_pipe_fd_leak: after communicate nothing is left to "
  .. "read or write, and after close nothing is open", function()
  local before = #core_os.fds()
  for mask = 1, 7 do
    local opts, names = { "true" }, { "stdin", "stdout", "stderr" }
    for i, name in ipairs(names) do
      opts[name] = mask >> (i - 1) & 1 == 1 and "pipe" or "null"
    end
    local p = process.spawn(opts)
    p:communicate()
    if p.stdin then tap.ok(p.stdin:is_closing()) end
    if p.stdout then tap.ok(p.stdout:at_eof()) end
    if p.stderr then tap.ok(p.stderr:at_eof()) end
    p:close()
    tap.eventually(function() return #core_os.fds() == before end)
  end
end)

tap.done()
