-- A supervisor with two services, of which one requires the other, crashes, and
-- has a log that is rotated: a call of it fails. They come up all the same, or
-- an error says why not; when all is closed nothing is left. LUVISOR_SEED
-- repeats a run, LUVISOR_ROUNDS makes it longer.

local fs = require "luvisor.fs"
local journal = require "luvisor.supervisor.journal"
local stream = require "luvisor.stream"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")

local RUNS <const> = tonumber(os.getenv "LUVISOR_ROUNDS" or 80)

local folder = fs.mkdtemp()

-- Its first life ends after more lines than a file may have.
local CRASH <const> = [[
  [ -e crashed ] && { echo again; exec sleep 60; }
  echo >crashed
  for i in 1 2 3 4 5 6 7 8; do
    echo 0123456789012345678901234567890123456789
  done
  exit 3]]

local function config()
  return {
    state_dir = folder .. "/state", log = { dir = folder .. "/log" },
    defaults = { restart = "always", log = { max_size = 128, keep = 2 },
                 stop = { grace = 0.2 }, burst = { count = 1000, within = 1 },
                 backoff = { initial = 0.001, max = 0.002, jitter = 0 } },
    services = {
      db = { command = { "/bin/sh", "-c", "echo ready; exec sleep 60" },
             ready = { log = "ready" } },
      web = { command = { "/bin/sh", "-c", CRASH }, cwd = folder,
              requires = { "db" } },
    },
  }
end

local function is_steady(inst)
  return inst.state == "running" and inst.restarts > 0
end

-- Each line is whole: a file that cannot be written is tried again.
local function has_torn_line()
  for _, entry in ipairs(fs.scandir(folder .. "/log")) do
    local text = fs.read_file(folder .. "/log/" .. entry.name)
    for line in text:gmatch "[^\n]*\n?" do
      local is_whole = line == "" or line == "again\n" or line == "ready\n"
        or line:find "^0123456789012345678901234567890123456789\n$"
      if not is_whole then return line end
    end
  end
  return "none"
end

local function scenario()
  local sup <close> = supervisor.new(config(), { persistent = true })
  sup.log = journal.new({ level = "error" }, function() return true end)
  pcall(sup.start, sup, "web")
  local web = sup:find "web"[1]
  web:wait_until(is_steady)
  sup:stop "db"
  return ("%s %s, torn %s"):format(sup:status "db".state, web.state,
    has_torn_line())
end

-- What cannot be looked at is no program: the configuration is wrong.
local not_here <const> = {
  stat = "EACCES EIO ELOOP ENOENT ENOMEM EOVERFLOW",
}

local function tidy()
  for _, entry in ipairs(fs.scandir(folder)) do
    fs.remove(folder .. "/" .. entry.name, { recursive = true })
  end
end

stream.stderr:pending() -- is open from now on
faults.sample("two services, a crash, a rotation, a stop", RUNS, scenario,
  { tidy = tidy, tries_again = true, not_here = not_here })

fs.remove(folder)
tap.done()
