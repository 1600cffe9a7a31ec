--- Files and folders, without holding up other tasks: a thread does the work
-- while the calling task waits.
-- Whatever fails raises OSError with `op` ("open", "write", …), `subject` (the
-- path) and `code` ("ENOENT"). A cancelled call that would only have looked
-- ends at once. One that changes something has then either not happened or,
-- if it could not be undone any more, happened in full and returned; only a
-- recursive removal stops half-way.
--
-- A path is a string; a relative one begins in our working directory.
-- Permissions are a number or octal digits, as "644".
-- @module luvisor.fs
-- @usage
-- local dir = fs.mkdtemp()
-- fs.write_file(dir .. "/settings", "colour = blue\n", { atomic = true })
-- print(fs.read_file(dir .. "/settings"))
-- fs.remove(dir, { recursive = true })

local check = require "luvisor.fs.check"
local core = require "luvisor.core.fs"
local errors = require "luvisor.error"
local watching = require "luvisor.fs.watch"

local M = {}

-- Undoes what a function cannot finish: calls fn if it is left by an error.
local function on_failure(fn)
  return setmetatable({}, {
    __close = function(_, err) if err ~= nil then fn() end end,
  })
end

-- Whole files -----------------------------------------------------------------

local read_spec = { max = "size" }

local function raise_too_long(path, max)
  errors.raise { kind = "LimitOverrun", op = "read", subject = path,
    message = ("read %s: more than %d bytes"):format(path, max) }
end

-- What comes after these bytes of a pipe, terminal or device.
local function read_stream(bytes, reader, path, max)
  local _ <close> = reader
  reader:unread(bytes)
  if not max then return reader:read() end
  local more, err = pcall(reader.readexactly, reader, max + 1)
  if more then raise_too_long(path, max) end
  if not errors.is_error(err) or err.kind ~= "IncompleteRead" then
    error(err, 0)
  end
  return err.partial
end

