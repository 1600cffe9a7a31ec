-- What users of other runtimes suffer: a spawn that copies their memory, or
-- that fails because another has a file open.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- Holds so much memory, all of it written to, spawns twice, and says between.
local HUGE <const> = [[
  local held = ("x"):rep(tonumber(arg[1]))
  io.stderr:write "BEGIN\n"
  process.spawn { "true" }:wait()
  process.run { "cat", input = "x", cwd = "/", umask = "077", session = true,
                limits = { core = 0 } }
  io.stderr:write "END\n"
  assert(#held == tonumber(arg[1]))
]]

-- The calls that make a process, between the marks that a script writes.
local function ways_to_spawn(script, opts)
  opts.stderr = "null"
  local log, r = children.trace("clone,clone3,fork,vfork,write", script, opts)
  tap.ok(r.ok)
  local list = {}
  for line in log:match("BEGIN.-\n(.*)END"):gmatch "[^\n]+" do
    local call = line:match "^%d+ +(%w+)%("
    local spawns = call and call ~= "write" and not line:find "CLONE_THREAD"
    if spawns then list[#list + 1] = line end
  end
  return list
end

local function is_vfork(line)
  return line:find " clone3?%(" and line:find "CLONE_VM"
    and line:find "CLONE_VFORK"
end

tap.test("node#14917, #55308, node-v0.x#9250, libuv#1715, #141, #3520, "
  .. "cpython#80004, #79718, #112334, home-assistant#87958, flux-core#384: "
  .. "with 1 GiB held, a spawn copies no page table", function()
  for _, bytes in ipairs { 1000, 1 << 30 } do
    local list = ways_to_spawn(HUGE, { bytes })
    tap.is(#list, 2, "two children of ours")
    for _, line in ipairs(list) do
      tap.ok(is_vfork(line), "our memory is shared until the exec: " .. line)
    end
  end
end)

tap.test("tarantool doc#1248: vfork is not given up for any of the options",
function()
  local list = ways_to_spawn([[
    io.stderr:write "BEGIN\n"
    for _, opts in ipairs {
      { cwd = "/" }, { env = { A = "1" } }, { clear_env = true },
      { user = arg[1] }, { group = 0, groups = {} }, { nice = 5 },
      { session = true }, { process_group = false }, { umask = "022" },
      { stdin = "pipe", stdout = "pipe", stderr = "pipe" }, { pty = true },
      { fds = { [7] = "pipe" } }, { limits = { nofile = 50 } },
      { cpu_affinity = { 0 } }, { pdeathsig = "KILL" }, { chroot = "/" },
    } do
      opts[1] = "/bin/true"
      local ok, p = pcall(process.spawn, opts) -- root may do all of it
      if ok then p:close() end
    end
    io.stderr:write "END\n"
  ]], { process.capture { "id", "-u" } })
  tap.is(#list, 16)
  for _, line in ipairs(list) do
    if not is_vfork(line) then tap.ok(false, line) end
  end
end)

tap.test("golang#22315, rust#114554, apicurio#10108, dotnet#59079: a program "
  .. "just written runs at once, though others are spawned meanwhile",
function()
  local dir <close> = children.tmpdir()
  local binary = children.read_file(process.which "true")
  local list, failed = {}, {}
  for i = 1, 40 do list[i] = i end
  task.map(list, function(i)
    local path = ("%s/%d"):format(dir.path, i)
    local file <close> = assert(io.open(path, "wb"))
    file:write(binary)
    process.run { "chmod", "755", path } -- a child that could have the file
    file:close()
    local ok, r = pcall(process.run, { path })
    if not ok then failed[#failed + 1] = tostring(r) end
  end, { jobs = 8 })
  tap.is_deeply(failed, {})
end)

tap.test("golang#22315: a file that we still write is not held by a child",
function()
  local dir <close> = children.tmpdir()
  local file = assert(io.open(dir.path .. "/open", "w"))
  local p <close> = process.spawn { "sh", "-c", "ls -l /proc/$$/fd; exec sleep "
    .. "600", stdout = "pipe", stderr = "null" }
  for _ = 1, 4 do -- a total, 0, 1, 2
    local line = p.stdout:readline()
    tap.ok(not line:find(dir.path, 1, true), line)
  end
  file:close()
end)

tap.done()
