--- luvisor signal
-- @local

local core = require "luvisor.core.signal"
local errors = require "luvisor.error"
local output = require "luvisor.cli.output"
local requests = require "luvisor.cli.requests"
local target = require "luvisor.cli.target"

local known = { "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT",
                "STOP", "ALRM", "ABRT", "WINCH", "TSTP" }

local function signal_of(text)
  local ok, number = pcall(core.number, tonumber(text) or text:upper())
  if ok then return core.name(number) end
  local near = errors.nearest(text:upper():gsub("^SIG", ""), known)
  return nil, ("there is no signal '%s'%s"):format(text,
    near and (". Did you mean '%s'?"):format(near) or "")
end

return {
  name = "signal",
  summary = "send a signal to the main process of services",
  description = [[
Send a signal to the main process of services. To stop them for good, use
`luvisor stop`: what is killed by a signal is started again as its restart key
says.]],
  args = target.with {
    { argument = "signal", argname = "SIG", convert = signal_of,
      hints = known,
      description = "As HUP, SIGHUP or 1." },
    requests.NAMES, requests.ALL, output.JSON,
  },
  example = "luvisor signal USR1 web",
  run = function(args)
    return requests.each(args, function(r, name)
      return r:signal(name, args.signal)
    end, function(one)
      return ("%s was sent to %s (pid %d)"):format(args.signal, one.name,
        one.pid or 0)
    end)
  end,
}
