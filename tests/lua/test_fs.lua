-- Files and folders: what each function does, and how it fails.

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local TMP <const> = os.getenv "TMPDIR" or "/tmp"

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

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function put(path, data)
  local file <close> = assert(io.open(path, "wb"))
  file:write(data)
end

local function sh(command, ...)
  return process.capture { "sh", "-c", command, "sh", ... }
end

local function names(dir)
  local list = {}
  for i, entry in ipairs(fs.scandir(dir)) do list[i] = entry.name end
  return table.concat(list, " ")
end

-- Reading ---------------------------------------------------------------------

test("read_file returns all of a file, whatever is in it", function(dir)
  for _, size in ipairs { 0, 1, 65535, 65536, 65537, 5000000 } do
    local data = ("a\0\n\xff"):rep(size // 4 + 1):sub(1, size)
    put(dir .. "/f", data)
    tap.ok(fs.read_file(dir .. "/f") == data, size .. " bytes")
  end
end)

test("read_file reads what has no size, as in /proc", function()
  tap.like(fs.read_file "/proc/self/status", "^Name:")
  tap.like(fs.read_file "/proc/self/maps", "%[stack%]")
end)

test("read_file stops at max, and says so", function(dir)
  put(dir .. "/f", ("x"):rep(100))
  tap.is(#fs.read_file(dir .. "/f", { max = 100 }), 100)
  local _, err = tap.throws(function()
    fs.read_file(dir .. "/f", { max = 99 })
  end, "LimitOverrun")
  tap.is(tostring(err), ("read %s/f: more than 99 bytes"):format(dir))
  tap.throws(function() fs.read_file(dir .. "/f", { max = 0 }) end,
    "LimitOverrun")
  tap.throws(function() fs.read_file("/dev/zero", { max = 1000 }) end,
    "LimitOverrun")
  tap.is(fs.read_file("/dev/null", { max = 0 }), "")
end)

test("read_file reads a pipe to its end", function(dir)
  sh("mkfifo $1/p", dir)
  tap.is(fs.read_file(dir .. "/p"), "", "nobody writes to it")
  local p <close> = process.spawn { "sh", "-c",
    "exec 3<>$1/p; echo ready; echo a >&3; read x; echo b >&3", "sh", dir,
    stdin = "pipe", stdout = "pipe" }
  p.stdout:readline()
  local reading = task.spawn(fs.read_file, dir .. "/p")
  tap.eventually(function() return reading.state == "waiting" end)
  p.stdin:write "\n"
  tap.is(reading:join(), "a\nb\n")
  p:wait()
end)

test("what cannot be read says what and why", function(dir)
  local _, err = tap.throws(function() fs.read_file(dir .. "/no") end,
    "ENOENT")
  tap.is(err.kind, "OSError")
  tap.is(err.op, "open")
  tap.is(err.subject, dir .. "/no")
  tap.is(tostring(err),
    ("open %s/no: No such file or directory (ENOENT)"):format(dir))
  tap.throws(function() fs.read_file(dir) end, "EISDIR")
  put(dir .. "/f", "x")
  tap.throws(function() fs.read_file(dir .. "/f/g") end, "ENOTDIR")
end)

-- Looking ---------------------------------------------------------------------

test("stat tells what there is", function(dir)
  put(dir .. "/f", "four")
  sh("cd $1; chmod 640 f; ln f hard; ln -s f link; mkfifo pipe;"
    .. " touch -d @1000000000.5 f", dir)
  local st = fs.stat(dir .. "/f")
  tap.is(st.type, "file")
  tap.is(st.size, 4)
  tap.is(("%o"):format(st.mode), "640")
  tap.is(st.nlink, 2)
  tap.is(st.mtime, 1000000000.5)
  tap.is(st.uid, tonumber(sh "id -u"))
  tap.is(st.gid, tonumber(sh "id -g"))
  tap.is(st.ino, tonumber(sh("stat -c %i $1/f", dir)))
  tap.is(st.dev, tonumber(sh("stat -c %d $1/f", dir)))
  tap.ok(st.ctime > st.mtime and st.atime > 0)
  tap.is(fs.stat(dir).type, "directory")
  tap.is(fs.stat(dir .. "/pipe").type, "fifo")
  tap.is(fs.stat "/dev/null".type, "char")
  tap.is(fs.stat(dir .. "/link").type, "file")
  tap.is(fs.lstat(dir .. "/link").type, "link")
  tap.throws(function() fs.stat(dir .. "/no") end, "ENOENT")
  tap.throws(function() fs.lstat(dir .. "/f/no") end, "ENOTDIR")
end)

test("exists is true of what is there, and of nothing else", function(dir)
  sh("cd $1; touch f; ln -s f good; ln -s nothing bad; ln -s loop loop", dir)
  tap.is(fs.exists(dir), true)
  tap.is(fs.exists(dir .. "/f"), true)
  tap.is(fs.exists(dir .. "/good"), true)
  tap.is(fs.exists(dir .. "/bad"), false)
  tap.is(fs.exists(dir .. "/f/below"), false)
  tap.throws(function() fs.exists(dir .. "/loop") end, "ELOOP")
end)

test("scandir lists names and types, sorted", function(dir)
  sh("cd $1; mkdir d .hidden; touch f '1 x' \"$(printf 'n\\nl')\"; ln -s d l;"
    .. " mkfifo p", dir)
  local list = {}
  for _, entry in ipairs(fs.scandir(dir)) do
    list[#list + 1] = entry.name .. "=" .. entry.type
  end
  tap.is(table.concat(list, " "), ".hidden=directory 1 x=file d=directory "
    .. "f=file l=link n\nl=file p=fifo")
  tap.is_deeply(fs.scandir(dir .. "/d"), {})
  local _, err = tap.throws(function() fs.scandir(dir .. "/f") end, "ENOTDIR")
  tap.is(err.op, "scandir")
end)

test("scandir lists many", function(dir)
  sh("cd $1; seq 1 3000 | xargs touch", dir)
  tap.is(#fs.scandir(dir), 3000)
end)

test("links are made, read and resolved", function(dir)
  fs.symlink("target", dir .. "/link")
  tap.is(fs.readlink(dir .. "/link"), "target")
  put(dir .. "/target", "x")
  local real = sh("realpath $1", dir)
  tap.is(fs.realpath(dir .. "/./../" .. dir:match "[^/]*$" .. "/link"),
    real .. "/target")
  tap.throws(function() fs.symlink("x", dir .. "/link") end, "EEXIST")
  tap.throws(function() fs.readlink(dir .. "/target") end, "EINVAL")
  tap.throws(function() fs.realpath(dir .. "/no") end, "ENOENT")
end)

-- Changing --------------------------------------------------------------------

test("mkdir makes one folder", function(dir)
  fs.mkdir(dir .. "/d")
  tap.is(fs.stat(dir .. "/d").type, "directory")
  tap.throws(function() fs.mkdir(dir .. "/d") end, "EEXIST")
  tap.throws(function() fs.mkdir(dir .. "/x/y") end, "ENOENT")
end)

test("mkdir with parents makes all that are missing", function(dir)
  for _, path in ipairs { "/a/b/c", "/a/b/c", "/a/b/c/", "/a//d///e", "/a" } do
    fs.mkdir(dir .. path, { parents = true })
    tap.is(fs.stat(dir .. path).type, "directory", path)
  end
  fs.mkdir(dir .. "/p/q", { p = true })
  put(dir .. "/f", "")
  tap.throws(function() fs.mkdir(dir .. "/f", { p = true }) end, "EEXIST")
  tap.throws(function() fs.mkdir(dir .. "/f/g", { p = true }) end, "ENOTDIR")
end)

test("mkdir's mode is the folder's, whatever umask says", function(dir)
  fs.mkdir(dir .. "/a/b", { mode = "1777", p = true })
  tap.is(("%o"):format(fs.stat(dir .. "/a/b").mode), "1777")
  tap.is(fs.stat(dir .. "/a").mode & 2, 0, "parents as umask has it")
  fs.mkdir(dir .. "/c", { mode = 448 })
  tap.is(("%o"):format(fs.stat(dir .. "/c").mode), "700")
end)

test("mkdtemp makes folders of new names, for us alone", function(dir)
  local a = fs.mkdtemp { dir = dir }
  local b = fs.mkdtemp { dir = dir, prefix = "x." }
  tap.like(a, "/luvisor%-%w+$")
  tap.like(b, "/x%.%w+$")
  tap.is(("%o"):format(fs.stat(a).mode), "700")
  local c = fs.mkdtemp()
  tap.is(c:sub(1, #TMP + 1), TMP .. "/")
  fs.remove(c)
  tap.throws(function() fs.mkdtemp { dir = dir .. "/no" } end, "ENOENT")
end)

test("rename moves, and replaces a file", function(dir)
  put(dir .. "/a", "a")
  put(dir .. "/b", "b")
  fs.rename(dir .. "/a", dir .. "/b")
  tap.is(contents(dir .. "/b"), "a")
  tap.is(names(dir), "b")
  local _, err = tap.throws(function()
    fs.rename(dir .. "/no", dir .. "/x")
  end, "ENOENT")
  tap.is(err.subject, ("%s/no to %s/x"):format(dir, dir))
end)

test("chmod changes permissions", function(dir)
  put(dir .. "/f", "")
  for _, mode in ipairs { "600", "0644", 493, "4755" } do
    fs.chmod(dir .. "/f", mode)
    local n = type(mode) == "string" and tonumber(mode, 8) or mode
    tap.is(fs.stat(dir .. "/f").mode, n)
  end
  tap.throws(function() fs.chmod(dir .. "/no", "600") end, "ENOENT")
end)

-- Wrong use -------------------------------------------------------------------

test("wrong use is named, and the option that was meant", function(dir)
  local wrong = {
    { function() fs.read_file() end, "read_file: the path must be a string" },
    { function() fs.read_file "" end, "not empty" },
    { function() fs.read_file "a\0b" end, "zero byte" },
    { function() fs.read_file("x", { mx = 1 }) end, 'did you mean "max"' },
    { function() fs.read_file("x", { max = -1 }) end, "max must be" },
    { function() fs.write_file(dir .. "/f") end, "data must be a string" },
    { function() fs.write_file(dir .. "/f", {}) end, "got table" },
    { function() fs.write_file("f", "", { atomc = true }) end, '"atomic"' },
    { function() fs.write_file("f", "", { mode = "rw" }) end, 'as "644"' },
    { function() fs.write_file("f", "", { atomic = true, append = true }) end,
      "either atomic or append" },
    { function() fs.mkdir(dir, { parent = true }) end, '"parents"' },
    { function() fs.remove(dir, { recurse = true }) end, '"recursive"' },
    { function() fs.mkdtemp "x" end, "options must be a table" },
    { function() fs.rename("a", 1) end, "the new path must be" },
    { function() fs.symlink("", "b") end, "the target must be" },
    { function() fs.chmod(dir, "999") end, "the mode must be permissions" },
    { function() fs.chmod(dir, 4096) end, "got 4096" },
    { function() fs.watch(dir, { events = { "create" } }) end, '"created"' },
    { function() fs.watch(dir, { events = {} }) end, "events must be" },
  }
  for _, one in ipairs(wrong) do
    local _, err = tap.throws(one[1], "UsageError")
    tap.like(tostring(err), one[2])
  end
  tap.is(names(dir), "")
end)

-- The loop --------------------------------------------------------------------

test("other tasks run while files are worked on", function(dir)
  local turns = 0
  local other = task.spawn(function()
    for _ = 1, 1000 do
      turns = turns + 1
      task.checkpoint()
    end
  end)
  for i = 1, 20 do
    fs.write_file(dir .. "/f", ("x"):rep(1000), { atomic = i % 2 == 0 })
    tap.is(#fs.read_file(dir .. "/f"), 1000)
  end
  tap.ok(turns > 20, "the other had its turns")
  other:join()
end)

test("many tasks may work on files at once", function(dir)
  local list = {}
  for i = 1, 200 do list[i] = i end
  task.map(list, function(i)
    local path = dir .. "/" .. i
    fs.write_file(path, i)
    return fs.read_file(path)
  end, { jobs = 200 })
  tap.is(#fs.scandir(dir), 200)
end)

tap.done()
