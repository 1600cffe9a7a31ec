-- For the gpg scripts: a home for gpg that is not the user's, removed when its
-- variable is closed, and the options that make gpg use it and nothing else.
local process = require "luvisor.process"
local task = require "luvisor.task"

local function close(home)
  task.shield_for(10, process.run, { "rm", "-r", home.path })
end

return function()
  local path = process.capture { "mktemp", "-d" }
  local home = { path = path, options = {
    "--homedir", path, "--no-keyring", "--quiet",
    "--pinentry-mode", "loopback", -- the passphrase is on the command line
    "--no-autostart", "--s2k-count", "1000000", -- no agent outlives us
  } }
  return setmetatable(home, { __close = close })
end
