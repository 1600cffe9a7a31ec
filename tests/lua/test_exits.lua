-- How children end: every exit code, every signal, core dumps; and that we
-- learn of it whatever we were started with.
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")
local JOBS <const> = 4

-- valgrind has limits, signals and a way to execute of its own.
local function need_kernel()
  local preloaded = os.getenv "LD_PRELOAD"
  if preloaded and preloaded:find "vgpreload" then
    tap.skip("valgrind is in the way")
  end
end

local function range(first, last)
  local list = {}
  for n = first, last do list[#list + 1] = n end
  return list
end

-- Runs fn for each, some at once, and compares what it returns with want.
local function each(list, fn, want, name)
  local got, wanted = {}, {}
  task.map(list, function(item) got[item] = fn(item) end, { jobs = JOBS })
  for _, item in ipairs(list) do wanted[item] = want(item) end
  tap.is_deeply(got, wanted, name)
end

tap.test("every exit code is told", function()
  each(range(0, 255), function(code)
    local p <close> = process.spawn { "sh", "-c", "exit " .. code }
    local s = p:wait()
    return { s.ok, s.code, s.signal, s.core, s.returncode, tostring(s),
             p.returncode }
  end, function(code)
    return { code == 0, code, nil, false, code, "exited " .. code, code }
  end)
end)

-- Those that do not end a process are left out.
local deadly = {
  "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1",
  "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", [24] = "XCPU",
  [25] = "XFSZ", [26] = "VTALRM", [27] = "PROF", [29] = "IO", [30] = "PWR",
  [31] = "SYS", [32] = "32", [33] = "33", [34] = "RTMIN",
}
for n = 35, 64 do deadly[n] = "RTMIN+" .. n - 34 end

local function deadly_numbers()
  local list = {}
  for n = 1, 64 do
    if deadly[n] then list[#list + 1] = n end
  end
  return list
end

local function describe(s)
  return { s.ok, s.code, s.signal, s.core, s.returncode, tostring(s) }
end

local function expected(signum)
  local name = deadly[signum]
  return { false, nil, name, false, -signum, "killed by " .. name }
end

tap.test("every signal that ends a process is told", function()
  each(deadly_numbers(), function(signum)
    local p <close> = process.spawn { "sh", "-c",
      ("kill -%d $$; exit 99"):format(signum), limits = { core = 0 } }
    return describe(p:wait())
  end, expected, "which it has sent to itself")
end)

tap.test("every signal can be sent", function()
  need_kernel()
  each(deadly_numbers(), function(signum)
    local p <close> = process.spawn { "sleep", "60", limits = { core = 0 } }
    p:send_signal(signum)
    return describe(p:wait())
  end, expected, "by number")
  each(deadly_numbers(), function(signum)
    local p <close> = process.spawn { "sleep", "60", limits = { core = 0 } }
    p:send_signal(deadly[signum], "group")
    return describe(p:wait())
  end, expected, "by name, to the group")
end)

tap.test("signals that a child outlives are not its end", function()
  local p <close> = process.spawn { "sleep", "60" }
  for _, name in ipairs { "CHLD", "CONT", "URG", "WINCH", "STOP", "CONT",
                          "TTIN", "TTOU", "TSTP" } do
    p:send_signal(name)
  end
  tap.ok(not task.move_on(0.05, p.wait, p), "stopped is not ended")
  tap.is(p.status, nil)
  p:send_signal "CONT"
  p:terminate()
  tap.is(tostring(p:wait()), "killed by TERM")
end)

-- Where the kernel leaves core files, for a child in this directory.
local function cores_are_files()
  local file <close> = io.open "/proc/sys/kernel/core_pattern"
  local pattern = file and file:read "l"
  return pattern and not pattern:find "^[|/]" and pattern ~= ""
end

tap.test("a core dump is told", function()
  if not cores_are_files() then tap.skip("core dumps are not files here") end
  local dir = process.capture { "mktemp", "-d" }
  for _, name in ipairs { "ABRT", "QUIT", "SEGV", "TERM" } do
    local p <close> = process.spawn { "sh", "-c", "kill -" .. name .. " $$",
      cwd = dir, limits = { core = "unlimited" } }
    local s = p:wait()
    local dumped = process.capture { "ls", dir } ~= ""
    tap.is(s.core, dumped, name)
    tap.is(tostring(s), "killed by " .. name
      .. (dumped and " (core dumped)" or ""))
    process.run { "sh", "-c", "rm -f *", cwd = dir }
  end
  process.run { "rmdir", dir }
end)

tap.test("a status has times and resources", function()
  local s = process.run { "sh", "-c", "i=0; while [ $i -lt 30000 ]; do "
    .. "i=$((i+1)); done" }
  tap.ok(s.duration > 0, "how long it ran")
  tap.ok(s.rusage.utime + s.rusage.stime > 0, "how long it was busy")
  tap.ok(s.rusage.utime + s.rusage.stime <= s.duration + 0.1, "and no longer")
  tap.ok(s.rusage.maxrss > 100000, "bytes of memory")
end)

tap.test("an end is told to all who wait, and again", function()
  local p <close> = process.spawn { "cat", stdin = "pipe" }
  local first, second = task.gather(
    function() return p:wait() end,
    function() return p:wait() end,
    function() p.stdin:close() end)
  tap.is(tostring(first), "exited 0")
  tap.is(second, first)
  tap.is(p:wait(), first)
  tap.is(p.status, first)
  tap.throws(function() p:kill() end, "NoProcess")
end)

-- -- What we were started with ------------------------------------------------

local REPORT <const> = [[
  local process = require "luvisor.process"
  local p = process.spawn { "sh", "-c", "exit 7" }
  print(p:wait())
  local r = process.run { "sh", "-c", "cat /proc/self/status; exit 8",
                          check = false }
  print(r)
  print(r.stdout)
]]

local function check_report(r)
  tap.is(r.stderr, "")
  tap.is(r.stdout:match "^[^\n]*", "exited 7")
  tap.is(r.stdout:match "\n([^\n]*)", "exited 8")
  for _, name in ipairs { "SigBlk", "SigIgn", "SigCgt" } do
    tap.is(r.stdout:match(name .. ":\t(%x+)"), "0000000000000000",
      name .. " of our child")
  end
end

tap.test("SIGCHLD ignored by our parent is put right", function()
  check_report(process.run { "sh", "-c", "trap '' CHLD; exec \"$0\" \"$@\"",
                             LUVISOR, "-e", REPORT })
end)

tap.test("signals ignored by our parent are not by our child", function()
  check_report(process.run { "sh", "-c",
    "trap '' HUP USR1 PIPE WINCH RTMAX; exec \"$0\" \"$@\"", LUVISOR, "-e",
    REPORT })
end)

tap.test("signals blocked by our parent are not by our child", function()
  if not process.which "python3" then tap.skip("needs python3") end
  check_report(process.run { "python3", "-c", "import os, signal, sys\n"
    .. "signal.pthread_sigmask(signal.SIG_BLOCK, "
    .. "signal.valid_signals())\n"
    .. "os.execv(sys.argv[1], sys.argv[1:])", LUVISOR, "-e", REPORT })
end)

tap.test("a child dies of SIGPIPE, though we do not", function()
  local p <close> = process.spawn { "yes", stdout = "pipe" }
  tap.is(p.stdout:read(2), "y\n")
  p.stdout:close()
  tap.is(tostring(p:wait()), "killed by PIPE")
end)

tap.done()
