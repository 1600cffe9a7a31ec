-- luvisor.supervisor.paths: what stands in a configuration, without detours.
local fs = require "luvisor.fs"
local paths = require "luvisor.supervisor.paths"
local tap = require "luvisor.tap"

local is = tap.is

local rows = {
  { "x", "/a/b", "/a/b/x" },
  { "/x/../y", "/a/b", "/x/../y" },
  { "./x", "/a/b", "/a/b/x" },
  { ".", "/a/b", "/a/b" },
  { "./", "/a/b", "/a/b" },
  { "../x", "/a/b", "/a/x" },
  { "../../x", "/a/b", "/x" },
  { "../../../x", "/a/b", "/x" },
  { "..", "/a", "/" },
  { "..//x", "/a/b", "/a/x" },
  { "...", "/a", "/a/..." },
  { "..x/y", "/a", "/a/..x/y" },
  { ".x", "/a", "/a/.x" },
  { "x/../y", "/a", "/a/x/../y" },
  { "x", "/", "/x" },
  { "../x", "/a/..", "/a/../../x" },
}

tap.test("a relative path begins at its folder, dots at its beginning go",
  function()
    for _, row in ipairs(rows) do
      is(paths.absolute(row[1], row[2]), row[3], row[1] .. " in " .. row[2])
    end
  end)

tap.test("what is above a link is for the kernel to find", function()
  local dir = fs.mkdtemp {}
  local _ <close> = setmetatable({}, { __close = function()
    fs.remove(dir, { recursive = true })
  end })
  fs.mkdir(dir .. "/far/away", { parents = true })
  fs.symlink("far/away", dir .. "/link")
  local path = paths.absolute("../file", dir .. "/link")
  is(path, dir .. "/link/../file")
  fs.write_file(path, "there")
  is(fs.read_file(dir .. "/far/file"), "there")
end)

tap.done()
