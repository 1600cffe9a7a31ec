-- "18.5.6. Subprocess", the library's reference: its examples.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local PIPE = asyncio.subprocess.PIPE
local CODE <const> = "import datetime; print(datetime.datetime.now())"
local DATE <const> = "^%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d"

local DateProtocol = {}
DateProtocol.__index = DateProtocol

local function new_protocol(exit_future)
  return setmetatable({ exit_future = exit_future, output = {} }, DateProtocol)
end

function DateProtocol:pipe_data_received(_, data)
  self.output[#self.output + 1] = data
end

-- The data may still come after process_exited: the last word is this.
function DateProtocol:connection_lost()
  self.exit_future:set_result(true)
end

tap.test("get_date by transport and protocol", function()
  local function get_date()
    local loop = asyncio.get_running_loop()
    local exit_future = loop:create_future()
    local transport, protocol = loop:subprocess_exec(
      function() return new_protocol(exit_future) end,
      "python3", "-c", CODE, { stdin = false, stderr = false })
    exit_future:await()
    transport:close()
    return (table.concat(protocol.output):gsub("%s+$", ""))
  end
  tap.like(asyncio.run(get_date), DATE)
end)

tap.test("get_date by streams", function()
  local function get_date()
    local proc = asyncio.create_subprocess_exec("python3", "-c", CODE,
      { stdout = PIPE })
    local data = proc.stdout:readline()
    local line = data:gsub("%s+$", "")
    proc:wait()
    return line
  end
  tap.like(asyncio.run(get_date), DATE)
end)

tap.test("create_subprocess_shell, and quoting", function()
  local quote = require "luvisor.process".quote
  local function main()
    local proc = asyncio.create_subprocess_shell(
      "printf %s " .. quote "it's; $HOME", { stdout = PIPE })
    local stdout = proc:communicate()
    return stdout
  end
  tap.is(asyncio.run(main), "it's; $HOME")
end)

tap.done()