--- Read a whole file. Pipes and devices are read to their end, which for a
-- pipe that nobody writes to is at once.
-- @tparam string path
-- @tparam[opt] table opts `max`: bytes that it may have; default: any number
-- @treturn string
-- @raise OSError; LimitOverrun: it has more than `max` bytes
-- @usage print(#fs.read_file("/etc/passwd", { max = 1 << 20 }) > 0) --> true
function M.read_file(path, opts)
  check.path("read_file", path)
  local max = errors.check_options("read_file", opts, read_spec).max
  local bytes, reader = core.read(path, nil, nil, max or math.maxinteger)
  return reader and read_stream(bytes, reader, path, max) or bytes
end

local write_spec = { atomic = "boolean", append = "boolean",
                     mode = check.permissions }

local function write_stream(writer, data)
  local _ <close> = on_failure(function() writer:abort() end)
  writer:write(data)
  writer:close()
  writer:drain()
end

--- Write a whole file, which is made if it is not there.
-- @tparam string path
-- @tparam string data a number is written as it prints
-- @tparam[opt] table opts `append`: after what is in it, instead of in its
-- place. `atomic`: into a new file that then takes the place of the old one,
-- so that whoever reads, and whoever comes after a power failure, finds the old
-- contents or the new, whole; an error, as of a full disk, leaves the old. A
-- symbolic link stays one, owner and permissions stay as they were (what we may
-- not leave to its owner loses set-user-ID); the file cannot be a pipe or
-- device, and not be appended to. `mode`: the permissions that the file has
-- from then on; default: as they were, for a new file what umask leaves of 666
-- @raise OSError: without `atomic` a part may be written then
-- @usage
-- fs.write_file("note", "one\n", { mode = "600" })
-- fs.write_file("note", "two\n", { append = true })
-- print(fs.read_file "note")
-- fs.remove "note"
function M.write_file(path, data, opts)
  check.path("write_file", path)
  opts = errors.check_options("write_file", opts, write_spec)
  if type(data) == "number" then data = tostring(data) end
  if type(data) ~= "string" then
    errors.usage("write_file: the data must be a string, got %s", type(data))
  end
  if opts.atomic and opts.append then
    errors.usage("write_file: either atomic or append, not both")
  end
  local mode = check.number(opts.mode)
  if opts.atomic then return core.replace(path, data, mode) end
  local writer = core.write(path, data, mode, opts.append and 1 or 0)
  if writer then write_stream(writer, data) end
end

-- What is there ---------------------------------------------------------------

--- What a path names: a table with `type` ("file", "directory", "link",
-- "fifo", "socket", "char", "block"), `size` in bytes, `mode` (permissions, an
-- integer), `uid`, `gid`, `nlink`, `ino`, `dev`, and `mtime`, `atime`, `ctime`
-- in seconds since 1970, with fractions. Links are followed.
-- @tparam string path
-- @treturn table
-- @raise OSError
-- @usage print(fs.stat("/").type) --> directory
function M.stat(path)
  check.path("stat", path)
  return core.stat(path)
end

--- The same of a symbolic link itself.
-- @tparam string path
-- @treturn table
-- @raise OSError
function M.lstat(path)
  check.path("lstat", path)
  return core.lstat(path)
end

local absent = { ENOENT = true, ENOTDIR = true }

--- Is there something? A link to nothing is nothing.
-- @tparam string path
-- @treturn boolean
-- @raise OSError: it cannot be told (EACCES)
-- @usage print(fs.exists "/etc/passwd") --> true
function M.exists(path)
  check.path("exists", path)
  local ok, err = pcall(core.stat, path)
  if ok then return true end
  if errors.is_error(err) and absent[err.code] then return false end
  error(err, 0)
end

--- What is in a folder: a list of tables with `name` and `type` (as in stat,
-- of a link "link"; "unknown" if it went meanwhile), in the order of the bytes
-- of the names, without "." and "..".
-- @tparam string path
-- @treturn {table,...}
-- @raise OSError
-- @usage
-- for _, entry in ipairs(fs.scandir "/") do
--   if entry.type == "directory" then print(entry.name) end
-- end
function M.scandir(path)
  check.path("scandir", path)
  return core.scandir(path)
end

--- Where a symbolic link points, as it says itself.
-- @tparam string path
-- @treturn string
-- @raise OSError: EINVAL if it is no link
function M.readlink(path)
  check.path("readlink", path)
  return core.readlink(path)
end

--- The absolute path of something that is there, without links, "." and "..".
-- @tparam string path
-- @treturn string
-- @raise OSError
function M.realpath(path)
  check.path("realpath", path)
  return core.realpath(path)
end

-- Changing it -----------------------------------------------------------------

local mkdir_spec = { parents = "boolean", p = "boolean",
                     mode = check.permissions }

--- Make a folder.
-- @tparam string path
-- @tparam[opt] table opts `parents` (or `p`): make those above it, too, and be
-- content with one that is there. `mode`: its permissions; default: what umask
-- leaves of 777
-- @raise OSError
-- @usage
-- fs.mkdir("a/b/c", { parents = true })
-- fs.remove("a", { recursive = true })
function M.mkdir(path, opts)
  check.path("mkdir", path)
  opts = errors.check_options("mkdir", opts, mkdir_spec)
  local parents = opts.parents or opts.p
  core.mkdir(path, nil, check.number(opts.mode), parents and 1 or 0)
end

local mkdtemp_spec = { dir = "string", prefix = "string" }

--- Make a folder of a new name that only we may enter. It is not removed by
-- itself.
-- @tparam[opt] table opts `dir`: in which; default $TMPDIR, or /tmp. `prefix`:
-- the beginning of its name, "luvisor-"
-- @treturn string its path
-- @raise OSError
function M.mkdtemp(opts)
  opts = errors.check_options("mkdtemp", opts, mkdtemp_spec)
  local tmp = os.getenv "TMPDIR"
  if tmp == "" then tmp = nil end
  local path = (opts.dir or tmp or "/tmp") .. "/"
    .. (opts.prefix or "luvisor-")
  check.path("mkdtemp", path)
  return core.mkdtemp(path)
end

local remove_spec = { recursive = "boolean", r = "boolean" }

--- Remove a file, a symbolic link or an empty folder.
-- @tparam string path
-- @tparam[opt] table opts `recursive` (or `r`): a folder with all that is in
-- it. What links in it point to is not touched, whoever exchanges what for a
-- link meanwhile. The first failure ends it.
-- @raise OSError with the path that could not be removed; ENOENT also if there
-- is nothing; Busy: the root directory, or one that is mounted
function M.remove(path, opts)
  check.path("remove", path)
  opts = errors.check_options("remove", opts, remove_spec)
  core.remove(path, nil, nil, (opts.recursive or opts.r) and 1 or 0)
end

--- Give a file or folder another name, in the same file system. A file of the
-- new name is replaced.
-- @tparam string from
-- @tparam string to
-- @raise OSError: EXDEV: another file system
function M.rename(from, to)
  check.path("rename", from, "the old path")
  check.path("rename", to, "the new path")
  core.rename(from, to)
end

--- Make a symbolic link.
-- @tparam string target what it points to, as seen from its folder; need not
-- be there
-- @tparam string path the link
-- @raise OSError
function M.symlink(target, path)
  check.path("symlink", target, "the target")
  check.path("symlink", path)
  core.symlink(path, target)
end

--- Change permissions. Of a link, those of what it points to.
-- @tparam string path
-- @tparam integer|string mode
-- @raise OSError
-- @usage
-- fs.write_file("script", "#!/bin/sh\n")
-- fs.chmod("script", "755")
-- fs.remove "script"
function M.chmod(path, mode)
  check.path("chmod", path)
  local good, expected = check.permissions(mode)
  if not good then
    errors.usage("chmod: the mode must be %s, got %s", expected,
      tostring(mode))
  end
  core.chmod(path, nil, check.number(mode))
end

M.watch = watching.watch

return M
