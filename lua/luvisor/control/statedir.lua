--- The folder of the control socket: ours alone, and one supervisor to it.
-- @local

local core = require "luvisor.core.control"
local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"

local M = {}

local WRITABLE <const> = tonumber("022", 8) -- by others than its owner
local REACHABLE <const> = tonumber("011", 8)

local function refuse(dir, format, ...)
  errors.raise { kind = "ConfigError", subject = dir,
    message = ("state_dir %s %s"):format(dir, format:format(...)) }
end

-- Whoever could write there could give orders in our name. Below /tmp others
-- may have made it before us.
local function check(dir)
  local stat, us = fs.lstat(dir), core_os.geteuid()
  if stat.type == "link" and (stat.uid == us or stat.uid == 0) then
    stat = fs.stat(dir)
  end
  if stat.type ~= "directory" then refuse(dir, "is no folder") end
  if stat.uid ~= us then
    refuse(dir, "belongs to user %d, not to us", stat.uid)
  end
  if stat.mode & WRITABLE ~= 0 then
    refuse(dir, "may be written by others (mode %03o)", stat.mode & 511)
  end
  return stat.mode & 511
end

local function make(dir)
  local ok, err = pcall(fs.mkdir, dir, { parents = true, mode = "700" })
  if not ok then refuse(dir, "cannot be made: %s", tostring(err)) end
end

--- Make it if it is not there, and check that it is ours. Waits.
-- @tparam string dir
-- @tparam boolean open others must be able to reach the socket in it
-- @raise ConfigError: it is another's, or cannot be made
function M.prepare(dir, open)
  if not pcall(fs.lstat, dir) then make(dir) end
  local mode = check(dir)
  if open and mode & REACHABLE ~= REACHABLE then
    fs.chmod(dir, mode | REACHABLE)
  end
end

--- Be the only one that has it.
-- @tparam string dir
-- @treturn Lock to be closed
-- @raise Busy: another supervisor has it
function M.lock(dir)
  local lock, pid = core.lock(dir .. "/lock")
  if lock then return lock end
  local who = pid and (" (pid %d)"):format(pid) or ""
  errors.raise { kind = "Busy", subject = dir, message =
    ("another luvisor%s has the state_dir %s: stop that one, or give this one "
      .. "a state_dir of its own"):format(who, dir) }
end

return M
