-- Each option of process.spawn, run and capture, seen from inside the child.
-- Those of descriptors are test_stdio.lua's, failures test_spawn_errors.lua's.
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")
local NOBODY <const> = 65534

local is_root = process.capture { "id", "-u" } == "0"

local function need_root()
  if not is_root then tap.skip("needs root") end
end

-- valgrind has limits, signals and a way to execute of its own.
local function need_kernel()
  local preloaded = os.getenv "LD_PRELOAD"
  if preloaded and preloaded:find "vgpreload" then
    tap.skip("valgrind is in the way")
  end
end

-- Options, with others laid over.
local function with(opts, more)
  for name, value in pairs(more or {}) do opts[name] = value end
  return opts
end

local function sh(script, opts)
  return process.capture(with({ "sh", "-c", script }, opts))
end

local function cat(path, opts)
  return process.capture(with({ "cat", path }, opts))
end

-- The child's /proc/self/status, by field.
local function status(opts)
  local fields = {}
  local text = cat("/proc/self/status", opts)
  for name, value in text:gmatch "([%w_]+):\t([^\n]*)" do
    fields[name] = value
  end
  return fields
end

-- The child's /proc/self/stat, by field as proc(5) numbers them.
local PGRP <const>, SESSION <const>, TTY <const>, NICE <const> = 5, 6, 7, 19

local function parse_stat(text)
  local fields, n = {}, 2
  for word in text:match("%) (.*)"):gmatch "%S+" do
    n = n + 1
    fields[n] = tonumber(word)
  end
  fields[1] = tonumber(text:match "^%d+")
  return fields
end

local function stat(opts)
  return parse_stat(cat("/proc/self/stat", opts))
end

local function our_stat()
  local file <close> = assert(io.open "/proc/self/stat")
  return parse_stat(file:read "a")
end

local function write_file(path, text, mode)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  if mode then process.run { "chmod", mode, path } end
end

-- A directory that goes with its variable.
local function tmpdir()
  local path = process.capture { "mktemp", "-d" }
  return setmetatable({ path = path }, {
    __close = function() process.run { "rm", "-r", path } end,
  })
end

-- -- What it executes ---------------------------------------------------------

tap.test("argv is handed over as it is", function()
  tap.is(process.capture { "printf", "[%s]", "a b", "", "'\"$x\n\\" },
    "[a b][][\'\"$x\n\\]")
  tap.is(process.capture { "printf", "[%s]", 1, 2.5 }, "[1][2.5]", "numbers")
  local big = ("x"):rep(100000)
  tap.is(process.capture { "printf", "%s", big }, big, "a long one")
end)

tap.test("shell is a line for /bin/sh", function()
  tap.is(process.capture { shell = "echo a; echo \"$0\" >&2; exit 0" }, "a")
  local r = process.run { shell = "readlink /proc/$$/exe; exit 3",
                          check = false }
  tap.is(r.code, 3)
  tap.is(r.stdout, process.capture { "readlink", "-f", "/bin/sh" } .. "\n")
  tap.is_deeply(r.argv, { "/bin/sh", "-c", "readlink /proc/$$/exe; exit 3" })
end)

tap.test("executable replaces the shell", function()
  local r = process.run { shell = "echo $0 $BASH_VERSION",
                          executable = "/bin/bash" }
  tap.like(r.stdout, "^/bin/bash %d")
end)

tap.test("executable replaces the file that is executed", function()
  local r = process.run { "any name", "-c", "echo $0 $1", "a", "b",
                          executable = "/bin/sh" }
  tap.is(r.stdout, "a b\n")
  tap.is(r.argv[1], "any name")
  tap.is(process.capture { "x", "/proc/self/comm", executable = "cat" }, "cat",
    "which is looked for in PATH")
  tap.is(process.capture { "x", "/proc/self/cmdline", executable = "cat" },
    "x\0/proc/self/cmdline\0", "and called by the name in argv")
end)

