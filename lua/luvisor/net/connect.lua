--- Connecting: to the first address of a host that answers.
-- @module luvisor.net

local core = require "luvisor.core.net"
local errors = require "luvisor.error"
local sockets = require "luvisor.net.socket"
local task = require "luvisor.task"

local M = {}

-- Seconds after which the next address is tried, too (RFC 8305).
local STAGGER <const> = 0.25
-- Seconds between two looks at a full backlog, the first and the longest.
local PAUSE <const>, LONGEST_PAUSE <const> = 0.001, 0.05

-- Failures that say more of the network than of who should answer.
local dull = { ENETUNREACH = true, EHOSTUNREACH = true, EADDRNOTAVAIL = true,
               EAFNOSUPPORT = true }

local function connect_to(address)
  local pause = PAUSE
  while true do
    local socket = sockets.new(core._connect(address))
    if socket then return socket end
    task.sleep(pause)
    pause = math.min(2 * pause, LONGEST_PAUSE)
  end
end

-- Without doubles, and the two families in turn: one of them may lead nowhere.
local function in_turn(addresses)
  local first, other, seen = {}, {}, {}
  for _, address in ipairs(addresses) do
    local family = address:sub(1, 2)
    if not seen[address] then
      local same = #first == 0 or first[1]:sub(1, 2) == family
      table.insert(same and first or other, address)
    end
    seen[address] = true
  end
  local all = {}
  for i = 1, math.max(#first, #other) do
    all[#all + 1] = first[i]
    all[#all + 1] = other[i]
  end
  return all
end

-- The error for a host of which no address answered.
local function failure(host, port, found)
  local telling
  for i = #found, 1, -1 do
    local err = found[i]
    if not errors.is_error(err) then return err end
    if not telling or not dull[err.code] or dull[telling.code] then
      telling = err
    end
  end
  local subject = (host:find(":", 1, true) and "[%s]:%d" or "%s:%d")
    :format(host, port)
  local why = telling.message:match(": ([^:]*)$")
  return errors.new {
    kind = telling.kind, code = telling.code, op = "connect",
    subject = subject, message = ("connect %s: %s"):format(subject, why),
    errors = #found > 1 and found or nil,
  }
end

local Race = { __name = "luvisor.net.race" }

-- Left by an error, a cancellation say, it leaves no connection.
function Race:__close(err)
  if err ~= nil and self.winner then self.winner:abort() end
end

local function attempt(race, nursery, address)
  local ok, result = pcall(connect_to, address)
  if not ok then
    table.insert(race.failures, result)
  elseif race.winner then
    result:abort()
  else
    race.winner = result
    nursery:cancel()
  end
end

-- One address after the other, each a moment after the one before or when that
-- has failed; the first connection made ends the attempts of the others.
local function run(race, addresses)
  task.nursery(function(nursery)
    for _, address in ipairs(addresses) do
      local t = nursery:spawn(attempt, race, nursery, address)
      task.move_on(STAGGER, t.join, t)
    end
  end)
  return race.winner
end

local function connect_host(host, port)
  local race <close> = setmetatable({ failures = {} }, Race)
  local addresses = in_turn(core.resolve(host, port))
  local socket
  if #addresses > 1 then
    socket = run(race, addresses)
  else
    local ok, result = pcall(connect_to, addresses[1])
    socket = ok and result
    if not ok then race.failures[1] = result end
  end
  return socket or error(failure(host, port, race.failures), 0)
end

local spec = { path = sockets.where.path, host = sockets.where.host,
               port = sockets.where.port }

--- Connect to a server. Waits for the name to be resolved and the connection
-- to be made; a cancelled one leaves nothing. Of a host with several addresses
-- all are tried, the next a quarter of a second after the one before or when
-- that has failed, and the first that answers is taken. Small writes on TCP
-- are sent at once (TCP_NODELAY).
-- @tparam table opts either `path`, of a Unix socket, or "@name" for an
-- abstract one; or `port` and `host`, a name or digits, this machine without
-- @treturn Socket
-- @raise OSError: `subject` is "host:port" or the path, `op` is "connect" or
-- "resolve", `code` as "ECONNREFUSED" or "EAI_NONAME"; `errors` has those of
-- all addresses where several failed. Timeout if the network gave up. A limit
-- of one's own is task.timeout(5, net.connect, { … })
-- @usage
-- local listener <close> = net.listen { path = "socket" }
-- local conn <close> = net.connect { path = "socket" }
-- print(conn.peer) --> socket
function M.connect(opts)
  sockets.check("connect", opts, spec)
  if not opts.path then
    return connect_host(opts.host or "localhost", opts.port)
  end
  return connect_to(core.unix_address(opts.path, "connect"))
end

return M
