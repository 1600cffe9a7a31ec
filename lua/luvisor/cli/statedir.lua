--- The folder of the control socket and of what must survive.
-- @local

local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"

local M = {}

local WRITABLE <const> = tonumber("022", 8) -- by others than its owner

local function refuse(dir, why)
  errors.raise { kind = "ConfigError", subject = dir,
    message = ("state_dir %s %s"):format(dir, why) }
end

-- Whoever could write there could give orders in our name. Below /tmp others
-- may have made it before us.
local function check(dir)
  local stat = fs.stat(dir)
  if stat.type ~= "directory" then refuse(dir, "is not a folder") end
  if stat.uid ~= core_os.geteuid() and stat.uid ~= 0 then
    refuse(dir, ("belongs to user %d, not to us"):format(stat.uid))
  end
  if stat.mode & WRITABLE ~= 0 then
    refuse(dir, ("may be written by others (mode %03o)"):format(stat.mode))
  end
end

--- Make it if it is not there, and check that it is ours. Waits.
-- @tparam table config state_dir, control
-- @raise ConfigError: it is another's
function M.prepare(config)
  local dir = config.state_dir
  if not fs.exists(dir) then
    -- Whom the control socket is open to must get there.
    local others = next(config.control.allow) ~= nil
    fs.mkdir(dir, { parents = true, mode = others and "755" or "700" })
  end
  check(dir)
end

return M
