-- Writing whole files: what is there afterwards, whatever happens meanwhile.

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"
local TMP <const> = os.getenv "TMPDIR" or "/tmp"

local is_root = process.capture { "id", "-u" } == "0"

-- A test in a folder of its own, which is removed.
local function test(name, fn)
  tap.test(name, function()
    local dir = fs.mkdtemp { dir = TMP, prefix = "fs-" }
    local _ <close> = setmetatable({}, { __close = function()
      process.run { "rm", "-rf", dir }
    end })
    fn(dir)
  end)
end

-- For both ways of writing.
local function for_both(name, fn)
  for _, atomic in ipairs { false, true } do
    local way = atomic and " (atomic)" or ""
    test(name .. way, function(dir) fn(dir, atomic) end)
  end
end

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function permissions(path)
  return ("%o"):format(fs.stat(path).mode)
end

local function names(dir)
  local list = {}
  for i, entry in ipairs(fs.scandir(dir)) do list[i] = entry.name end
  return table.concat(list, " ")
end

local function sh(command, ...)
  return process.capture { "sh", "-c", command, "sh", ... }
end

for_both("write_file makes a file, or gives it new contents",
function(dir, atomic)
  local path = dir .. "/f"
  for _, size in ipairs { 10, 5000000, 0, 3 } do
    local data = ("a\0\xff\n"):rep(size // 4 + 1):sub(1, size)
    fs.write_file(path, data, { atomic = atomic })
    tap.ok(contents(path) == data, size .. " bytes")
  end
  fs.write_file(path, 42, { atomic = atomic })
  tap.is(contents(path), "42")
  tap.is(names(dir), "f", "and nothing else is there")
end)

test("append adds to what is there", function(dir)
  fs.write_file(dir .. "/f", "a", { append = true })
  fs.write_file(dir .. "/f", "b", { append = true })
  tap.is(contents(dir .. "/f"), "ab")
end)

for_both("a file that is there keeps its permissions", function(dir, atomic)
  fs.write_file(dir .. "/f", "a")
  fs.chmod(dir .. "/f", "4751")
  fs.write_file(dir .. "/f", "b", { atomic = atomic })
  local mode = permissions(dir .. "/f")
  tap.ok(mode == "4751" or not atomic and mode == "751", mode)
end)

for_both("mode is what it has afterwards, new or old", function(dir, atomic)
  local path = dir .. "/f"
  for _, mode in ipairs { "600", "666", "640" } do
    fs.write_file(path, "x", { atomic = atomic, mode = mode })
    tap.is(permissions(path), mode)
  end
  tap.is(contents(path), "x")
end)

-- Writes "x" without these capabilities, which only root would have.
local function write_without(caps, path, opts)
  if is_root and not process.which "setpriv" then tap.skip "needs setpriv" end
  local script = ([[require "luvisor.fs".write_file(%q, "x", { %s })]]):format(
    path, opts)
  local all = is_root and { "setpriv", "--bounding-set", caps } or {}
  process.run(table.move({ LUVISOR, "-e", script }, 1, 3, #all + 1, all))
end

for_both("so is one that the kernel takes away from what is written to",
  function(dir, atomic)
    for _, mode in ipairs { "4711", "2755", "6700" } do
      write_without("-fsetid", dir .. "/f",
        ("atomic = %s, mode = %q"):format(atomic, mode))
      tap.is(permissions(dir .. "/f"), mode)
    end
  end)

test("what ran as its owner does not run as another", function(dir)
  if not is_root then tap.skip "needs root" end
  local path = dir .. "/f"
  fs.write_file(path, "a")
  process.run { "chown", "65534", path }
  fs.chmod(path, "4755")
  write_without("-chown", path, "atomic = true")
  tap.is(fs.stat(path).uid, 0)
  tap.is(permissions(path), "755")
end)

for_both("without mode umask counts for a new file", function(dir, atomic)
  local script = ([[require "luvisor.fs".write_file(%q, "x",
    { atomic = %s })]]):format(dir .. "/f", atomic)
  process.run { LUVISOR, "-e", script, umask = tonumber("027", 8) }
  tap.is(permissions(dir .. "/f"), "640")
end)

for_both("a symbolic link stays, and its file is written",
function(dir, atomic)
  fs.mkdir(dir .. "/d")
  fs.write_file(dir .. "/d/real", "old")
  fs.symlink("real", dir .. "/d/two")
  fs.symlink("d/two", dir .. "/one")
  fs.write_file(dir .. "/one", "new", { atomic = atomic })
  tap.is(contents(dir .. "/d/real"), "new")
  tap.is(fs.readlink(dir .. "/one"), "d/two")
  tap.is(fs.readlink(dir .. "/d/two"), "real")
  fs.symlink(dir .. "/made", dir .. "/three")
  fs.write_file(dir .. "/three", "x", { atomic = atomic })
  tap.is(contents(dir .. "/made"), "x", "one that was not there is made")
  fs.symlink("loop", dir .. "/loop")
  tap.throws(function()
    fs.write_file(dir .. "/loop", "x", { atomic = atomic })
  end, "ELOOP")
end)

test("a hard link keeps the old contents if the file is replaced",
function(dir)
  fs.write_file(dir .. "/a", "old")
  sh("ln $1/a $1/b", dir)
  fs.write_file(dir .. "/a", "new", { atomic = true })
  tap.is(contents(dir .. "/b"), "old")
end)

test("who reads while a file is replaced finds it whole", function(dir)
  local path, size = dir .. "/f", 300000
  fs.write_file(path, ("0"):rep(size))
  local writing = task.spawn(function()
    for i = 1, 30 do
      fs.write_file(path, tostring(i % 10):rep(size), { atomic = true })
    end
  end)
  local torn, count = 0, 0
  while writing.state ~= "done" do
    local data = fs.read_file(path)
    count = count + 1
    if #data ~= size or data:find("[^" .. data:sub(1, 1) .. "]") then
      torn = torn + 1
    end
  end
  writing:join()
  tap.is(torn, 0, "in " .. count .. " looks")
  tap.is(names(dir), "f")
end)

test("a long name can be replaced, too", function(dir)
  local path = dir .. "/" .. ("x"):rep(255)
  fs.write_file(path, "a", { atomic = true })
  fs.write_file(path, "b", { atomic = true })
  tap.is(contents(path), "b")
  local _, err = tap.throws(function()
    fs.write_file(path .. "x", "a", { atomic = true })
  end, "ENAMETOOLONG")
  tap.is(err.subject, path .. "x")
end)

test("a relative path may be replaced", function()
  local name = "fs-relative-test"
  fs.write_file(name, "a", { atomic = true })
  fs.write_file(name, "b", { atomic = true })
  tap.is(contents(name), "b")
  fs.remove(name)
end)

-- What is no file -------------------------------------------------------------

test("a pipe with a reader is written to", function(dir)
  sh("mkfifo $1/p", dir)
  tap.throws(function() fs.write_file(dir .. "/p", "x") end, "ENXIO",
    "not without one")
  local p <close> = process.spawn { "sh", "-c",
    "exec 3<>$1/p; echo; read x; exec 4<$1/p 3>&-; cat <&4 | wc -c", "sh", dir,
    stdin = "pipe", stdout = "pipe" }
  p.stdout:readline()
  local writing = task.spawn(fs.write_file, dir .. "/p", ("x"):rep(300000))
  tap.eventually(function() return writing.state == "waiting" end)
  p.stdin:write "\n"
  writing:join()
  tap.is(tonumber(p.stdout:read()), 300000)
  p:wait()
end)

test("a write to a pipe that is cancelled leaves nothing behind",
function(dir)
  sh("mkfifo $1/p", dir)
  local p <close> = process.spawn { "sh", "-c",
    "exec 3<>$1/p; echo; read x", "sh", dir, stdin = "pipe", stdout = "pipe" }
  p.stdout:readline()
  tap.is(task.move_on(0.01, fs.write_file, dir .. "/p", ("x"):rep(300000)),
    false)
  tap.is(task.move_on(0.01, function()
    fs.read_file(dir .. "/p")
  end), false, "nor does a read")
  p.stdin:close()
  p:wait()
end)

test("a full device says so", function()
  local _, err = tap.throws(function() fs.write_file("/dev/full", "x") end,
    "ENOSPC")
  tap.is(err.op, "write")
  fs.write_file("/dev/null", ("x"):rep(1000000))
end)

test("what is no file is not replaced", function(dir)
  sh("mkfifo $1/p", dir)
  local _, err = tap.throws(function()
    fs.write_file(dir .. "/p", "x", { atomic = true })
  end, "EINVAL")
  tap.is(err.op, "replace")
  tap.is(err.subject, dir .. "/p")
  tap.throws(function() fs.write_file(dir, "x", { atomic = true }) end,
    "EISDIR")
  tap.throws(function() fs.write_file(dir, "x") end, "EISDIR")
  tap.is(fs.stat(dir .. "/p").type, "fifo")
end)

-- Failures --------------------------------------------------------------------

for_both("a folder that is not there is said", function(dir, atomic)
  local _, err = tap.throws(function()
    fs.write_file(dir .. "/no/f", "x", { atomic = atomic })
  end, "ENOENT")
  tap.is(err.subject, dir .. "/no/f")
  tap.is(err.op, "open")
end)

-- Runs a script as root of a user namespace with a disk of 1 MiB at dir.
local function on_small_disk(dir, script)
  local argv = { "unshare", "-rm", "sh", "-c",
    'mount -t tmpfs -o size=1m none "$1" && exec "$2" -e "$3"', "sh", dir,
    LUVISOR, script }
  local probe = process.run { "unshare", "-rm", "sh", "-c",
    'mount -t tmpfs none "$1"', "sh", dir, check = false }
  if not probe.ok then tap.skip "no disk can be mounted here" end
  return process.run(argv).stdout
end

test("a full disk leaves the old file as it was, if it is replaced",
function(dir)
  local out = on_small_disk(dir, ([[
local lv = require "luvisor"
local fs, path = lv.fs, %q .. "/f"
fs.write_file(path, "old")
local ok, err = pcall(fs.write_file, path, ("x"):rep(3000000),
  { atomic = true })
print(ok, err.code, err.op, fs.read_file(path), #fs.scandir(%q))
ok, err = pcall(fs.write_file, path, ("x"):rep(3000000))
print(ok, err.code, err.op, #fs.read_file(path) > 0, #fs.scandir(%q))]])
    :format(dir, dir, dir))
  tap.is(out, "false\tENOSPC\twrite\told\t1\nfalse\tENOSPC\twrite\ttrue\t1\n")
end)

test("a folder that is not ours is left as it is", function(dir)
  local result = process.run { "unshare", "-U", "true", check = false }
  if not result.ok then tap.skip "no user namespaces here" end
  fs.write_file(dir .. "/f", "old")
  fs.chmod(dir .. "/f", "644")
  fs.chmod(dir, "555")
  local out = process.run { "unshare", "-U", LUVISOR, "-e", ([[
local lv = require "luvisor"
local ok, err = pcall(lv.fs.write_file, %q, "new", { atomic = true })
print(ok, err.code, err.op)]]):format(dir .. "/f"), check = false }
  fs.chmod(dir, "755")
  if out.ok then tap.is(out.stdout, "false\tEACCES\topen\n") end
  tap.is(contents(dir .. "/f"), "old")
  tap.is(names(dir), "f")
end)

-- Cancelling ------------------------------------------------------------------

-- Calls fn in a task that is cancelled after so many turns of the loop, the
-- later of which are pauses that grow: so it does not matter how fast the disk
-- is.
local function cancelled_after(steps, fn)
  local t = task.spawn(fn)
  for i = 1, steps do
    if t.state == "done" then break end
    if i <= 5 then task.checkpoint() else task.sleep(0.0001 * 1.3 ^ (i - 5)) end
  end
  t:cancel()
  return pcall(t.join, t)
end

local SIZE <const> = 12000000 -- several pieces
local MOST <const> = 40

test("a cancelled replacement has happened, or has not", function(dir)
  local path, new = dir .. "/f", ("n"):rep(SIZE)
  for steps = 0, MOST do
    fs.write_file(path, "old")
    local ok, err = cancelled_after(steps, function()
      fs.write_file(path, new, { atomic = true })
    end)
    local data = contents(path)
    tap.ok(data == (ok and new or "old"), ok and "new" or "old")
    tap.is(names(dir), "f", "nothing else is left")
    if ok then return tap.ok(steps > 0, steps .. " turns") end
    tap.ok(err:is "Cancelled", tostring(err))
  end
  tap.ok(false, "it completes uncancelled")
end)

test("a cancelled write has happened in full, or not begun", function(dir)
  local path, new = dir .. "/f", ("n"):rep(SIZE)
  for steps = 0, MOST do
    fs.write_file(path, "old")
    local ok = cancelled_after(steps, function() fs.write_file(path, new) end)
    local data = contents(path)
    tap.ok(data == (ok and new or "old"), ok and "new" or "old")
  end
end)

test("a cancelled read ends at once, and leaves nothing", function(dir)
  fs.write_file(dir .. "/f", ("x"):rep(SIZE))
  for steps = 0, 20 do
    local ok, err = cancelled_after(steps, function()
      fs.read_file(dir .. "/f")
    end)
    tap.ok(ok or err:is "Cancelled", tostring(err))
  end
end)

test("each other operation may be cancelled at any point", function(dir)
  local operations = {
    function() fs.stat(dir) end, function() fs.scandir(dir) end,
    function() fs.realpath(dir) end, function() fs.exists(dir) end,
    function() fs.mkdir(dir .. "/a/b", { p = true }) end,
    function() pcall(fs.remove, dir .. "/a", { r = true }) end, -- or not made
    function() fs.watch(dir):close() end,
    function() fs.remove(fs.mkdtemp { dir = dir }) end,
  }
  for _, operation in ipairs(operations) do
    for steps = 0, 4 do
      local ok, err = cancelled_after(steps, operation)
      tap.ok(ok or err:is "Cancelled" or err:is "ENOENT", tostring(err))
    end
  end
end)

test("a cancelled task begins nothing", function(dir)
  local t = task.spawn(function()
    pcall(task.sleep, 60)
  end)
  task.checkpoint()
  t:cancel()
  pcall(t.join, t)
  task.move_on(0, function()
    local ok = pcall(fs.write_file, dir .. "/f", "x")
    tap.ok(not ok)
  end)
  tap.is(names(dir), "")
end)

tap.done()