tap.test("argv0 is the name that it is called by", function()
  tap.is(process.capture { "cat", "/proc/self/cmdline", argv0 = "-login" },
    "-login\0/proc/self/cmdline\0")
end)

tap.test("name stands in messages", function()
  local _, err = tap.throws(function()
    process.run { "false", name = "the backup" }
  end, "ExitError")
  tap.like(tostring(err), "^\"the backup\" exited 1")
  local p <close> = process.spawn { "sleep", "60", name = "sleeper" }
  tap.is(p.name, "sleeper")
  tap.like(tostring(p), "sleeper")
end)

-- -- Environment --------------------------------------------------------------

tap.test("env is laid over our environment", function()
  local home = os.getenv "HOME"
  tap.is(sh("echo \"$HOME,$LV_A,$LV_B\"", { env = { LV_A = "1 2", LV_B = 3 } }),
    ("%s,1 2,3"):format(home or ""))
  tap.is(sh("echo $HOME", { env = { HOME = "/else" } }), "/else",
    "what we have is replaced")
  local all = "\n" .. process.capture { "env", env = { HOME = "/else" } }
  tap.is(select(2, all:gsub("\nHOME=", "")), 1, "and not there twice")
  tap.is(sh("test $$ = $ME && test $ME = $AGAIN && echo same",
    { env = { ME = true, AGAIN = true } }), "same", "true: the child's pid")
  tap.is(sh("echo ${HOME-none}", { env = { HOME = false } }), "none",
    "false removes it")
  tap.is(sh("echo ${LV_NO-none}", { env = { LV_NO = false } }), "none",
    "also if it is not there")
  local bytes = "=a=\n\xff"
  tap.is(sh("printf %s \"$LV_A\"", { env = { LV_A = bytes } }), bytes,
    "any byte but zero")
  tap.is(os.getenv "LV_A", nil, "ours is as it was")
end)

tap.test("clear_env starts from nothing", function()
  tap.is(process.capture { "/usr/bin/env", clear_env = true }, "")
  tap.is(process.capture { "/usr/bin/env", clear_env = true,
                           env = { A = "1", B = false } }, "A=1")
end)

tap.test("the program is looked for in the child's PATH", function()
  local dir <close> = tmpdir()
  local tool = dir.path .. "/lv-tool"
  write_file(tool, "#!/bin/sh\necho found\n", "755")
  tap.throws(function() process.run { "lv-tool" } end, "ENOENT")
  local env = { PATH = dir.path .. ":" .. os.getenv "PATH" }
  tap.is(process.capture { "lv-tool", env = env }, "found")
  env = { PATH = "/nonexistent:" .. tool .. ":" .. dir.path .. ":/bin" }
  tap.is(process.capture { "lv-tool", env = env }, "found",
    "past what is missing, and what is no directory")
  tap.is(process.capture { "lv-tool", cwd = dir.path,
                           env = { PATH = "/bin:" } }, "found",
    "an empty element is the child's working directory")
  tap.throws(function() process.run { "cat", env = { PATH = dir.path } } end,
    "ENOENT", "ours is not asked")
  tap.is(process.capture { "cat", "/dev/null", env = { PATH = false } }, "",
    "without one it is where the system's programs are")
  tap.is(process.capture { "cat", "/dev/null", clear_env = true }, "")
end)

tap.test("a program that may not be executed is passed over", function()
  local dir <close> = tmpdir()
  write_file(dir.path .. "/cat", "no program", "644")
  local env = { PATH = dir.path .. ":/bin:/usr/bin" }
  tap.is(process.capture { "cat", "/dev/null", env = env }, "")
  tap.throws(function() process.run { "cat", env = { PATH = dir.path } } end,
    "EACCES", "but it is what is said if there is no other")
end)

-- -- Where it is --------------------------------------------------------------

