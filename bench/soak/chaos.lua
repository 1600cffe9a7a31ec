-- bench/soak/chaos.lua — What is done to the supervisor while it soaks: each
-- function does one thing to it and says what is wrong with the answer.

local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local net = require "luvisor.net"
local process = require "luvisor.process"
local procs = dofile((arg[0]:gsub("[^/]*$", "soak/procs.lua")))
local signal = require "luvisor.signal"
local task = require "luvisor.task"

local M = {}

local LIMIT <const> = 90 -- seconds within which whatever is asked is done

-- What may come of a request amid all this: the service crashes too often, is
-- stopped by another, or has gone; an apply meets another.
local expected = { Failed = true, NotFound = true, Busy = true, Closed = true,
                   NoProcess = true }

local function try(soak, what, fn, ...)
  local ok, err = pcall(task.timeout, LIMIT, fn, ...)
  if ok then return true end
  local kind = errors.is_error(err) and err.kind
  if not expected[kind] then
    soak:fault("%s: %s", what, tostring(err))
  end
  return false
end

local function pick(list)
  return list[math.random(#list)]
end

-- A service that nothing else is being asked of; nil: none was found.
local function pick_free(soak)
  local one = pick(soak.fleet.services)
  if soak.busy[one.name] or one.instances then return nil end
  return one
end

local Claim = {}

function Claim:__close()
  self.soak.busy[self.name] = nil
end

local function claim(soak, one)
  soak.busy[one.name] = true
  return setmetatable({ soak = soak, name = one.name }, Claim)
end

-- Signals from outside --------------------------------------------------------

local function hit(soak, sig)
  local one = pick(soak:running())
  if not one or not procs.is_of(one.pid, soak.dir) then return end
  pcall(signal.send, one.pid, sig)
end

function M.kill(soak)
  hit(soak, "KILL")
end

function M.crash(soak)
  hit(soak, "USR2")
end

function M.flood(soak)
  hit(soak, "USR1")
end

--- A twentieth of all die at once, and again at each start, for a while.
function M.storm(soak)
  local chosen = {}
  for _, one in ipairs(soak:running()) do
    if math.random() < 0.05 then chosen[#chosen + 1] = one end
  end
  for _, one in ipairs(chosen) do
    fs.write_file(soak.dir .. "/crash/" .. one.name, "")
    if procs.is_of(one.pid, soak.dir) then
      pcall(signal.send, one.pid, "KILL")
    end
  end
  task.sleep(math.random() * 2)
  for _, one in ipairs(chosen) do
    pcall(fs.remove, soak.dir .. "/crash/" .. one.name)
  end
end

-- What an operator asks -------------------------------------------------------

function M.restart(soak)
  local one = pick_free(soak)
  if not one then return end
  local _ <close> = claim(soak, one)
  try(soak, "restart " .. one.name, soak.client.restart, soak.client, one.name)
end

local function check_gone(soak, name)
  for _, one in ipairs(procs.marked(soak.dir)) do
    if one.name == name and one.state ~= "Z" then
      soak:fault("stop %s has returned, but there is %d %s", name, one.pid,
        one.argv)
    end
  end
end

--- When stop has returned nothing of it is left, and nobody starts it but us.
function M.stop(soak)
  local one = pick_free(soak)
  if not one then return end
  local _ <close> = claim(soak, one)
  local client, name = soak.client, one.name
  if try(soak, "stop " .. name, client.stop, client, name) then
    check_gone(soak, name)
    task.sleep(math.random())
    if not one.requires then check_gone(soak, name) end
  end
  try(soak, "start " .. name, client.start, client, name)
end

function M.scale(soak)
  if soak.busy.pool then return end
  local _ <close> = claim(soak, { name = "pool" })
  try(soak, "scale pool", soak.client.scale, soak.client, "pool",
    math.random(0, 16))
end

--- A status is of all, and each state is one of ours.
function M.status(soak)
  local before = soak.now()
  try(soak, "status", function() soak:look() end)
  soak.slowest = math.max(soak.slowest, soak.now() - before)
end

-- Changes of the configuration ------------------------------------------------

local changes = {}

-- Restarts some.
function changes.version(soak)
  for _ = 1, 5 do
    local one = pick(soak.fleet.services)
    one.version = one.version + 1
  end
end

-- Restarts nobody.
function changes.policy(soak)
  for _ = 1, 20 do
    pick(soak.fleet.services).initial = 0.01 + math.random() / 10
  end
end

function changes.add(soak)
  soak.fleet:add_extra()
end

function changes.remove(soak)
  soak.fleet:remove_extras()
end

local names = { "version", "policy", "add", "remove" }

function M.apply(soak)
  if soak.busy[M.apply] then return end
  local _ <close> = claim(soak, { name = M.apply })
  changes[pick(names)](soak)
  soak.fleet:write()
  if math.random() < 0.3 then return soak.up:send_signal "HUP" end
  try(soak, "apply", soak.client.apply, soak.client)
end

--- A configuration that is wrong changes nothing.
function M.misapply(soak)
  if soak.busy[M.apply] then return end
  local _ <close> = claim(soak, { name = M.apply })
  soak.fleet:write 'service "wrong" { comand = "true" }\n'
  local ok, err = pcall(soak.client.apply, soak.client)
  if ok then soak:fault "a wrong configuration was applied" end
  if not ok and not (errors.is_error(err) and
    (err:is "ConfigError" or err:is "Busy")) then
    soak:fault("a wrong configuration: %s", tostring(err))
  end
  soak.fleet:write()
end

function M.reopen(soak)
  soak.up:send_signal "USR1"
end

-- Clients that leave ----------------------------------------------------------

local GET <const> = "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"

-- What is sent before the connection is cut, and whether an answer is read.
local rude = {
  function() return "GET /v1/serv" end,
  function() return GET:format "/v1/events" end,
  function() return GET:format "/v1/services" end,
  function() return "" end,
  function(soak)
    return GET:format("/v1/services/" .. pick(soak.fleet.services).name
      .. "/logs?follow=1&n=100")
  end,
  function()
    return "POST /v1/services/pool/restart HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end,
  function()
    return "POST /v1/services/plain-1/signal HTTP/1.1\r\nHost: localhost\r\n"
      .. "Content-Length: 100\r\n\r\n{\"sig"
  end,
}

function M.leave(soak)
  pcall(function()
    local conn <close> = net.connect { path = soak.socket }
    conn:write(pick(rude)(soak))
    if math.random() < 0.5 then
      task.move_on(math.random() * 2, conn.read, conn, math.random(1 << 16))
    end
    if math.random() < 0.2 then task.sleep(math.random() * 5) end
    conn:abort()
  end)
end

--- A command of ours, killed at any moment.
function M.command(soak)
  local p <close> = process.spawn {
    soak.luvisor, "logs", "-f", "--socket", soak.socket,
    pick(soak.fleet.services).name, stdout = "null", stderr = "null",
  }
  task.sleep(math.random() / 10)
  if not p.status then p:kill() end
end

--- How often each is done, of all that is done.
M.weights = {
  { "kill", 40 }, { "crash", 20 }, { "flood", 3 }, { "storm", 0.5 },
  { "restart", 8 }, { "stop", 6 }, { "scale", 2 }, { "status", 6 },
  { "apply", 2 }, { "misapply", 0.5 }, { "reopen", 0.3 }, { "leave", 10 },
  { "command", 1 },
}

local total = 0
for _, one in ipairs(M.weights) do total = total + one[2] end

--- One of them, at random.
-- @treturn string
function M.choose()
  local at = math.random() * total
  for _, one in ipairs(M.weights) do
    at = at - one[2]
    if at <= 0 then return one[1] end
  end
  return M.weights[1][1]
end

return M
