--- sd_notify(3): what a service says of itself. Each instance that is told of
-- has a socket of its own, abstract and with a random name, so that any user in
-- any chroot reaches it. Any process of the service may send, but the sender's
-- user must be the service's, luvisor's or root: its pid may be gone already.
-- @module luvisor.supervisor.notify

local core = require "luvisor.core.notify"
local os_facts = require "luvisor.core.os"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"
local waiters = require "luvisor.waiters"

local M = {}

local MICROSECONDS <const> = 1e6

local function random_name()
  local source <close> = assert(io.open("/dev/urandom", "rb"))
  return "@luvisor/" .. source:read(12):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end)
end

local function is_told(spec)
  return spec.watchdog ~= nil or (spec.ready and spec.ready.kind == "notify")
end

-- What each message does. Unknown ones are nobody's business (FDSTORE=1, …).
local messages = {}

function messages.READY(inst, value)
  if value ~= "1" then return end
  local n = inst.notify
  n.ready = true
  n.line:wake_all(true)
end

function messages.STATUS(inst, value)
  inst.status_text = value
  inst.sup.events:emit("status", { service = inst.name, text = value })
end

function messages.WATCHDOG(inst, value)
  if value == "1" then
    inst.notify.alive = time.now()
  elseif value == "trigger" then
    inst.notify.alive = -math.huge
    inst.notify.line:wake_all(true)
  end
end

function messages.WATCHDOG_USEC(inst, value)
  local usec = math.tointeger(tonumber(value))
  if usec and usec > 0 then inst.notify.watchdog = usec / MICROSECONDS end
end

function messages.EXTEND_TIMEOUT_USEC(inst, value)
  local usec = math.tointeger(tonumber(value))
  if not usec or usec <= 0 then return end
  inst.ready_until = math.max(inst.ready_until or 0,
    time.now() + usec / MICROSECONDS)
end

local function is_of(inst, pid)
  for _, one in ipairs(inst.sup.descendants:list(inst)) do
    if one.pid == pid then return true end
  end
  return false
end

-- A process of the service only: else whoever may write here could make us
-- signal a stranger.
function messages.MAINPID(inst, value)
  local pid = math.tointeger(tonumber(value))
  if pid and pid ~= inst.pid and is_of(inst, pid) then
    inst.sup:set_main_pid(inst, pid)
  elseif pid ~= inst.pid then
    inst.sup.log:warning("a MAINPID that is not of the service was refused",
      { service = inst.name, mainpid = value })
  end
end

function messages.ERRNO(inst, value)
  inst.sup.events:emit("status", { service = inst.name, errno = value })
end

function messages.STOPPING(inst)
  inst.sup.events:emit("status", { service = inst.name, text = "stopping" })
end

function messages.RELOADING(inst)
  inst.sup.events:emit("status", { service = inst.name, text = "reloading" })
end

local function may_send(inst, uid)
  return uid == 0 or uid == os_facts.geteuid() or uid == inst.notify.uid
end

local function take(inst, text, uid)
  if not may_send(inst, uid) then
    inst.sup.log:warning("a notification of another user was refused",
      { service = inst.name, uid = uid })
    return
  end
  for name, value in text:gmatch "([%u_]+)=([^\n]*)" do
    if messages[name] then messages[name](inst, value) end
  end
end

-- Which user the service runs as is what the kernel says of its process.
local function uid_of(inst)
  local stat = inst.pid and tree.owner(inst.pid)
  return stat or os_facts.geteuid()
end

local function listen(inst, sock)
  local text, _, uid = sock:receive()
  while text do
    inst.notify.uid = inst.notify.uid or uid_of(inst)
    take(inst, text, uid)
    if not inst.notify then return end
    text, _, uid = sock:receive()
  end
end

--- What the next spawn needs, laid over `options`: NOTIFY_SOCKET, and for a
-- watchdog WATCHDOG_USEC and WATCHDOG_PID.
-- @tparam Instance inst
-- @tparam table options of process.spawn
-- @treturn table options
function M.prepare(inst, options)
  M.close(inst)
  if not is_told(inst.spec) then return options end
  local name = random_name()
  local sock = core.open(name)
  inst.notify = {
    socket = sock, line = waiters.new "a notification", alive = time.now(),
    watchdog = inst.spec.watchdog,
  }
  inst.notify.task = task.detached(listen, inst, sock)
  options.env = options.env or {}
  options.env.NOTIFY_SOCKET = name
  if inst.spec.watchdog then
    options.env.WATCHDOG_USEC =
      ("%d"):format(inst.spec.watchdog * MICROSECONDS // 1)
    options.env.WATCHDOG_PID = true
  end
  return options
end

--- Wait for READY=1.
function M.wait_ready(inst)
  local n = inst.notify
  while not n.ready do n.line:wait() end
end

--- Watch a running instance that has a watchdog: too long without WATCHDOG=1,
-- and it is unhealthy. Waits; run in a task of its own.
function M.watch(inst)
  local n = inst.notify
  if not n or not n.watchdog then return end
  n.alive = math.max(n.alive, time.now())
  while inst.notify == n and inst.state == "running" do
    local left = n.alive + n.watchdog - time.now()
    if left <= 0 then
      inst.failure = ("no WATCHDOG=1 for %g s"):format(n.watchdog)
      return inst:event("unhealthy", { reason = inst.failure })
    end
    task.move_on(left, function() n.line:wait() end)
  end
end

--- It has ended.
function M.close(inst)
  local n = inst.notify
  if not n then return end
  inst.notify = nil
  n.socket:close()
end

return M
