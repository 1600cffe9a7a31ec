--- Which supervisor is meant: that of a configuration, or the one behind a
-- socket.
-- @local

local configs = require "luvisor.supervisor.config"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"

local M = {}

--- The exit code of a command that finds no supervisor.
M.NOBODY = 5

--- The rows of a command's args that say it.
M.CONFIG = {
  option = "-c --config", argname = "FILE",
  description = "The configuration of the supervisor.",
}
M.SOCKET = {
  option = "--socket", argname = "PATH",
  description = "Its control socket.",
}

--- Rows for a command: these, then those that find the supervisor.
-- @tparam {table,...} rows
-- @treturn {table,...}
function M.with(rows)
  local all = table.move(rows, 1, #rows, 1, {})
  all[#all + 1], all[#all + 2] = M.CONFIG, M.SOCKET
  return all
end

--- The configuration that is meant.
-- @treturn string its path
function M.config(args)
  return configs.find(args.config)
end

-- A file that was named, and cannot be read, must not lead to the supervisor of
-- the defaults: what is stopped there is another's.
local function is_unknown(args, found)
  if not found.errors or found.is_told then return false end
  return args.config or (os.getenv "LUVISOR_CONFIG" or "") ~= ""
    or fs.exists(found.path)
end

--- Where the supervisor listens.
-- @tparam table args config, socket
-- @treturn string path of the control socket
-- @treturn table|nil the configuration that says so: path, errors
-- @raise ConfigError: the file does not say it
function M.socket(args)
  if args.socket then return args.socket end
  local found = configs.locate(args.config)
  if is_unknown(args, found) then
    errors.raise { kind = "Failed", exit_code = M.NOBODY,
      message = ("it is not known where the supervisor is (--socket PATH says "
        .. "it): %s"):format(found.errors:gsub(":0: ", ": ")) }
  end
  return found.control.socket, found
end

return M
