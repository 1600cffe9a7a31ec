--- luvisor up
-- @local

local calm = require "luvisor.cli.calm"
local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local narrator = require "luvisor.cli.narrator"
local signals = require "luvisor.signal"
local supervisor = require "luvisor.supervisor"
local target = require "luvisor.cli.target"
local task = require "luvisor.task"
local upward = require "luvisor.cli.upward"

-- What reacts to a signal; each returns at once.
local Daemon = {}
Daemon.__index = Daemon

-- The first stops all in order, the second kills what is left.
function Daemon:stop(name)
  local sup = self.sup
  self.asked = (self.asked or 0) + 1
  if self.asked == 1 then
    sup.log:info("stops all services", { signal = name })
    self.upward:stopping()
    self.nursery:spawn(function() sup:close() end)
    return
  end
  sup.log:warning("kills what is left", { signal = name })
  self.killed_by = name
  for _, inst in ipairs(sup:all_instances()) do
    sup.descendants:signal(inst, "KILL")
  end
end

local function apply(self)
  local sup = self.sup
  repeat
    self.apply_again = false
    self.upward:reloading()
    local ok, err = pcall(sup.apply, sup)
    if not ok then
      for line in tostring(err):gmatch "[^\n]+" do
        sup.log:error("apply: " .. line)
      end
      sup.log:error "nothing was changed"
    end
    self.upward:ready()
  until not self.apply_again
  self.is_applying = false
end

-- One that comes while another is under way is done after it, once.
function Daemon:apply()
  if self.sup.closing then return end
  self.apply_again = true
  if self.is_applying then return end
  self.is_applying = true
  self.nursery:spawn(apply, self)
end

function Daemon:reopen()
  for _, inst in ipairs(self.sup:all_instances()) do
    local ok, err = pcall(inst.log.reopen, inst.log)
    if not ok then
      self.sup.log:error("its log cannot be opened again: " .. tostring(err),
        { service = inst.name })
    end
  end
  self.sup.log:info "opened the logs again"
end

local on_signal = {
  TERM = Daemon.stop, INT = Daemon.stop,
  HUP = Daemon.apply, USR1 = Daemon.reopen,
}

local function listen(self, listener)
  for name in listener do on_signal[name](self, name) end
end

local function introduce(sup)
  local config = sup.config
  sup.log:info(("luvisor %s, pid %d, supervises %d service%s"):format(
    core_os.version, core_os.getpid(), #config.order,
    #config.order == 1 and "" or "s"), { config = config.path })
  sup.log:info("is controlled", { socket = config.control.socket })
  sup.log:info("keeps the services' output", { dir = config.log.dir })
end

-- Everything beside the services: it ends when they have.
local function serve(self, listener)
  local sup = self.sup
  local code
  task.nursery(function(n)
    self.nursery = n
    n:spawn(listen, self, listener)
    n:spawn(self.upward.follow, self.upward, sup, sup.events:subscribe())
    n:spawn(self.upward.keep_alive, self.upward)
    n:spawn(calm.keep, sup)
    code = sup:run()
    n:cancel()
  end)
  return code
end

local function run(args)
  -- Before anything else: a signal may come while the configuration is read.
  local listener <close> = signals.listen { "TERM", "INT", "HUP", "USR1" }
  local sup <close> = supervisor.new(target.config(args),
    { persistent = true })
  -- What the services take next would fill the holes among what is read.
  collectgarbage()
  if args.socket then sup.config.control.socket = args.socket end
  local _ <close> = require "luvisor.control.server".open(sup)
  local self = setmetatable({ sup = sup, upward = upward.new() }, Daemon)
  local tale = task.spawn(narrator.run, sup,
    sup.events:subscribe(narrator.wants))
  introduce(sup)
  local code = serve(self, listener)
  tale:join()
  if self.killed_by then return 128 + signals.number(self.killed_by) end
  sup.log:info "has ended"
  return code
end

return {
  name = "up",
  summary = "run the services of a configuration, in the foreground",
  description = [[
Start the services of a configuration and keep them as it says, until TERM or
INT: these stop all in the reverse of their order. A second one kills what is
left. HUP applies the configuration again, USR1 opens the log files again. What
happens is told on standard error, one line each.

It tells systemd (or whoever set NOTIFY_SOCKET) when the services are up. As
process 1 of a container it reaps what is left to it.

The exit code is 0, or that of the service that is `main`.]],
  args = target.with {},
  example = "luvisor up -c /etc/luvisor/luvisor.lua",
  run = function(args)
    local ok, result = pcall(run, args)
    if ok then return result end
    if errors.is_error(result) and result.kind == "ConfigError" then
      io.stderr:write(tostring(result), "\n")
      return 1
    end
    error(result, 0)
  end,
}
