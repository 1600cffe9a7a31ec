-- Run one of scripts/ as a child: run_script { "ls", args…, cwd = dir } is a
-- Result of process.run, which raises if it fails or takes too long.
local process = require "luvisor.process"

local SCRIPTS = os.getenv("LUVISOR_SOURCE") .. "/scripts/"

return function(call)
  local options = { timeout = 120 }
  for key, value in pairs(call) do options[key] = value end
  options[1] = os.getenv("LUVISOR")
  options[2] = SCRIPTS .. call[1] .. ".lua"
  for i = 2, #call do options[i + 1] = call[i] end
  return process.run(options)
end
