-- After CPython's test_subprocess.py: what create_subprocess_exec and _shell
-- take; each option is seen from inside the child.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local asyncio = require "luvisor.asyncio"
local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local PIPE <const> = asyncio.subprocess.PIPE
local exec <const> = asyncio.create_subprocess_exec
local shell <const> = asyncio.create_subprocess_shell

local function test(name, fn)
  tap.test(name, function() asyncio.run(fn) end)
end

-- What a command line prints that is run with these options.
local function says(command, opts)
  opts = opts or {}
  opts.stdout = PIPE
  local p <close> = shell(command, opts)
  return ((p:communicate()):gsub("\n$", ""))
end

local function refuses(name, opts, pattern)
  for what, create in pairs { exec = exec, shell = shell } do
    tap.throws(function() create("true", opts) end, pattern or name,
      ("%s by %s"):format(name, what))
  end
end

local function text_mode_fails()
  refuses("text", { text = true })
  refuses("universal_newlines", { universal_newlines = true })
  refuses("encoding", { encoding = "utf-8" })
  refuses("errors", { errors = "strict" })
  refuses("bufsize", { bufsize = 4096 })
  tap.throws(function() exec("true", { text = true }) end, "UsageError")
end

test("test_create_subprocess_exec_text_mode_fails: streams carry bytes only",
  text_mode_fails)

test("test_create_subprocess_shell_text_mode_fails: so for a command line",
function()
  tap.throws(function() shell("true", { text = true }) end, "UsageError")
  tap.throws(function() shell("true", { encoding = "utf-8" }) end, "encoding")
  tap.throws(function() shell("true", { errors = "strict" }) end, "errors")
end)

test("what says what is so anyway is taken", function()
  local p <close> = exec("true", { text = false, universal_newlines = false,
                                   bufsize = 0, shell = false })
  tap.is(p:wait(), 0)
  local q <close> = shell("exit 3", { shell = true })
  tap.is(q:wait(), 3)
end)

test("what cannot be is refused, and says why", function()
  refuses("preexec_fn", { preexec_fn = print }, "no Lua can run in the child")
  tap.throws(function() exec("true", { shell = true }) end, "_shell")
  tap.throws(function() shell("true", { shell = false }) end, "_exec")
  refuses("a misspelt option", { stdot = PIPE }, 'did you mean "stdout"')
  refuses("limit", { limit = 0 }, "positive integer")
  refuses("limit", { limit = "x" }, "positive integer")
  tap.throws(function() exec("true", nil) end, "argument 1 must be")
  tap.throws(function() exec {} end, "the program must be")
  tap.throws(function() shell { "true" } end, "must be a string")
  tap.throws(function() exec("true", { stdout = "stdout" }) end,
    "stdout is one")
end)

-- A path of a kind that a library might have.
local function path_of(text)
  return setmetatable({}, { __tostring = function() return text end })
end

test("test_create_subprocess_exec_with_path: programs and arguments may be "
  .. "objects that tostring makes paths of", function()
  local p <close> = exec(path_of "/bin/sh", "-c", "exit 4")
  tap.is(p:wait(), 4)
  local q <close> = exec("ls", "-d", path_of "/", { stdout = PIPE,
                                                   cwd = path_of "/" })
  tap.is(q:communicate(), "/\n")
end)

-- After communicate, wait is done at once.
local function check_output(p, output)
  tap.is(p:communicate(), output)
  tap.is(p.returncode, 0)
  local task = asyncio.create_task(p.wait, p)
  asyncio.sleep(0)
  tap.is(task:result(), 0, "wait does not wait any more")
end

test("test_create_subprocess_env_shell: a variable is seen", function()
  local p <close> = shell("printf %s $FOO", { stdout = PIPE,
                                              env = { FOO = "bar" } })
  check_output(p, "bar")
end)

