-- "Asyncio subprocesses", a note: its listing through luvisor.asyncio.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local said = {}
local function print(...) -- luacheck: ignore
  said[#said + 1] = table.concat({ ... }, " ")
end

local function ls_proc()
  local process = asyncio.create_subprocess_exec("ls", "-l",
    { stdout = asyncio.subprocess.DEVNULL })
  print("pid:", process.pid)
  local status_code = process:wait()
  print("status:", status_code)
end

local function sleep_proc(seconds)
  local process = asyncio.create_subprocess_exec("sleep", "3")
  print("pid:", process.pid)
  local ok, err = pcall(asyncio.wait_for, { process.wait, process }, seconds)
  if ok then
    print(err)
  elseif err:is(asyncio.TimeoutError) then
    print "time is over, ending it"
    process:terminate()
    local status_code = process:wait()
    print(status_code)
  end
end

tap.test("ls_proc: a process, its pid and its status", function()
  said = {}
  asyncio.run(ls_proc)
  tap.like(said[1], "^pid: %d+$")
  tap.is(said[2], "status: 0")
end)

tap.test("sleep_proc: the coroutine is stopped, the process by terminate",
  function()
    said = {}
    asyncio.run(sleep_proc, 0.05)
    tap.like(said[1], "^pid: %d+$")
    tap.is(said[2], "time is over, ending it")
    tap.is(said[3], "-15")
  end)

tap.done()
