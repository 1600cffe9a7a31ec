--- The list of commands in the help of luvisor.
-- @local

local commands = require "luvisor.cli.commands"

--- One line a command.
-- @treturn string
return function()
  local lines = {}
  for _, group in ipairs(commands.groups) do
    lines[#lines + 1] = ("Commands %s:"):format(group[1])
    for i = 2, #group do
      lines[#lines + 1] = ("  %-12s%s"):format(group[i],
        commands.load(group[i]).summary)
    end
    lines[#lines + 1] = ""
  end
  lines[#lines + 1] = "'luvisor COMMAND -h' tells more of a command."
  return table.concat(lines, "\n") .. "\n"
end
