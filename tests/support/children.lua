-- What tests of processes need beside the API: luvisors of their own, a look at
-- processes from outside, strace, directories that go away.
-- local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"

local M = {}

M.LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

-- valgrind has limits, signals and a way to execute of its own, and no pidfds.
M.in_valgrind = (os.getenv "LD_PRELOAD" or ""):find "vgpreload" ~= nil

-- Without pidfds (LUVISOR_NO_PIDFD=1) some things cannot be.
M.has_pidfds = (os.getenv "LUVISOR_NO_PIDFD" or "") == ""
  and not M.in_valgrind

M.is_root = process.capture { "id", "-u" } == "0"

-- Stands before each script that is run below.
local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, stream, task = lv.process, lv.stream, lv.task
]]

local function with_script(script, opts)
  local all = { M.LUVISOR, "-e", PRELUDE .. script }
  for name, value in pairs(opts or {}) do
    if type(name) ~= "number" then all[name] = value end
  end
  for i, arg in ipairs(opts or {}) do all[3 + i] = arg end
  return all
end

--- Run a script by a luvisor of its own; opts: those of run, and its arguments.
function M.run(script, opts)
  return process.run(with_script(script, opts))
end

--- Start one; its stdout is a pipe.
function M.start(script, opts)
  local all = with_script(script, opts)
  all.stdout = all.stdout or not all.pty and "pipe" or nil
  return process.spawn(all)
end

--- The state letter of a process as ps shows it, nil if there is none.
function M.state(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read "a"
  return text and text:match "%) (%a)"
end

--- Has it ended? A zombie that its parent has yet to reap has.
function M.is_gone(pid)
  local state = M.state(pid)
  return not state or state == "Z" or state == "X"
end

--- The zombies among the children of this process, as a list of pids.
function M.zombies()
  local found = {}
  local file <close> = io.open "/proc/thread-self/children"
  for pid in (file and file:read "a" or ""):gmatch "%d+" do
    if M.state(pid) == "Z" then found[#found + 1] = math.tointeger(pid) end
  end
  return found
end

--- A directory that goes with its <close> variable.
function M.tmpdir()
  local path = process.capture { "mktemp", "-d" }
  return setmetatable({ path = path }, {
    __close = function() process.run { "rm", "-rf", path } end,
  })
end

function M.write_file(path, text, mode)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  if mode then process.run { "chmod", mode, path } end
end

function M.read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

--- Skip the test where one of these programs is missing.
function M.need(...)
  for _, name in ipairs { ... } do
    if not process.which(name) then tap.skip("needs " .. name) end
  end
end

function M.need_root()
  if not M.is_root then tap.skip "needs root" end
end

function M.need_kernel()
  if M.in_valgrind then tap.skip "valgrind is in the way" end
end

-- Sanitizers and valgrind trace by themselves, or slow everything down.
local function is_instrumented()
  return os.getenv "ASAN_OPTIONS" or os.getenv "TSAN_OPTIONS" or M.in_valgrind
end

--- Skip the test where system calls cannot be counted.
function M.need_trace()
  M.need "strace"
  if is_instrumented() then tap.skip "this build cannot be traced" end
  local probe = process.run { "strace", "-qq", "-o", "/dev/null", "true",
    check = false }
  if not probe.ok then tap.skip "ptrace is not allowed" end
end

--- Run a script under strace -f. Returns the calls of these names that it and
-- its children made, one a line, and the Result. Skips the test where that is
-- not possible.
function M.trace(calls, script, opts)
  M.need_trace()
  local dir <close> = M.tmpdir()
  local log = dir.path .. "/log"
  local argv = { "strace", "-f", "-qq", "-o", log, "-e", "trace=" .. calls }
  local traced = with_script(script, opts)
  table.move(traced, 1, #traced, #argv + 1, argv)
  for name, value in pairs(traced) do
    if type(name) ~= "number" then argv[name] = value end
  end
  argv.check = false
  local result = process.run(argv)
  return M.read_file(log), result
end

--- How often a pattern is found.
function M.count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

return M