test("test_create_subprocess_env_exec: so by a program", function()
  local p <close> = exec("sh", "-c", "printf %s $FOO", {
    stdout = PIPE, env = { FOO = "baz", PATH = os.getenv "PATH" },
  })
  check_output(p, "baz")
end)

test("env is all of the environment (S3)", function()
  tap.is(says("/usr/bin/env | grep -v ^PWD= | grep -v ^_=",
    { env = { A = "1" } }), "A=1")
  tap.throws(function() shell("true", { env = { ["A=B"] = "c" } }) end, "A=B")
  tap.throws(function() shell("true", { env = { A = "b\0c" } }) end, "zero")
end)

test("test_start_new_session: the child leads a session", function()
  local p <close> = shell("exit 8", { start_new_session = true })
  tap.is(p:wait(), 8)
  local ids = "cut -d' ' -f1,5,6 /proc/$$/stat"
  local pid, group, session = says("exec sh -c \"" .. ids:gsub("%$%$", "self")
    .. "\"", { start_new_session = true }):match "(%d+) (%d+) (%d+)"
  tap.is(group, session)
  tap.ok(pid ~= nil)
end)

-- The process group of a child of such options, ours, and the child's pid.
local function groups(opts)
  opts.stdout = PIPE
  local p <close> = exec("cut", "-d ", "-f5", "/proc/self/stat", opts)
  local group = math.tointeger((p:communicate():gsub("\n", "")))
  local ours = children.read_file("/proc/self/stat"):match
    "^%d+ %b() %a %d+ (%d+)"
  return group, math.tointeger(ours), p.pid
end

test("process_group: ours, unless it is given", function()
  local group, ours = groups {}
  tap.is(group, ours)
  group, ours = groups { process_group = -1 }
  tap.is(group, ours)
  local pid
  group, ours, pid = groups { process_group = 0 }
  tap.is(group, pid, "0: one of its own")
  tap.isnt(group, ours)
  local leader <close> = exec("sleep", "600", { process_group = 0 })
  tap.is((groups { process_group = leader.pid }), leader.pid)
end)

test("cwd and executable", function()
  tap.is(says("pwd", { cwd = "/" }), "/")
  local p <close> = exec("not-sh", "-c", "echo $0", "me", {
    executable = "/bin/sh", stdout = PIPE,
  })
  tap.is(p:communicate(), "me\n")
  children.need "bash"
  tap.like(says("echo $BASH_VERSION", { executable = process.which "bash" }),
    "^%d", "it replaces the shell")
end)

test("umask, and -1 for ours", function()
  local usual = says "umask"
  tap.is(says("umask", { umask = 55 }), "0067")
  tap.is(says("umask", { umask = -1 }), usual)
end)

test("user, group and extra_groups", function()
  children.need_root()
  tap.is(says("id -u; id -g; id -G", { user = 65534, group = 65533,
                                       extra_groups = { 65532 } }),
    "65534\n65533\n65533 65532")
  tap.is(says("id -un", { user = "nobody" }), "nobody")
  tap.throws(function() shell("true", { user = "no-such-user" }) end,
    "SpawnError")
end)

test("pass_fds: those only, by their numbers", function()
  local from, to = stream.pipe()
  local fd, other = to:fileno(), from:fileno()
  local look = "for n in %d %d; do test -e /proc/self/fd/$n; echo $?; done"
  tap.is(says(look:format(fd, other), { pass_fds = { to } }), "0\n1")
  tap.is(says(look:format(fd, other), { pass_fds = { fd, other } }), "0\n0")
  tap.is(says(look:format(fd, other), { pass_fds = { 1 } }), "1\n1")
  tap.is(says(look:format(fd, other)), "1\n1", "none, if none are given")
  tap.throws(function() shell("true", { pass_fds = { "x" } }) end, "pass_fds")
  tap.throws(function() shell("true", { pass_fds = { 999 } }) end, "EBADF")
  local writer <close> = asyncio.create_subprocess_exec("echo", "x",
    { stdout = to })
  to:close()
  tap.is(writer:wait(), 0)
  tap.is(from:read(), "x\n")
  from:close()
end)