tap.test("cwd is where it starts", function()
  local dir <close> = tmpdir()
  tap.is(process.capture { "pwd", cwd = dir.path }, dir.path)
  write_file(dir.path .. "/tool", "#!/bin/sh\necho here\n", "755")
  tap.is(process.capture { "./tool", cwd = dir.path }, "here",
    "a relative program is there, too")
end)

tap.test("chroot is its root", function()
  need_root()
  local dir <close> = tmpdir()
  local root = dir.path
  sh("cp --parents $(ldd /bin/cat | grep -o '/[^ ]*') /bin/cat " .. root)
  write_file(root .. "/marker", "inside\n")
  tap.is(process.capture { "/bin/cat", "/marker", chroot = root }, "inside")
  tap.is(process.capture { "cat", "marker", chroot = root }, "inside",
    "PATH and the working directory are in it")
  tap.is(process.capture { "cat", "cat", "/marker", chroot = root,
                           cwd = "/bin" }:sub(2, 4), "ELF", "and so is cwd")
end)

tap.test("umask is an integer or octal digits", function()
  tap.is(sh("umask", { umask = "027" }), "0027")
  tap.is(sh("umask", { umask = 23 }), "0027")
  tap.is(sh("umask", { umask = "0" }), "0000")
  tap.is(sh("umask", { umask = 511 }), "0777")
  tap.is(sh "umask", process.capture { shell = "umask" }, "ours by default")
end)

-- -- Who it is ----------------------------------------------------------------

tap.test("user sets the groups, too", function()
  need_root()
  local name = process.capture { "id", "-un", NOBODY }
  local groups = process.capture { "id", "-G", NOBODY }
  for _, user in ipairs { name, NOBODY, tostring(NOBODY) } do
    local s = status { user = user }
    local id = ("%d"):format(NOBODY)
    tap.is(s.Uid, (id .. "\t"):rep(3) .. id, "all user ids")
    tap.is(s.Gid, s.Uid, "all group ids")
    tap.is(s.Groups, groups .. " ", "the groups of the user")
    tap.is(s.CapEff, "0000000000000000", "no capability is left")
  end
  local s = status { user = 12345 }
  tap.like(s.Uid, "^12345\t", "a number needs no entry")
  tap.is(s.Groups, "12345 ", "and is then its group's")
end)

tap.test("group and groups are set for themselves", function()
  need_root()
  local s = status { group = "daemon" }
  local daemon = process.capture { "sh", "-c",
    "getent group daemon | cut -d: -f3" }
  tap.is(s.Gid, (daemon .. "\t"):rep(3) .. daemon, "a group by name")
  tap.is(s.Uid, "0\t0\t0\t0", "the user stays")
  s = status { group = 2345, groups = { "daemon", 3456, "4567" } }
  tap.like(s.Gid, "^2345\t", "by number")
  tap.is(s.Groups, daemon .. " 3456 4567 ", "a list of names and numbers")
  tap.is(status { groups = {} }.Groups, " ", "an empty list")
  s = status { user = NOBODY, group = 2345, groups = { 3456 } }
  tap.like(s.Gid, "^2345\t", "over those of the user")
  tap.is(s.Groups, "3456 ")
  local many, text = {}, {}
  for i = 1, 300 do many[i], text[i] = 5000 + i, 5000 + i end
  tap.is(status { groups = many }.Groups, table.concat(text, " ") .. " ",
    "more than 256 of them")
end)

tap.test("a user without privilege may ask to be itself", function()
  need_root()
  local reach = process.run { "test", "-x", LUVISOR, user = NOBODY, cwd = "/",
                              check = false }
  if not reach.ok then tap.skip("the program stands in a private folder") end
  local script = [[
    local process = require "luvisor.process"
    print(process.capture { "id", "-u", user = %d })
  ]]
  tap.is(process.capture { LUVISOR, "-e", script:format(NOBODY), user = NOBODY,
                           cwd = "/" }, ("%d"):format(NOBODY))
end)

