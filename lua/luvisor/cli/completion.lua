--- luvisor completion
-- @local

local commands = require "luvisor.cli.commands"
local configs = require "luvisor.supervisor.config"
local errors = require "luvisor.error"
local output = require "luvisor.cli.output"
local shells = require "luvisor.cli.shells"
local target = require "luvisor.cli.target"

local PATIENCE <const> = 2 -- seconds, of who has pressed TAB

-- Of the supervisor that runs; else of the configuration.
local function names(args)
  local remote = require "luvisor.cli.remote"
  remote.limit = PATIENCE
  local ok, list = pcall(function()
    return remote.open(args):list()
  end)
  if not ok then
    local config = configs.load(args.config)
    return config.order
  end
  local found, seen = {}, {}
  local function add(name)
    if not seen[name] then found[#found + 1] = name end
    seen[name] = true
  end
  for _, one in ipairs(list) do
    add(one.service)
    add(one.name)
  end
  return found
end

return {
  name = "completion",
  summary = "print a script that completes commands in a shell",
  description = [[
Print a script that makes a shell complete the commands of luvisor, their
options and the names of services.]],
  args = target.with {
    { argument = "shell", args = "?", choices = { "bash", "zsh", "fish" },
      description = "The shell." },
    { flag = "--names", hidden = true },
  },
  example = [[
eval "$(luvisor completion bash)"                    # in ~/.bashrc
luvisor completion zsh > ~/.zfunc/_luvisor           # a folder of $fpath
luvisor completion fish > ~/.config/fish/completions/luvisor.fish]],
  run = function(args)
    if args.names then
      for _, name in ipairs(names(args)) do output.write(name, "\n") end
      return 0
    end
    if not args.shell then errors.usage "which shell: bash, zsh or fish?" end
    local list = {}
    for i, name in ipairs(commands.names) do list[i] = commands.load(name) end
    output.write(shells.script(args.shell, list))
  end,
}
