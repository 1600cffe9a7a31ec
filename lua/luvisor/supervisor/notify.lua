--- sd_notify(3): what a service says of itself. Each instance that is told of
-- has a socket of its own, abstract and with a random name, so that any user in
-- any chroot reaches it. Any process of the service may send, but the sender's
-- user must be the service's, luvisor's or root: its pid may be gone already.
-- One of another user must be alive, and of the service.
-- @module luvisor.supervisor.notify

local core = require "luvisor.core.notify"
local core_task = require "luvisor.core.task"
local hexadecimal = require "luvisor.supervisor.random"
local os_facts = require "luvisor.core.os"
local task = require "luvisor.task"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"
local waiters = require "luvisor.waiters"

local M = {}

local MICROSECONDS <const> = 1e6

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
  if inst.status_text == value then return end
  inst.status_text = value
  inst.sup.events:emit("status", { service = inst.name, text = value })
end

function messages.WATCHDOG(inst, value)
  if value == "1" then
    inst.notify.alive = time.now()
  elseif value == "trigger" then
    inst.notify.triggered = true
    inst.notify.line:wake_all(true)
  end
end

local function seconds_of(value)
  local usec = math.tointeger(tonumber(value))
  return usec and usec > 0 and usec / MICROSECONDS or nil
end

function messages.WATCHDOG_USEC(inst, value)
  local n = inst.notify
  n.watchdog = seconds_of(value) or n.watchdog
  n.alive = time.now()
  n.line:wake_all(true)
end

-- More time to get ready, or to stop: from now on.
function messages.EXTEND_TIMEOUT_USEC(inst, value)
  local seconds = seconds_of(value)
  if not seconds then return end
  local until_then = time.now() + seconds
  inst.ready_until = math.max(inst.ready_until or 0, until_then)
  if inst.stop_until then
    inst.stop_until = math.max(inst.stop_until, until_then)
  end
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

-- The user of its main process may have changed since it was started.
local function may_send(inst, uid, pid)
  local n = inst.notify
  if uid == 0 or uid == os_facts.geteuid() or n.users[uid] then return true end
  if uid ~= tree.uid(inst.pid or 0) then return is_of(inst, pid) end
  n.users[uid] = true
  return true
end

local function take(inst, text)
  for line in text:gmatch "[^\n]+" do
    local name, value = line:match "^([%u_]+)=(.*)$"
    if messages[name] then messages[name](inst, value) end
  end
end

local function refuse(inst, why, fields)
  fields.service = inst.name
  inst.sup.log:warning(why, fields)
end

-- Its answer was the closing of its descriptor. Who has it may be gone by now.
local BARRIER <const> = "BARRIER=1"

local function listen(inst, sock)
  local text, pid, uid, is_cut = sock:receive()
  while text and inst.notify do
    if text ~= BARRIER and not may_send(inst, uid, pid) then
      refuse(inst, "a notification of another user was refused", { uid = uid })
    elseif is_cut then
      refuse(inst, "a notification was too long", { bytes = #text })
    else
      take(inst, text)
    end
    if not inst.notify then return end
    text, pid, uid, is_cut = sock:receive()
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
  local name = "@luvisor/" .. hexadecimal.hex(12)
  local sock = core.open(name)
  inst.notify = {
    socket = sock, line = waiters.new "a notification", alive = time.now(),
    watchdog = inst.spec.watchdog, users = {},
  }
  core_task.lasting(listen, inst, sock)
  options.env = options.env or {}
  options.env.NOTIFY_SOCKET = name
  if inst.spec.watchdog then
    options.env.WATCHDOG_USEC =
      ("%d"):format(inst.spec.watchdog * MICROSECONDS // 1)
    options.env.WATCHDOG_PID = true
  end
  return options
end

--- It has a process: its user may send.
function M.started(inst)
  local n = inst.notify
  local uid = n and inst.pid and tree.uid(inst.pid)
  if uid then n.users[uid] = true end
end

--- Wait for READY=1.
function M.wait_ready(inst)
  local n = inst.notify
  while not n.ready do n.line:wait() end
end

local function why_unhealthy(n)
  if n.triggered then return "WATCHDOG=trigger" end
  local late = n.watchdog and time.now() >= n.alive + n.watchdog
  return late and ("no WATCHDOG=1 for %g s"):format(n.watchdog) or nil
end

local function wait_for_news(n)
  if not n.watchdog then return n.line:wait() end
  local left = math.max(n.alive + n.watchdog - time.now(), 0)
  task.move_on(left, function() n.line:wait() end)
end

--- Watch a running instance that has a watchdog: too long without WATCHDOG=1,
-- and it is unhealthy. Waits; run in a task of its own.
function M.watch(inst)
  local n = inst.notify
  if not n then return end
  n.alive = math.max(n.alive, time.now())
  while inst.notify == n and inst.state == "running" do
    local why = why_unhealthy(n)
    if why then
      inst.failure = why
      return inst:event("unhealthy", { reason = why })
    end
    wait_for_news(n)
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