tap.test("no_new_privs is set", function()
  tap.is(status { no_new_privs = true }.NoNewPrivs, "1")
  tap.is(status { no_new_privs = false }.NoNewPrivs, status {}.NoNewPrivs)
end)

-- -- What it gets -------------------------------------------------------------

tap.test("nice is the nice value itself", function()
  tap.is(stat { nice = 7 }[NICE], 7)
  tap.is(stat { nice = 19 }[NICE], 19)
  tap.is(stat {}[NICE], our_stat()[NICE], "ours by default")
  if is_root then tap.is(stat { nice = -3 }[NICE], -3) end
end)

-- Name of the option, line of /proc/self/limits.
local limits = {
  as = "Max address space", core = "Max core file size", cpu = "Max cpu time",
  data = "Max data size", fsize = "Max file size", locks = "Max file locks",
  memlock = "Max locked memory", msgqueue = "Max msgqueue size",
  nice = "Max nice priority", nofile = "Max open files",
  nproc = "Max processes", rss = "Max resident set",
  rtprio = "Max realtime priority", rttime = "Max realtime timeout",
  sigpending = "Max pending signals", stack = "Max stack size",
}

local function limits_of(text)
  local found = {}
  for name, line in pairs(limits) do
    local soft, hard = text:match(line .. " +(%w+) +(%w+)")
    found[name] = soft .. " " .. hard
  end
  return found
end

local function child_limits(opts)
  return limits_of(cat("/proc/self/limits", { limits = opts }))
end

tap.test("limits are set, each by its name", function()
  need_kernel()
  local before = child_limits {}
  for name in pairs(limits) do
    local hard = before[name]:match "%w+$"
    hard = math.tointeger(tonumber(hard)) or hard
    local soft = hard == "unlimited" and 1 << 40 or hard
    tap.is(child_limits { [name] = { soft, hard } }[name],
      ("%s %s"):format(soft, hard), name)
  end
  local now = child_limits { nofile = { 20, 30 }, core = 0, fsize = 12345 }
  tap.is(now.nofile, "20 30", "soft and hard")
  tap.is(now.core, "0 0", "one for both")
  tap.is(now.fsize, "12345 12345", "several at once")
  now.nofile, now.core, now.fsize = before.nofile, before.core, before.fsize
  tap.is_deeply(now, before, "and no other")
end)

tap.test("without limits it has those that we were started with", function()
  need_kernel()
  local script = [[
    local process = require "luvisor.process"
    process.run { "sh", "-c", "ulimit -Sn; ulimit -Hn", stdout = "inherit" }
  ]]
  tap.is(process.capture { LUVISOR, "-e", script,
                           limits = { nofile = { 200, 300 } } }, "200\n300",
    "we have raised our own soft limit meanwhile")
end)

tap.test("oom_score_adj is set", function()
  tap.is(cat("/proc/self/oom_score_adj", { oom_score_adj = 321 }), "321")
  tap.is(cat("/proc/self/oom_score_adj", { oom_score_adj = 1000 }), "1000")
end)

tap.test("cpu_affinity is where it may run", function()
  local allowed = status {}.Cpus_allowed_list
  local first = math.tointeger(allowed:match "%d+")
  local last = math.tointeger(allowed:match "%d+$")
  tap.is(status { cpu_affinity = { last } }.Cpus_allowed_list,
    ("%d"):format(last))
  tap.is(sh("nproc", { cpu_affinity = { first, last } }),
    first == last and "1" or "2")
end)

tap.test("signals are default and none is blocked", function()
  signal.ignore "HUP"
  local _ <close> = signal.on("USR1", function() end)
  local s = status {}
  signal.ignore("HUP", false)
  tap.is(s.SigBlk, "0000000000000000", "blocked")
  tap.is(s.SigIgn, "0000000000000000", "ignored, as we do PIPE and HUP")
  tap.is(s.SigCgt, "0000000000000000", "caught")
end)

