-- What a failed spawn says, and that it leaves nothing behind: no descriptor,
-- no child, not even until the next garbage collection.
local core_os = require "luvisor.core.os"
local core_process = require "luvisor.core.process"
local errors = require "luvisor.error"
local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")
local NOBODY <const> = 65534

local is_root = process.capture { "id", "-u" } == "0"

-- valgrind has limits, signals and a way to execute of its own.
local function need_kernel()
  local preloaded = os.getenv "LD_PRELOAD"
  if preloaded and preloaded:find "vgpreload" then
    tap.skip("valgrind is in the way")
  end
end

-- Spawns what cannot be. Returns the error and what it has left behind.
local function try(opts)
  collectgarbage()
  collectgarbage "stop"
  local fds, children = core_os.fds(), #core_process.children()
  local ok, err = pcall(process.spawn, opts)
  local left = {}
  if #core_os.fds() ~= #fds then left[#left + 1] = "fds" end
  if #core_process.children() ~= children then left[#left + 1] = "child" end
  collectgarbage "restart"
  if ok then err:close() end
  return not ok and err or nil, table.concat(left, ", ")
end

-- The error that it is, as fields; argv is always the one asked for.
local function fails(opts, want, name)
  local err, left = try(opts)
  if not errors.is_error(err) then
    return tap.ok(false, ("%s: raises an error object, got %s"):format(name,
      tostring(err)))
  end
  local got = { code = err.code, op = err.op, subject = err.subject,
                kind = err.kind, left = left, argv = err.argv }
  want.kind, want.left = want.kind or "SpawnError", ""
  want.argv = table.move(opts, 1, #opts, 1, {})
  if opts.shell then
    want.argv = { opts.executable or "/bin/sh", "-c", opts.shell }
  end
  tap.is_deeply(got, want, name)
  local line = tostring(err)
  local program = tostring(want.argv[1])
  tap.ok(line:find(("spawn %q: "):format(program), 1, true) == 1
    and line:find(want.code, 1, true) and line:find(want.op, 1, true)
    and line:find(want.subject, 1, true) and not line:find "\n", line)
end

local function write_file(path, text, mode)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  process.run { "chmod", mode or "644", path }
end

local function tmpdir()
  local path = process.capture { "mktemp", "-d" }
  return setmetatable({ path = path }, {
    __close = function() process.run { "rm", "-rf", path } end,
  })
end

-- -- The program --------------------------------------------------------------

tap.test("a program that cannot be executed", function()
  need_kernel()
  local dir <close> = tmpdir()
  local function file(name, text, mode)
    local path = dir.path .. "/" .. name
    write_file(path, text, mode)
    return path
  end
  local function exec_fails(code, program, name)
    fails({ program, "arg", stdin = "pipe", stdout = "pipe", stderr = "pipe" },
      { code = code, op = "exec", subject = program }, name)
  end
  exec_fails("ENOENT", "lv-no-such", "found nowhere in PATH")
  exec_fails("ENOENT", "/lv/no/such", "there is none")
  exec_fails("ENOENT", "", "no name at all")
  exec_fails("EACCES", file("plain", "#!/bin/sh\n"), "not executable")
  exec_fails("EACCES", dir.path, "a directory")
  exec_fails("ENOEXEC", file("odd", "neither", "755"), "no known format")
  exec_fails("ENOENT", file("bad", "#!/lv/no/sh\n", "755"), "no interpreter")
  exec_fails("ENOTDIR", "/dev/null/x", "a file where a directory should be")
  exec_fails("ENAMETOOLONG", "/" .. ("x"):rep(300), "too long a name")
  process.run { "ln", "-s", "loop", dir.path .. "/loop" }
  exec_fails("ELOOP", dir.path .. "/loop", "a link to itself")
end)

tap.test("too long a command", function()
  need_kernel()
  fails({ "true", ("x"):rep(1 << 18) },
    { code = "E2BIG", op = "exec", subject = "true" }, "one argument")
  local many = { "true" }
  for i = 2, 100 do many[i] = ("x"):rep(100000) end
  fails(many, { code = "E2BIG", op = "exec", subject = "true" }, "all of them")
  fails({ "true", env = { LV = ("x"):rep(1 << 18) } },
    { code = "E2BIG", op = "exec", subject = "true" }, "the environment")
end)

tap.test("a program that is being written", function()
  need_kernel()
  local dir <close> = tmpdir()
  local path = dir.path .. "/busy"
  process.run { "cp", "/bin/true", path }
  local file <close> = assert(io.open(path, "r+"))
  if process.run { "sh", "-c", path, check = false }.ok then
    tap.skip "this kernel does not mind"
  end
  fails({ path }, { code = "ETXTBSY", op = "exec", subject = path }, "busy")
  file:close()
  tap.ok(process.run { path }.ok)
end)

tap.test("executable and argv0 are no subject that nobody knows", function()
  fails({ "called so", executable = "/lv/no/such" },
    { code = "ENOENT", op = "exec", subject = "/lv/no/such" }, "executable")
  fails({ "/lv/no/such", argv0 = "called so" },
    { code = "ENOENT", op = "exec", subject = "/lv/no/such" }, "argv0")
  fails({ shell = "exit 1", executable = "/lv/no/sh" },
    { code = "ENOENT", op = "exec", subject = "/lv/no/sh" }, "a shell")
end)

-- -- What comes before it -----------------------------------------------------

tap.test("a working directory that is none", function()
  fails({ "true", cwd = "/lv/no" },
    { code = "ENOENT", op = "chdir", subject = "/lv/no" }, "missing")
  fails({ "true", cwd = "/dev/null" },
    { code = "ENOTDIR", op = "chdir", subject = "/dev/null" }, "a file")
end)

tap.test("users and groups that nobody knows", function()
  for _, name in ipairs { "lv-nobody", "", "-1", "12x", "99999999999" } do
    fails({ "true", user = name },
      { code = "ENOENT", op = "user", subject = name }, "user")
    fails({ "true", group = name },
      { code = "ENOENT", op = "group", subject = name }, "group")
    fails({ "true", groups = { "daemon", name } },
      { code = "ENOENT", op = "groups", subject = name }, "groups")
  end
  local _, err = tap.throws(function()
    process.run { "true", user = "lv-nobody" }
  end)
  tap.is(tostring(err),
    'spawn "true": user "lv-nobody": there is none (ENOENT)')
end)

tap.test("files that cannot be opened", function()
  fails({ "true", stdin = { file = "/lv/no" }, stdout = "pipe" },
    { code = "ENOENT", op = "open", subject = "/lv/no" }, "to read")
  fails({ "true", stdin = "pipe", stdout = "pipe", stderr = { file = "/" } },
    { code = "EISDIR", op = "open", subject = "/" }, "to write")
  fails({ "true", fds = { [3] = "pipe", [4] = { file = "/lv/no/x" } } },
    { code = "ENOENT", op = "open", subject = "/lv/no/x" }, "among fds")
end)

tap.test("descriptors that are not open", function()
  fails({ "true", stdin = 999, stdout = "pipe" },
    { code = "EBADF", op = "fds", subject = "stdin" }, "as stdin")
  fails({ "true", stdout = "pipe", fds = { [5] = 999 } },
    { code = "EBADF", op = "fds", subject = "fds[5]" }, "among fds")
  fails({ "true", stdout = "pipe", fds = { [(1 << 31) - 1] = "pipe" } },
    { code = "EBADF", op = "fds", subject = "true" }, "too high a number")
end)

tap.test("groups, processors and directories that are not there", function()
  fails({ "true", process_group = 1 << 30, stdout = "pipe" },
    { code = "EPERM", op = "setpgid", subject = "1073741824" }, "a group")
  fails({ "true", cpu_affinity = { 1023 }, stdout = "pipe" },
    { code = "EINVAL", op = "cpu_affinity", subject = "true" }, "a processor")
  fails({ "true", cpu_affinity = {}, stdout = "pipe" },
    { code = "EINVAL", op = "cpu_affinity", subject = "true" }, "none at all")
  fails({ "true", cgroup = "/lv/no", stdout = "pipe" },
    { code = "ENOENT", op = "cgroup", subject = "/lv/no" }, "a cgroup")
  local err, left = try { "true", cgroup = "/", stdout = "pipe" }
  tap.is_deeply({ err.op, err.subject, left }, { "cgroup", "/", "" },
    "a directory that is no cgroup")
  if is_root then
    fails({ "true", chroot = "/lv/no", stdout = "pipe" },
      { code = "ENOENT", op = "chroot", subject = "/lv/no" }, "a root")
  end
end)

tap.test("streams that cannot be given", function()
  local one <close> = process.spawn { "sh", "-c", "echo a; exec sleep 60",
                                      stdout = "pipe" }
  one.stdout:read(1)
  local err, left = try { "cat", stdout = "pipe", stdin = one.stdout }
  tap.is_deeply({ err.kind, left }, { "Busy", "" })
  local r, w = stream.pipe()
  r:close()
  w:close()
  err, left = try { "cat", stdin = "pipe", stdout = w }
  tap.is_deeply({ err.kind, left }, { "Closed", "" })
end)

-- -- Without privilege --------------------------------------------------------

-- What each of these lines of options raises, in a luvisor run by a user.
local function as_user(user, lines, opts)
  local script = { [[
    local process = require "luvisor.process"
    local core_os = require "luvisor.core.os"
    local function try(opts)
      local before = #core_os.fds()
      opts[1], opts.stdout = opts[1] or "true", "pipe"
      local ok, err = pcall(process.spawn, opts)
      local leak = #core_os.fds() ~= before and " and leaks" or ""
      if ok then leak = "" err:close() end
      print(ok and "nothing" or ("%s %s %s"):format(err.code, err.op,
        err.subject) .. leak)
    end
  ]] }
  for _, line in ipairs(lines) do
    script[#script + 1] = ("try { %s }"):format(line)
  end
  local asan = os.getenv "ASAN_OPTIONS" or ""
  local full = { LUVISOR, "-e", table.concat(script, "\n"), user = user,
                 cwd = "/", -- and the leak check would need another process
                 env = { ASAN_OPTIONS = asan .. ":detect_leaks=0" } }
  for name, value in pairs(opts or {}) do full[name] = value end
  local got = {}
  for line in process.run(full).stdout:gmatch "[^\n]+" do
    got[#got + 1] = line
  end
  return got
end

-- A checkout in a private folder cannot be reached by another user.
local function need_to_become(user)
  if not is_root then tap.skip("needs root") end
  local reach = process.run { "test", "-x", LUVISOR, user = user, cwd = "/",
                              check = false }
  if not reach.ok then tap.skip("the program stands in a private folder") end
end

tap.test("what one may not do is said", function()
  need_kernel()
  need_to_become(NOBODY)
  tap.is_deeply(as_user(NOBODY, {
    "user = 0", "user = 'root'", "group = 0", "groups = { 0 }", "chroot = '/'",
    "nice = -5", "limits = { nofile = 100 }", "pipe_size = 1 << 30",
    "'/etc/shadow'", "stdin = { file = '/etc/shadow' }",
    "limits = { nofile = { 10, 'unlimited' } }", "nice = 10",
  }, { limits = { nofile = 50 } }), {
    "EPERM groups 0", "EPERM groups root", "EPERM setgid 0",
    "EPERM groups true", "EPERM chroot /", "EACCES nice -5",
    "EPERM limits true", "EPERM pipe_size stdout", "EACCES exec /etc/shadow",
    "EACCES open /etc/shadow", "EPERM limits true", "nothing",
  })
end)

tap.test("too many processes", function()
  need_to_become(54321)
  tap.is_deeply(as_user(54321, { "", "stdin = 'pipe', stderr = 'pipe'" },
    { limits = { nproc = 1 } }), { "EAGAIN clone true", "EAGAIN clone true" })
end)

-- -- Without descriptors ------------------------------------------------------

-- Spawns with 0, 1, 2, … descriptors left, in a luvisor that may have few:
-- each of them fails in its turn, until all are there.
local SHORT <const> = [[
  local process = require "luvisor.process"
  local core_os = require "luvisor.core.os"
  process.run { "true" } -- what is opened once
  collectgarbage()
  collectgarbage "stop"
  local files = {}
  while true do
    local file = io.open "/dev/null"
    if not file then break end
    files[#files + 1] = file
  end
  local failures, codes = 0, {}
  while true do
    local before = #files + failures -- all that are open
    local ok, err = pcall(process.spawn, { %s })
    if ok then
      for _, file in ipairs(files) do file:close() end
      err:close()
      break
    end
    failures = failures + 1
    codes[err.code or tostring(err)] = true
    local free = {}
    while true do
      local file = io.open "/dev/null"
      if not file then break end
      free[#free + 1] = file
    end
    if #free ~= failures - 1 then codes["left " .. #free] = true end
    for _, file in ipairs(free) do file:close() end
    if not files[1] then break end
    table.remove(files):close()
  end
  local list = {}
  for code in pairs(codes) do list[#list + 1] = code end
  io.stdout:write(failures, " ", table.concat(list, ","), "\n")
]]

tap.test("each descriptor that cannot be had", function()
  need_kernel()
  for options, needed in pairs {
    ["'true'"] = 2, -- null and a pidfd
    ["'true', stdin = 'pipe'"] = 3,
    ["'true', stdin = 'pipe', stdout = 'pipe', stderr = 'pipe'"] = 7,
    ["'true', pty = true"] = 4,
    ["'true', stdin = { file = '/dev/null' }, fds = { [9] = 'pipe-in' }"] = 4,
    ["'true', stdin = 'close', cgroup = '/'"] = 1,
  } do
    local r = process.run { LUVISOR, "-e", SHORT:format(options),
                            limits = { nofile = 40 }, check = false }
    tap.is(r.stderr, "", options)
    local count, codes = r.stdout:match "^(%d+) (.*)\n$"
    if options:find "cgroup" then codes = "EMFILE" end
    tap.is(codes, "EMFILE", "all fail alike, and leave none open")
    if not options:find "cgroup" and not os.getenv "LUVISOR_NO_PIDFD" then
      tap.is(tonumber(count), needed, "as many as it needs")
    end
  end
end)

-- -- Wrong use ----------------------------------------------------------------

local wrong = {
  -- options, a pattern of the message
  { {}, "either a command .* or shell" },
  { { "ls", shell = "ls" }, "not both" },
  { { "ls", nil, "x" }, "an argument is nil" },
  { { "ls", [3] = "x" }, "an argument is nil" },
  { { nil, "x" }, "either a command" },
  { { "ls", [0] = "x" }, "an argument is nil" },
  { { true }, "element 1 must be a string .* or a number, got true" },
  { { {} }, "element 1 must be" },
  { { "a\0b" }, "element 1 must be a string without zero bytes" },
  { { "ls", "a\0b" }, "element 2 must be a string without zero bytes" },
  { { "ls", argv0 = "a\0b" }, "argv0 must be a string without zero bytes" },
  { { "ls", executable = "\0" }, "executable must be a string without zero" },
  { { shell = "ls\0" }, "shell must be a string without zero bytes" },
  { { "ls", cwd = "/\0" }, "cwd must be a string without zero bytes" },
  { { "ls", chroot = "/\0" }, "chroot must be a string without zero bytes" },
  { { "ls", cgroup = "/\0" }, "cgroup must be a string without zero bytes" },
  { { "ls", user = "a\0" }, "user must be a name without zero bytes" },
  { { "ls", groups = { "a\0" } }, "groups: element 1 must be a name" },
  { { "ls", stdin = { file = "\0" } }, "stdin: file must be a string without" },
  { { "ls", env = { A = "a\0b" } }, "env: \"A\" must be a string without z" },
  { { "ls", env = { ["A\0"] = "a" } }, "env: \"A\\0\" cannot be the name" },
  { { "ls", env = { ["A=B"] = "a" } }, "env: \"A=B\" cannot be the name" },
  { { "ls", env = { ["="] = false } }, "cannot be the name" },
  { { "ls", env = { [""] = "a" } }, "env: \"\" cannot be the name" },
  { { "ls", env = { "A=B" } }, "env: 1 cannot be the name" },
  { { "ls", env = { A = {} } }, "env: \"A\" must be a string .*, got table" },
  { { "ls", env = "A=B" }, "env must be a table" },
  { { "ls", cwd = 1 }, "cwd must be a string .*, got 1" },
  -- an option that was meant
  { { "ls", stdot = "pipe" }, "unknown option \"stdot\"; did you mean "
    .. "\"stdout\"?" },
  { { "ls", enviroment = {} }, "\"enviroment\"" },
  { { "ls", Cwd = "/" }, "did you mean \"cwd\"" },
  { { "ls", umsk = "022" }, "did you mean \"umask\"" },
  { { "ls", processgroup = true }, "did you mean \"process_group\"" },
  { { "ls", oom_score = 1 }, "did you mean \"oom_score_adj\"" },
  { { "ls", pty = { row = 1 } }, "pty: unknown option \"row\"; did you mean "
    .. "\"rows\"" },
  { { "ls", limits = { nofiles = 1 } }, "did you mean \"nofile\"" },
  { { "ls", stop = { sig = 1 } }, "did you mean \"signal\"" },
  { { "ls", stdout = "pip" }, "stdout.*\"pip\"; did you mean \"pipe\"" },
  { { "ls", stderr = "stdot" }, "did you mean \"stdout\"" },
  { { "ls", fds = { [3] = "pipein" } }, "fds%[3%].*did you mean \"pipe%-in\"" },
  { { "ls", stdin = { flie = "x" } }, "stdin: unknown option \"flie\"; did you "
    .. "mean \"file\"" },
  -- descriptors
  { { "ls", stdin = "stdout" }, "stdin is one of" },
  { { "ls", stdout = "pipe-in" }, "stdout is one of" },
  { { "ls", stdout = "/tmp/x" }, "stdout is one of .* a file { file = … }" },
  { { "ls", stdin = true }, "stdin must be" },
  { { "ls", stdin = 1.5 }, "stdin must be" },
  { { "ls", stdin = -1 }, "stdin must be" },
  { { "ls", stdin = 1 << 40 }, "stdin must be" },
  { { "ls", stdin = print }, "stdin must be" },
  { { "ls", stdin = {} }, "stdin: a table here is { file" },
  { { "ls", stdin = { "x" } }, "stdin: unknown option" },
  { { "ls", stdin = { file = 1 } }, "stdin: file must be a string .* 1$" },
  { { "ls", stdout = { file = "x", mode = "rx" } }, "stdout: mode must be" },
  { { "ls", stdout = { file = "x", mode = "0999" } }, "stdout: mode must be" },
  { { "ls", stdout = { file = "x", mode = 4096 } }, "stdout: mode must be" },
  { { "ls", stdout = { file = "x", append = 1 } }, "append must be a boolean" },
  { { "ls", fds = { [0] = "pipe" } }, "fds: a key is a descriptor of 3 or" },
  { { "ls", fds = { [-1] = "pipe" } }, "fds: a key" },
  { { "ls", fds = { [3.5] = "pipe" } }, "fds: a key" },
  { { "ls", fds = { out = "pipe" } }, "fds: a key" },
  { { "ls", fds = { [1 << 40] = "pipe" } }, "fds: a key" },
  { { "ls", fds = "pipe" }, "fds must be a table" },
  { { "ls", pipe_size = 0 }, "pipe_size must be an integer from 1" },
  { { "ls", pipe_size = 1 << 32 }, "pipe_size must be" },
  { { "ls", limit = 0 }, "limit must be a positive integer" },
  { { "ls", max_line = "1" }, "max_line must be a positive integer" },
  { { "ls", pty = "yes" }, "pty must be a boolean or a table" },
  { { "ls", pty = { rows = 0 } }, "pty: rows must be an integer from 1 to" },
  { { "ls", pty = { cols = 65536 } }, "pty: cols must be" },
  -- rights
  { { "ls", user = 1.5 }, "user must be a name .* or an integer" },
  { { "ls", group = {} }, "group must be a name .* or an integer" },
  { { "ls", groups = { {} } }, "groups: element 1 must be" },
  { { "ls", umask = "" }, "umask must be an integer or octal digits" },
  { { "ls", umask = "8" }, "umask must be" },
  { { "ls", umask = "-1" }, "umask must be" },
  { { "ls", umask = " 22" }, "umask must be" },
  { { "ls", umask = "1000" }, "umask must be" },
  { { "ls", umask = 512 }, "umask must be" },
  { { "ls", umask = -1 }, "umask must be" },
  { { "ls", nice = 20 }, "nice must be an integer from %-20 to 19, got 20" },
  { { "ls", nice = 1.5 }, "nice must be" },
  { { "ls", oom_score_adj = 1001 }, "oom_score_adj must be an integer from" },
  { { "ls", cpu_affinity = { -1 } }, "cpu_affinity: element 1 must be" },
  { { "ls", cpu_affinity = { 1024 } }, "cpu_affinity: element 1 must be" },
  { { "ls", cpu_affinity = 1 }, "cpu_affinity must be a table" },
  { { "ls", limits = { nofile = -1 } }, "limits: nofile must be an integer" },
  { { "ls", limits = { nofile = "many" } }, "limits: nofile must be" },
  { { "ls", limits = { nofile = { 1 } } }, "limits: nofile must be" },
  { { "ls", limits = { nofile = { 2, 1 } } }, "soft not above hard" },
  { { "ls", limits = { core = { "unlimited", 1 } } }, "soft not above hard" },
  { { "ls", limits = { 5 } }, "limits" },
  { { "ls", no_new_privs = 1 }, "no_new_privs must be a boolean" },
  { { "ls", pdeathsig = "NOPE" }, "pdeathsig must be a signal as .* \"NOPE\"" },
  { { "ls", pdeathsig = 65 }, "pdeathsig must be a signal .* 65" },
  { { "ls", session = 1 }, "session must be a boolean" },
  { { "ls", process_group = -1 }, "process_group must be" },
  { { "ls", process_group = "1" }, "process_group must be" },
  { { "ls", session = true, process_group = 1 }, "process_group cannot be 1" },
  { { "ls", pty = true, process_group = false }, "cannot be false" },
  { { "ls", stop = { signal = "NOPE" } }, "stop: signal must be a signal" },
  { { "ls", stop = { grace = -1 } }, "grace must be" },
  { { "ls", stop = 1 }, "stop must be a table or a function" },
}

tap.test("wrong options are named", function()
  for _, case in ipairs(wrong) do
    local opts, pattern = case[1], case[2]
    opts.stdout = opts.stdout == nil and "pipe" or opts.stdout
    local err, left = try(opts)
    local text = tostring(err)
    local good = errors.is_error(err) and err:is "UsageError"
      and text:find(pattern) and not text:find "^luvisor/" and left == ""
    tap.ok(good, ("%s%s"):format(text, left == "" and "" or " leaves " .. left))
  end
end)

tap.test("a command is a table", function()
  for _, value in ipairs { "ls -l", 1, true, print } do
    tap.throws(function() process.spawn(value) end, "expected a table")
  end
  tap.throws(function() process.spawn() end, "expected a table")
end)

tap.test("run and capture raise the same, with their own options", function()
  for _, fn in ipairs { process.run, process.capture } do
    local _, err = tap.throws(function() fn { "/lv/no", "x" } end, "SpawnError")
    tap.is_deeply({ err.code, err.op, err.subject, err.argv },
      { "ENOENT", "exec", "/lv/no", { "/lv/no", "x" } })
    tap.throws(function() fn { "ls", timout = 1 } end,
      "did you mean \"timeout\"")
    tap.throws(function() fn { "ls", leftover = "eat" } end, "leftover")
    tap.throws(function() fn { "ls", input = "x", stdin = "null" } end,
      "input is given to stdin")
  end
end)

tap.done()
