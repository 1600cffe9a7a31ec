-- bench/soak.lua — A supervisor under everything at once, for minutes: its
-- services are killed, crash and flood their logs, its configuration changes,
-- clients come and leave in the middle of a word. Then, each minute and at the
-- end, it is held to account (soak/*.lua): no line lost, none twice, no second
-- instance, no orphan, no zombie, no descriptor and no memory more than before.
--
--   luvisor bench/soak.lua [--minutes N] [--services N] [--rate N] [--seed N]
--     [--keep] [--program LUVISOR]
--
-- It exits 1 and says in a sentence what was wrong; what it did it can do again
-- by the seed, but not when. --keep leaves its folder.

local client = require "luvisor.control.client"
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function part(name)
  return dofile((arg[0]:gsub("[^/]*$", "soak/" .. name .. ".lua")))
end

local chaos, fleets, procs = part "chaos", part "fleet", part "procs"

local function say(...)
  io.stderr:write(("soak: " .. (...)):format(select(2, ...)), "\n")
end

local Soak = part "account" -- has the checks; the rest of it is here
Soak.__index = Soak
Soak.now, Soak.say = time.now, say

--- Something is wrong. Said at once, once; the soak goes on.
function Soak:fault(...)
  local text = (...):format(select(2, ...))
  if self.faults[text] then return end
  self.faults[text] = true
  self.faults[#self.faults + 1] = text
  if #self.faults <= 20 then say("FAULT: %s", text) end
end

-- Options ---------------------------------------------------------------------

local function read_options()
  local options = { minutes = 10, services = 300, rate = 40,
                    seed = os.time() % 100000 }
  local i = 1
  while arg[i] do
    local name = arg[i]:match "^%-%-(%a+)$"
    if name == "keep" then
      options.keep, i = true, i + 1
    elseif name == "program" and arg[i + 1] then
      options.program, i = arg[i + 1], i + 2
    elseif options[name] and tonumber(arg[i + 1]) then
      options[name], i = tonumber(arg[i + 1]), i + 2
    else
      io.stderr:write("usage: luvisor bench/soak.lua [--minutes N] ",
        "[--services N] [--rate N] [--seed N] [--keep] [--program LUVISOR]\n")
      os.exit(2)
    end
  end
  return options
end

-- The supervisor --------------------------------------------------------------

local function build_service(dir)
  local source = arg[0]:gsub("[^/]*$", "soak/service.c")
  process.run { os.getenv "CC" or "cc", "-std=c11", "-D_GNU_SOURCE", "-O2",
                "-o", dir .. "/service", source }
  return dir .. "/service"
end

local function prepare(options)
  local dir = fs.mkdtemp { prefix = "soak-" }
  for _, name in ipairs { "runs", "crash" } do fs.mkdir(dir .. "/" .. name) end
  local fleet = fleets.new(dir, build_service(dir), options.services)
  fleet:write()
  return setmetatable({
    dir = dir, fleet = fleet, options = options, faults = {}, busy = {},
    socket = dir .. "/state/control.sock", counts = {}, slowest = 0,
    luvisor = fs.realpath(options.program or "/proc/self/exe"),
    client = client.new { socket = dir .. "/state/control.sock" }, seen = {},
  }, Soak)
end

function Soak:start()
  self.up = process.spawn {
    self.luvisor, "up", "-c", self.fleet.path, cwd = self.dir,
    env = { LUVISOR_SOAK = self.dir }, stderr = { file = self.dir .. "/err" },
    stop = { grace = 60 },
  }
  local ok = self:eventually(20, function() return pcall(self.look, self) end)
  if not ok then self:fault "the control socket does not answer" end
end

--- Ask for the status of all.
function Soak:look()
  local list = self.client:list()
  self.statuses = list
  return list
end

--- Those that run, as of the last look.
function Soak:running()
  local list = {}
  for _, one in ipairs(self.statuses) do
    if one.pid then list[#list + 1] = one end
  end
  return list
end

--- Wait until it is so.
-- @treturn boolean
function Soak:eventually(seconds, is_so)
  local limit, pause = self.now() + seconds, 0.02
  while not is_so() do
    if self.now() > limit then return false end
    task.sleep(pause)
    pause = math.min(pause * 2, 0.5)
  end
  return true
end

-- Its events: none is missing, and each state follows the one before.
local function follow_events(self)
  local states, last = {}, nil
  for event in self.client:events() do
    if event.type == "gap" or (last and event.seq ~= last + 1) then
      self:fault("events are missing after %s", last)
    end
    last = event.seq or last
    if event.type == "state" then
      local before = states[event.service]
      if before and event.from ~= before then
        self:fault("%s went from %s to %s, but was %s", event.service,
          event.from, event.to, before)
      end
      states[event.service] = event.to
      self.events = (self.events or 0) + 1
    end
  end
end

function Soak:follow_events()
  local ok, err = pcall(follow_events, self)
  if self.ending then return end
  self:fault("the stream of events has ended: %s", ok and "" or tostring(err))
end

-- Chaos -----------------------------------------------------------------------

function Soak:act(name)
  self.counts[name] = (self.counts[name] or 0) + 1
  local ok, err = pcall(chaos[name], self)
  if not ok then self:fault("%s: %s", name, tostring(err)) end
end

--- All at once for some seconds.
function Soak:disturb(seconds)
  local limit, last_look = self.now() + seconds, 0
  task.nursery(function(n)
    while self.now() < limit and not self.up.status do
      if self.now() - last_look > 0.5 then
        self:act "status"
        last_look = self.now()
      end
      n:spawn(self.act, self, chaos.choose())
      task.sleep(-math.log(1 - math.random()) / self.options.rate)
    end
  end)
end

-- The end ---------------------------------------------------------------------

function Soak:finish()
  self.ending = true
  if not self.up.status then self.up:send_signal "TERM" end
  local ok, status = pcall(self.up.wait, self.up, 60)
  if not ok then
    self:fault "it does not end on TERM within a minute"
    self.up:stop { grace = 1 }
  elseif not status.ok then
    self:fault("it ended: %s", tostring(status))
  end
  for _, one in ipairs(procs.marked(self.dir)) do
    self:fault("left at the end: %d %s", one.pid, one.argv)
    pcall(signal.send, one.pid, "KILL")
  end
  local lines, runs = self:check_logs(true)
  self:check_words()
  return lines, runs
end

local function counts_text(counts)
  local parts = {}
  for name, n in pairs(counts) do parts[#parts + 1] = name .. " " .. n end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function report(soak, lines, runs)
  say("did: %s", counts_text(soak.counts))
  print(('{"bench": "soak", "impl": "luvisor", "n": %d, "minutes": %g, '
    .. '"seed": %d, "runs": %d, "lines": %d, "events": %d, "faults": %d, '
    .. '"slowest_status_s": %.3f}'):format(#soak.fleet.services,
    soak.options.minutes, soak.options.seed, runs, lines, soak.events or 0,
    #soak.faults, soak.slowest))
end

local function main()
  local options = read_options()
  math.randomseed(options.seed)
  local soak = prepare(options)
  say("seed %d, %d services, %g minutes, in %s", options.seed,
    #soak.fleet.services, options.minutes, soak.dir)
  soak:start()
  local lines, runs
  task.nursery(function(n)
    n:spawn(soak.follow_events, soak)
    local piece = math.min(60, options.minutes * 20) -- a third, if it is short
    for i = 1, math.ceil(options.minutes * 60 / piece) do
      soak:disturb(piece)
      if soak.up.status then break end
      soak:account(i * piece / 60)
    end
    lines, runs = soak:finish()
    n:cancel()
  end)
  report(soak, lines, runs)
  if options.keep or #soak.faults > 0 then
    say("its folder is left: %s", soak.dir)
  else
    fs.remove(soak.dir, { recursive = true })
  end
  if #soak.faults > 0 then os.exit(1) end
end

main()