-- -- Groups, sessions, terminals ----------------------------------------------

tap.test("it is in a group of its own and our session", function()
  for _, opts in ipairs { {}, { process_group = true },
                          { process_group = 0 } } do
    local s = stat(opts)
    tap.is(s[PGRP], s[1], "its own group")
    tap.is(s[SESSION], our_stat()[SESSION], "our session")
  end
end)

tap.test("process_group = false is our group", function()
  tap.is(stat { process_group = false }[PGRP], our_stat()[PGRP])
end)

tap.test("process_group = a number is that group", function()
  local leader <close> = process.spawn { "sleep", "60" }
  tap.is(stat { process_group = leader.pid }[PGRP], leader.pid)
end)

tap.test("session makes it lead a new one", function()
  local s = stat { session = true }
  tap.is(s[SESSION], s[1], "its own session")
  tap.is(s[PGRP], s[1], "its own group")
  tap.is(s[TTY], 0, "no terminal")
  s = stat { session = true, process_group = true }
  tap.is(s[SESSION], s[1], "that it leads a group then is no contradiction")
end)

tap.test("pdeathsig ends it with us", function()
  local script = [[
    local process = require "luvisor.process"
    process.spawn { "sh", "-c", "echo ready; exec sleep 60",
                    stdout = "inherit", pdeathsig = %s }
    require("luvisor.task").sleep(60)
  ]]
  for _, sig in ipairs { "'KILL'", "'SIGTERM'", 15 } do
    local p <close> = process.spawn { LUVISOR, "-e", script:format(sig),
                                      stdout = "pipe" }
    tap.is(p.stdout:readline(), "ready")
    p:kill()
    tap.is(p.stdout:read(), "", "the grandchild has let go of its stdout")
  end
end)

tap.test("pty is its controlling terminal and its 0, 1 and 2", function()
  local p <close> = process.spawn { "sh", "-c",
    "tty; tty <&1; tty <&2; stty size; cat /proc/self/stat", pty = true }
  local names = {}
  for i = 1, 3 do names[i] = p.tty:readline() end
  tap.like(names[1], "^/dev/pts/%d+\r$")
  tap.is(names[2], names[1])
  tap.is(names[3], names[1])
  tap.is(p.tty:readline(), "24 80\r", "of the usual size")
  local s = parse_stat(p.tty:readline())
  tap.is(s[SESSION], p.pid, "in a session of its own")
  tap.isnt(s[TTY], 0, "which has a terminal")
  tap.is(p.stdin or p.stdout or p.stderr, nil, "no other streams")
  tap.ok(p:wait().ok)
end)

tap.test("pty may have a size, and no echo", function()
  local p <close> = process.spawn {
    "sh", "-c", "stty size; stty -a | grep -o -- -echo'\\b' | head -1; read x;"
      .. " echo \"<$x>\"",
    pty = { rows = 5, cols = 7, echo = false },
  }
  tap.is(p.tty:readline(), "5 7\r")
  tap.is(p.tty:readline(), "-echo\r")
  p.tty:write("typed\n")
  tap.is(p.tty:readline(), "<typed>\r", "what we type does not come back")
  p.tty:resize(50, 70)
  p:wait()
end)

tap.test("pty leaves those descriptors to it that are given", function()
  local p <close> = process.spawn { "sh", "-c", "tty; tty <&2; echo end",
    pty = true, stdin = "null", stdout = "pipe" }
  tap.is(p.stdout:readline(), "not a tty")
  tap.like(p.stdout:readline(), "^/dev/pts/")
  tap.is(p.stdout:readline(), "end")
  p:wait()
end)

-- -- Control groups -----------------------------------------------------------

