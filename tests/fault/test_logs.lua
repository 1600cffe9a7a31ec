-- There is no memory, once, wherever the log of a service asks for some: each
-- line that the service has written is there all the same, once and in order.

local fs = require "luvisor.fs"
local journal = require "luvisor.supervisor.journal"
local stream = require "luvisor.stream"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local faults = dofile(SOURCE .. "/tests/support/faults.lua")

local LINES <const> = 3000

local folder = fs.mkdtemp()
local lines = {}
for i = 1, LINES do lines[i] = "line " .. i .. "\n" end
local expected <const> = table.concat(lines)

-- What it says is read while it runs, and more of it than a buffer begins with.
local TALK <const> = ("seq -f 'line %%g' %d"):format(LINES)

local function config(log)
  return {
    state_dir = folder .. "/state", log = { dir = folder .. "/log" },
    services = { talk = { type = "oneshot", command = { shell = TALK },
                          ready = log.ready, log = log } },
  }
end

local function contents()
  local text = fs.read_file(folder .. "/log/talk.log")
  return (text:gsub("(%f[^\0\n])%d+%.%d+ ", "%1"))
end

-- What was dropped is said in its place.
local function with_gap(text)
  local from, to, lost = text:find "luvisor: %d+ bytes in (%d+) lines are.-\n"
  if not from then return text end
  local before = select(2, text:sub(1, from - 1):gsub("\n", ""))
  local gap = table.concat(lines, "", before + 1, before + tonumber(lost))
  return text:sub(1, from - 1) .. gap .. text:sub(to + 1)
end

local function difference(text)
  text = with_gap(text)
  if text == expected then return "each line" end
  local n = 1
  while text:byte(n) == expected:byte(n) do n = n + 1 end
  return ("%d bytes of %d, and otherwise after %d: %q"):format(#text,
    #expected, n - 1, text:sub(n, n + 60))
end

local function tidy()
  for _, entry in ipairs(fs.scandir(folder)) do
    fs.remove(folder .. "/" .. entry.name, { recursive = true })
  end
end

local function scenario(log)
  return function()
    tidy()
    local sup <close> = supervisor.new(config(log))
    sup.log = journal.new({ level = "error" }, function() return true end)
    sup:start "talk"
    local status = sup:status "talk"
    sup:close()
    if status.state ~= "done" then error(status.reason, 0) end
    return difference(contents())
  end
end

local options <const> = { sites = faults.memory, tries_again = true }

stream.stderr:pending() -- is open from now on
faults.test("a plain log", scenario {}, options)
faults.test("a log with timestamps", scenario { timestamps = "unix" }, options)
faults.test("a log that drops what it cannot write",
  scenario { on_pressure = "drop" }, options)

fs.remove(folder, { recursive = true })
tap.done()
