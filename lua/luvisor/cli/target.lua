--- Which supervisor is meant: that of a configuration, or the one behind a
-- socket.
-- @local

local configs = require "luvisor.supervisor.config"

local M = {}

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

--- Where the supervisor listens.
-- @tparam table args config, socket
-- @treturn string path of the control socket
-- @treturn string|nil the configuration that says so
function M.socket(args)
  if args.socket then return args.socket end
  local found = configs.locate(args.config)
  return found.control.socket, found.path
end

return M
