-- Removing: files, links, trees, and nothing else.

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local TMP <const> = os.getenv "TMPDIR" or "/tmp"

local function sh(command, ...)
  return process.capture { "sh", "-c", command, "sh", ... }
end

-- A test in a folder of its own, which is removed.
local function test(name, fn)
  tap.test(name, function()
    local dir = fs.mkdtemp { dir = TMP, prefix = "fs-" }
    local _ <close> = setmetatable({}, { __close = function()
      sh("chmod -R u+rwx $1; rm -rf $1", dir)
    end })
    fn(dir)
  end)
end

local function names(dir)
  local list = {}
  for i, entry in ipairs(fs.scandir(dir)) do list[i] = entry.name end
  return table.concat(list, " ")
end

local whole <const> = { recursive = true }

test("remove takes files, links and empty folders", function(dir)
  sh("cd $1; touch f; mkdir d full; touch full/x; ln -s full link;"
    .. " mkfifo p; ln -s nothing bad", dir)
  for _, name in ipairs { "f", "d", "link", "p", "bad" } do
    fs.remove(dir .. "/" .. name)
  end
  tap.is(names(dir), "full")
  local _, err = tap.throws(function() fs.remove(dir .. "/full") end,
    "ENOTEMPTY")
  tap.is(err.op, "remove")
  tap.is(err.subject, dir .. "/full")
  tap.throws(function() fs.remove(dir .. "/no") end, "ENOENT")
  tap.throws(function() fs.remove(dir .. "/no", whole) end, "ENOENT")
  tap.throws(function() fs.remove(dir .. "/no/no", whole) end, "ENOENT")
end)

test("recursive takes a folder with all that is in it", function(dir)
  sh("cd $1; mkdir -p t/a/b/c t/d t/.hidden; touch t/f t/a/f t/a/b/c/f;"
    .. " mkfifo t/p; ln -s / t/root; touch 't/a/ odd\nname'", dir)
  fs.remove(dir .. "/t", whole)
  tap.is(names(dir), "")
  sh("cd $1; mkdir -p t/a; touch f", dir)
  fs.remove(dir .. "/t/", { r = true })
  fs.remove(dir .. "/f", whole)
  tap.is(names(dir), "")
end)

test("what a link names is never touched", function(dir)
  sh("cd $1; mkdir -p keep/sub t/a; touch keep/f keep/sub/f;"
    .. " ln -s ../keep t/one; ln -s ../../keep t/a/two; ln -s keep top", dir)
  fs.remove(dir .. "/t", whole)
  fs.remove(dir .. "/top", whole)
  tap.is(names(dir), "keep")
  fs.symlink("keep", dir .. "/top")
  fs.remove(dir .. "/top/", whole)
  tap.is(names(dir), "keep")
  tap.is(names(dir .. "/keep"), "f sub")
  tap.is(names(dir .. "/keep/sub"), "f")
end)