test("close_fds: false hands on what we were started with", function()
  local script = [[
    local asyncio = lv.asyncio
    for _, close_fds in ipairs { true, false } do
      local p = asyncio.create_subprocess_shell(
        "test -e /proc/self/fd/7; echo $?",
        { stdout = asyncio.subprocess.PIPE, close_fds = close_fds })
      io.write((p:communicate()))
    end
  ]]
  local from, to = stream.pipe()
  local r = children.run(script, { fds = { [7] = from } })
  from:close()
  to:close()
  tap.is(r.stdout, "1\n0\n")
end)

test("restore_signals: false leaves PIPE ignored", function()
  local command = "sed -n 's/SigIgn:.*\\(....\\)$/\\1/p' /proc/self/status"
  tap.is(says(command) , "0000")
  tap.is(says(command, { restore_signals = true }), "0000")
  tap.is(says(command, { restore_signals = false }), "1000")
end)

test("pipesize: the capacity of its pipes", function()
  children.need "python3"
  local code = "import fcntl; print(fcntl.fcntl(1, 1032))"
  for size, expected in pairs { [4096] = "4096\n", [-1] = "65536\n" } do
    local p <close> = exec("python3", "-c", code, { stdout = PIPE,
                                                    pipesize = size })
    tap.is(p:communicate(), expected)
  end
end)

test("limit: how long a line may be", function()
  local p <close> = shell("echo 1234567; echo 12345678; echo 9", {
    stdout = PIPE, limit = 7,
  })
  tap.is(p.stdout:readline(), "1234567\n")
  tap.throws(function() p.stdout:readline() end, asyncio.LimitOverrunError)
  tap.is(p.stdout:readexactly(9), "12345678\n", "it can still be read")
  tap.is(p.stdout:readline(), "9\n")
  tap.is(p:wait(), 0)
end)

test("stdin, stdout and stderr take what luvisor.process takes", function()
  local file <close> = io.tmpfile()
  local p <close> = exec("echo", "to a file", { stdout = file })
  tap.is(p:wait(), 0)
  file:seek("set", 0)
  local q <close> = exec("cat", { stdin = file, stdout = PIPE })
  tap.is(q:communicate(), "to a file\n")
  local r <close> = exec("sh", "-c", "echo >&1", { stdout = "close",
                                                   stderr = "null" })
  tap.isnt(r:wait(), 0)
end)

test("options of luvisor.process are taken, too", function()
  tap.is(says("ulimit -n", { limits = { nofile = 64 } }), "64")
  tap.is(says("nice", { nice = 3 }), "3")
end)

test("test_create_subprocess_fails_with_inactive_watcher: nothing is started "
  .. "where nobody could see it end", function()
  local r = children.run([[
    local exec = lv.asyncio.create_subprocess_exec
    last = setmetatable({}, { __gc = function()
      local ok, err = pcall(exec, "touch", arg[1])
      print(ok, err.kind)
    end })
  ]], { "should-not-be-there" })
  tap.is(r.stdout, "false\tClosed\n", "the program has ended")
  tap.is(io.open "should-not-be-there", nil)
end)

test("test_create_subprocess_with_pidfd: a loop of a task of its own will do",
function()
  local r = children.run([[
    local asyncio = lv.asyncio
    local function main()
      local PIPE = asyncio.subprocess.PIPE
      local p = asyncio.create_subprocess_exec("cat", { stdin = PIPE,
                                                        stdout = PIPE })
      print(p:communicate "some data", p.returncode)
    end
    task.gather(function() asyncio.run(main) end,
                function() asyncio.run(main) end)
  ]])
  tap.is(r.stdout, ("some data\t0\n"):rep(2))
end)

tap.done()
