--- Run a command: its words, its errors, its exit code.
-- @local

local commands = require "luvisor.cli.commands"
local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local parser = require "luvisor.cli.parser"

-- What the manual page says of them. An error may say its own (exit_code).
local codes = { UsageError = 2 }

-- Programs get it as JSON, too.
local function report_json(err)
  require "luvisor.cli.output".json { error = {
    kind = err.kind, message = err.message, errors = err.errors,
  } }
end

-- Each error of a configuration is a line that editors understand.
local function report(err, args)
  if args.json then report_json(err) end
  io.stdout:flush()
  io.stderr:write(err.kind == "ConfigError" and "" or "luvisor: ",
    tostring(err), "\n")
  return err.exit_code or codes[err.kind] or 1
end

--- Run a command, and end the program with its exit code.
-- @tparam string name
-- @tparam {string,...} words what stands behind the name
-- @tparam function wrong called with what is wrong with them, and the name
return function(name, words, wrong)
  local command = commands.load(name)
  local args, complaint = parser.parse(command, words)
  if not args then return wrong(complaint, name) end
  local ok, code = xpcall(command.run, core.keep_traceback, args)
  if not ok then
    if not errors.is_error(code) then error(code, 0) end
    code = report(code, args)
  end
  if code and code ~= 0 then os.exit(code) end
end