test("a folder that becomes a link meanwhile is not followed",
function(dir)
  sh("mkdir $1/keep; cd $1/keep; seq 1 50 | xargs touch", dir)
  local racing <close> = process.spawn { "python3", "-c", [[
import os, sys
a, b = sys.argv[1] + "/t/x", sys.argv[1] + "/link"
print(flush=True)
while True:
    try:
        os.symlink("../keep", b)
        os.mkdir(a)
        os.rename(a, a + "1")
        os.rename(b, a)
    except OSError:
        pass
    for name in (a, a + "1", b):
        try: os.rmdir(name) if not os.path.islink(name) else os.unlink(name)
        except OSError: pass]], dir, stdout = "pipe" }
  racing.stdout:readline()
  for _ = 1, 100 do
    pcall(fs.mkdir, dir .. "/t/x", { p = true }) -- a link may be in its place
    pcall(fs.remove, dir .. "/t", whole)
  end
  racing:kill()
  racing:wait()
  tap.is(#fs.scandir(dir .. "/keep"), 50)
end)

test("a wide folder and a deep one go", function(dir)
  sh("mkdir $1/t; cd $1/t; seq 1 3000 | xargs touch;"
    .. " seq 3001 3100 | xargs mkdir", dir)
  fs.remove(dir .. "/t", whole)
  process.run { "python3", "-c", [[
import os, sys
os.chdir(sys.argv[1])
for i in range(1500):
    os.mkdir("d" * 10)
    open("f", "w").close()
    os.chdir("d" * 10)]], dir }
  fs.remove(dir .. "/dddddddddd", whole)
  tap.is(names(dir), "f")
end)

test("branches that are too deep go as well, each of them", function(dir)
  process.run { "python3", "-c", [[
import os, sys
os.mkdir(sys.argv[1] + "/t")
for branch in range(3):
    os.chdir(sys.argv[1] + "/t")
    for i in range(150):
        name = "b%d" % branch if i in (0, 70) else "d"
        os.makedirs(name + "/other/x", exist_ok=True)
        os.chdir(name)]], dir }
  fs.remove(dir .. "/t", whole)
  tap.is(names(dir), "")
end)

test("few descriptors are enough for a deep one", function(dir)
  local result = process.run { os.getenv "LUVISOR" or "/proc/self/exe", "-e",
    ([[local fs = require "luvisor.fs"
local path = %q .. "/t" .. ("/d"):rep(1000)
fs.mkdir(path, { p = true })
fs.remove(%q .. "/t", { r = true })
print "done"]]):format(dir, dir), limits = { nofile = 100 } }
  tap.is(result.stdout, "done\n")
  tap.is(names(dir), "")
end)

test("what cannot be removed is named by its path", function(dir)
  local unprivileged = process.run { "unshare", "-U", "true",
                                     check = false }.ok
  if not unprivileged then tap.skip "no user namespaces here" end
  sh("cd $1; mkdir -p t/a/b; touch t/a/b/f; chmod 555 t/a/b", dir)
  local script = ([[
local lv = require "luvisor"
local ok, err = pcall(lv.fs.remove, %q, { r = true })
print(ok, err.code, err.op, err.subject)]]):format(dir .. "/t")
  local out = process.run { "unshare", "-U",
    os.getenv "LUVISOR" or "/proc/self/exe", "-e", script, check = false }
  if out.ok then
    tap.is(out.stdout, ("false\tEACCES\tremove\t%s/t/a/b/f\n"):format(dir))
  end
  tap.ok(fs.exists(dir .. "/t/a/b/f"))
end)

test("the root, \".\" and \"..\" are refused", function(dir)
  for _, path in ipairs { "/", "//", "/.", "/usr/..", "/./" } do
    tap.throws(function() fs.remove(path, whole) end, "Busy", path)
    tap.throws(function() fs.remove(path) end, "Busy", path)
  end
  sh("mkdir -p $1/a/b", dir)
  for _, path in ipairs { "/a/.", "/a/b/..", "/a/./" } do
    local _, err = tap.throws(function() fs.remove(dir .. path, whole) end,
      "EINVAL", path)
    tap.is(err.subject, dir .. path)
  end
  tap.is(names(dir), "a")
end)

test("relative paths are below our working directory", function()
  fs.mkdir("fs-remove-test/a/b", { p = true })
  fs.write_file("fs-remove-test/.hidden", "")
  fs.remove("fs-remove-test/.hidden")
  fs.write_file(".fs-remove-test", "")
  fs.remove("./.fs-remove-test")
  fs.remove("fs-remove-test", whole)
  local _, err = tap.throws(function() fs.remove("fs-remove-test") end,
    "ENOENT")
  tap.is(err.subject, "fs-remove-test")
end)

test("a cancelled removal stops, and the rest can be removed", function(dir)
  sh("mkdir $1/t; cd $1/t; seq 1 2000 | xargs mkdir", dir)
  local stopped = 0
  for steps = 1, 20 do
    local t = task.spawn(fs.remove, dir .. "/t", whole)
    for _ = 1, steps do task.checkpoint() end
    t:cancel()
    local ok, err = pcall(t.join, t)
    if ok then break end
    stopped = stopped + 1
    tap.ok(err:is "Cancelled", tostring(err))
  end
  tap.ok(stopped > 0)
  if fs.exists(dir .. "/t") then fs.remove(dir .. "/t", whole) end
  tap.is(names(dir), "")
end)

tap.done()
