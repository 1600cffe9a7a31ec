--- luvisor version
-- @local

local core_os = require "luvisor.core.os"
local output = require "luvisor.cli.output"

return {
  name = "version",
  summary = "print the version",
  args = { output.JSON },
  example = "luvisor version",
  run = function(args)
    if args.json then
      return output.json { version = core_os.version, lua = _VERSION }
    end
    output.write("luvisor ", core_os.version, " (", _VERSION, ")\n")
  end,
}