local function make_cgroup()
  for _, root in ipairs { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" } do
    local path = ("%s/luvisor-test-%d"):format(root, our_stat()[1])
    local procs = io.open(root .. "/cgroup.procs")
    if procs then procs:close() end
    if procs and process.run { "mkdir", path, check = false }.ok then
      return path
    end
  end
end

tap.test("cgroup is where it starts", function()
  local path = make_cgroup()
  if not path then tap.skip("needs a writable cgroup v2") end
  local name = path:match "[^/]+$"
  for i = 1, 2 do
    local inside = cat("/proc/self/cgroup", { cgroup = path })
    tap.ok(inside:find("0::/" .. name, 1, true), "child " .. i)
  end
  tap.is(cat "/proc/self/cgroup":find(name, 1, true), nil, "others are not")
  tap.eventually(function()
    return process.run { "rmdir", path, check = false }.ok
  end, "it is empty afterwards")
end)

-- -- Streams ------------------------------------------------------------------

-- How much a child can write before somebody reads.
local function capacity(opts)
  local p <close> = process.spawn(with({ "dd", "if=/dev/zero", "bs=1024",
    "oflag=nonblock", stdout = "pipe", stderr = "pipe" }, opts))
  return tonumber(p.stderr:read():match "(%d+) bytes")
end

tap.test("pipe_size is what a pipe holds", function()
  tap.is(capacity { pipe_size = 8192 }, 8192)
  tap.is(capacity { pipe_size = 4096 }, 4096)
  if is_root then tap.is(capacity { pipe_size = 1 << 20 }, 1 << 20) end
end)

local function bytes_written(pid)
  local file <close> = io.open(("/proc/%d/io"):format(pid))
  return tonumber(file:read "a":match "wchar: (%d+)")
end

tap.test("limit is how much is read ahead", function()
  local PIPE <const>, LIMIT <const> = 4096, 16384
  local p <close> = process.spawn { "dd", "if=/dev/zero", "bs=4096",
    "count=100000", stdout = "pipe", pipe_size = PIPE, limit = LIMIT }
  tap.is(p.stdout:read(1), "\0")
  tap.eventually(function()
    return bytes_written(p.pid) >= PIPE + LIMIT
  end, "so much")
  local most = PIPE + LIMIT + PIPE + 1 -- one read may exceed it
  tap.ok(bytes_written(p.pid) <= most, "and not much more")
end)

tap.test("max_line is the longest line that is waited for", function()
  local p <close> = process.spawn { "sh", "-c",
    "for i in 1 3; do printf %050d%050d 0 1 >&$i; done; sleep 60",
    max_line = 60, stdout = "pipe", fds = { [3] = "pipe" } }
  for _, reader in ipairs { p.stdout, p.fds[3] } do
    tap.is(reader.max_line, 60)
    tap.throws(function() reader:readline() end, "LimitOverrun")
    tap.is(#reader:readexactly(100), 100, "nothing is lost")
  end
end)

-- -- Its end ------------------------------------------------------------------

tap.test("stop says how it is ended", function()
  local p <close> = process.spawn { "sh", "-c",
    "trap 'exit 3' USR1; echo ready; read x; exit 4",
    stdin = "pipe", stdout = "pipe", stop = { signal = "USR1", grace = 60 } }
  tap.is(p.stdout:readline(), "ready")
  tap.is(tostring(p:stop()), "exited 3")
  local quick <close> = process.spawn { "sh", "-c",
    "trap '' TERM; echo ready; exec sleep 60", stdout = "pipe",
    stop = { grace = 0.01 } }
  tap.is(quick.stdout:readline(), "ready")
  tap.is(tostring(quick:stop()), "killed by KILL")
  local given
  local asked <close> = process.spawn { "cat", stdin = "pipe",
    stop = function(process_)
      given = process_
      process_.stdin:close()
    end }
  tap.is(tostring(asked:stop()), "exited 0")
  tap.is(given, asked, "the function is given the process")
end)

tap.done()
