--- luvisor check
-- @local

local configs = require "luvisor.supervisor.config"
local json = require "luvisor.json"
local output = require "luvisor.cli.output"
local show = require "luvisor.cli.show"
local target = require "luvisor.cli.target"

local function plural(n, word)
  return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function refuse(args, err)
  if args.json then
    local list = err.errors
      or { { file = configs.find(args.file or args.config), line = 0,
             message = tostring(err) } }
    output.json { ok = false, errors = list }
  else
    io.stderr:write(tostring(err), "\n")
  end
  return 1
end

local function praise(args, config)
  if args.show then
    if args.json then return output.json(show.plain(config)) end
    return output.write(show.text(config))
  end
  if args.json then
    return output.json { ok = true, errors = json.list {} }
  end
  output.write(("%s: %s, no errors\n"):format(config.path,
    plural(#config.order, "service")))
end

return {
  name = "check",
  summary = "say what is wrong with a configuration",
  description = [[
Read a configuration and all that it includes, and say every error in it at
once, each with its file and line. Nothing is started, and no supervisor is
needed. The exit code is 0 if there is none, 1 if there are errors, and 2 for a
wrong command line.]],
  args = {
    { argument = "file", argname = "FILE", args = "?", names = "files",
      description = "The configuration; else as -c says." },
    target.CONFIG,
    { flag = "--show", description = "Print the configuration as it takes "
      .. "effect,\nevery default filled in." },
    output.JSON,
  },
  example = "luvisor check --show /etc/luvisor/luvisor.lua",
  run = function(args)
    local ok, result = pcall(configs.load, args.file or args.config)
    if not ok then
      if result.kind == "ConfigError" then return refuse(args, result) end
      error(result, 0)
    end
    praise(args, result)
  end,
}
