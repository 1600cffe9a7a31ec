--- The commands of luvisor, in the order in which help lists them. Each is a
-- file of this folder that returns
--
-- * `name`, `summary` (one line), `description` and `example` for its help;
-- * `args`, rows as luvisor.cli.parser reads them;
-- * `run(args)`, which does it and returns the exit code (nil: 0).
-- @local

local M = {}

local groups = {
  { "to supervise", "up", "check", "status", "start", "stop", "restart",
    "reload", "signal", "logs", "events", "wait", "run-job", "scale", "tree",
    "plan", "apply", "shutdown" },
  { "about luvisor", "completion", "version" },
}

M.groups = groups
M.names = {}

local is_command = {}
for _, group in ipairs(groups) do
  for i = 2, #group do
    M.names[#M.names + 1] = group[i]
    is_command[group[i]] = true
  end
end

--- Is there such a command?
-- @treturn boolean
function M.exists(name)
  return is_command[name] == true
end

--- Load a command.
-- @tparam string name
-- @treturn table what its file returns
function M.load(name)
  return require("luvisor.cli." .. name:gsub("-", "_"))
end

return M
