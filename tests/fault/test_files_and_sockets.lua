-- Each system call of net and fs fails once, in each way that it may: what was
-- asked for is done, or the right error is raised; nothing is left behind.

local fs = require "luvisor.fs"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")
local scenarios = dofile(SOURCE .. "/tests/support/scenarios.lua")

scenarios.folder = fs.mkdtemp()

-- What an unlucky run may leave: these names, and what mkdtemp made.
local fine <const> = { a = true, b = true, socket = true }

local function tidy()
  local found = {}
  for _, entry in ipairs(fs.scandir(scenarios.folder)) do
    if not fine[entry.name] and not entry.name:find "^luvisor%-" then
      found[#found + 1] = entry.name
    end
    fs.remove(scenarios.folder .. "/" .. entry.name, { recursive = true })
  end
  return found[1] and "files " .. table.concat(found, " ")
end

-- A file never says EAGAIN, nor does inotify tell half of an event. A copy onto
-- a number that is taken needs nothing.
local opts <const> = {
  tidy = tidy,
  not_here = { writev = "EAGAIN", read = "SHORT", dup3 = "EMFILE ENOMEM" },
}

faults.test("a TCP connection", scenarios.tcp, opts)
faults.test("a Unix connection", scenarios.unix, opts)
faults.test("files", scenarios.files, opts)
faults.test("a file in one step", scenarios.atomic_file, opts)
faults.test("folders", scenarios.folders, opts)
faults.test("a watched folder", scenarios.watch, opts)

-- And no memory, for C and for Lua.
local memory <const> = { tidy = tidy, sites = {} }
for _, set in ipairs { faults.memory, faults.lua_memory } do
  for name in pairs(set) do memory.sites[name] = true end
end

faults.test("a Unix connection, without memory", scenarios.unix, memory)
faults.test("files, without memory", scenarios.files, memory)
faults.test("a file in one step, without memory", scenarios.atomic_file, memory)
faults.test("folders, without memory", scenarios.folders, memory)
faults.test("a watched folder, without memory", scenarios.watch, memory)

fs.remove(scenarios.folder)
tap.done()
