-- bench/soak/account.lua — The soak's supervisor is left in peace, and must
-- then have what it should and nothing else. Methods of the soak.

local fs = require "luvisor.fs"
local folder = arg[0]:gsub("[^/]*$", "soak/")
local logs, procs = dofile(folder .. "logs.lua"), dofile(folder .. "procs.lua")

local SETTLE <const> = 90 -- seconds until all run when they are left in peace
local GROWTH <const> = 1.25 -- of memory, after the first account …
local SLACK <const> = 4096 -- … and so many kB
local LINGER <const> = 10 -- descriptors of clients that have just gone

local Soak = {}

local function not_running(soak)
  local list = {}
  for _, one in ipairs(soak:look()) do
    if one.state ~= "running" then list[#list + 1] = one end
  end
  return list
end

-- All that are to run are made to, and nothing else is asked of it.
function Soak:calm()
  self.fleet:remove_extras()
  self.fleet:write()
  self:eventually(SETTLE, function()
    return (pcall(self.client.apply, self.client))
  end)
  pcall(self.client.scale, self.client, "pool", 8)
  for _, one in ipairs(not_running(self)) do
    if one.wanted == "down" or one.state == "failed" then
      pcall(self.client.start, self.client, one.name, { wait = false })
    end
  end
  local left
  self:eventually(SETTLE, function()
    left = not_running(self)
    return #left == 0
  end)
  for _, one in ipairs(left) do
    self:fault("left in peace, %s is %s: %s", one.name, one.state, one.reason)
  end
end

-- The processes that should not be, and the services that have too few.
local function odd_processes(soak)
  local count, odd = {}, {}
  for _, one in ipairs(procs.marked(soak.dir)) do
    if one.name then
      count[one.name] = (count[one.name] or 0) + 1
    elseif not one.argv:find "luvisor" then
      odd[#odd + 1] = ("%d %s"):format(one.pid, one.argv)
    end
  end
  for _, status in ipairs(soak.statuses) do
    local wanted = soak.fleet:of(status.name).kind.processes
    if count[status.name] ~= wanted then
      odd[#odd + 1] = ("%s: %d processes, not %d"):format(status.name,
        count[status.name] or 0, wanted)
    end
    count[status.name] = nil
  end
  for name, n in pairs(count) do
    odd[#odd + 1] = ("%s: %d orphans"):format(name, n)
  end
  for _, pid in ipairs(procs.zombies(soak.up.pid)) do
    odd[#odd + 1] = ("%d is a zombie"):format(pid)
  end
  return odd
end

function Soak:check_processes()
  local odd
  self:eventually(20, function()
    odd = odd_processes(self)
    return #odd == 0
  end)
  for _, text in ipairs(odd) do self:fault("in peace: %s", text) end
  local seconds = self.dir .. "/seconds"
  if fs.exists(seconds) then
    self:fault("a second instance was started: %s", fs.read_file(seconds))
  end
end

-- Descriptors go down to what they were once no client is connected.
function Soak:check_holdings()
  local fds, kb = procs.holdings(self.up.pid)
  if not self.base then
    self.base = { fds = fds, kb = kb, most = kb * GROWTH + SLACK }
    return fds, kb
  end
  local base = self.base
  self:eventually(30, function()
    fds, kb = procs.holdings(self.up.pid)
    return fds <= base.fds + LINGER and kb <= base.most
  end)
  if fds > base.fds + LINGER then
    self:fault("%d descriptors are open, there were %d", fds, base.fds)
  end
  if kb > base.most then
    self:fault("it has %d kB of memory, it had %d", kb, base.kb)
  end
  return fds, kb
end

local loud = { "level=error", " error ", "fault of luvisor", "traceback" }

function Soak:check_words()
  for line in fs.read_file(self.dir .. "/err"):gmatch "[^\n]+" do
    local is_expected = line:find "apply: " or line:find "nothing was changed"
      or line:find " failed again_in=" or line:find "its log: "
    for _, word in ipairs(loud) do
      if line:find(word, 1, true) and not is_expected then
        self:fault("it says: %s", line)
      end
    end
  end
end

function Soak:check_logs(over)
  local faults, lines, runs = logs.check(self.fleet, over)
  for _, fault in ipairs(faults) do self:fault("log %s", fault) end
  return lines, runs
end

function Soak:account(minute)
  self:calm()
  if self.up.status then return end
  self:check_processes()
  local fds, kb = self:check_holdings()
  local lines, runs = self:check_logs(false)
  self:check_words()
  self.say("minute %g: %d runs, %d lines, %d events, %d fds, %d kB, slowest "
    .. "status %.3f s, %d faults", minute, runs, lines, self.events or 0, fds,
    kb, self.slowest, #self.faults)
end

return Soak
