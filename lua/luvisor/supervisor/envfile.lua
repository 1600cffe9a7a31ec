--- Files of environment variables, as systemd's EnvironmentFile: lines
-- NAME=value, comments with "#" or ";", values as a shell quotes them.
-- @module luvisor.supervisor.envfile

local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local words = require "luvisor.words"

local M = {}

-- Several words are one value, with single spaces, as systemd has it.
local function value_of(path, line, text)
  local ok, list = pcall(words.split, text)
  if not ok then
    errors.raise { kind = "ConfigError", message = ("%s:%d: %s"):format(path,
      line, (tostring(list):gsub("^process.split: ", ""))) }
  end
  return table.concat(list, " ")
end

--- Read a text.
-- @tparam string text
-- @tparam string path for messages
-- @treturn table variables by name
-- @raise ConfigError with file and line
function M.parse(text, path)
  local env, number = {}, 0
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    line = line:match "^%s*(.-)%s*$":gsub("^export%s+", "")
    local is_note = line == "" or line:find "^[#;]"
    local name, rest = line:match "^([%a_][%w_]*)%s*=%s*(.*)$"
    if name and not rest:find("\0", 1, true) then
      env[name] = value_of(path, number, rest)
    elseif not is_note then
      errors.raise { kind = "ConfigError", message =
        ("%s:%d: expected NAME=value, got %q"):format(path, number, line) }
    end
  end
  return env
end

--- Read a file. Waits.
-- @tparam string path
-- @treturn table variables by name
-- @raise OSError, ConfigError with file and line
function M.read(path)
  return M.parse(fs.read_file(path, { max = 1 << 20 }), path)
end

return M
