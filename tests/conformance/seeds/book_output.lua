-- Notes on a book's chapter, first half: creating, standard output, waiting.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"

local SOURCE = assert(os.getenv "LUVISOR_SOURCE", "LUVISOR_SOURCE is not set")
local MILLION = SOURCE .. "/scripts/children/million.py"

local said = {}
local function print(...) -- luacheck: ignore
  said[#said + 1] = table.concat({ ... }, " ")
end

local function write_output(prefix, stdout)
  local line = stdout:readline()
  while line ~= "" do
    print(("[%s]: %s"):format(prefix, (line:gsub("%s+$", ""))))
    line = stdout:readline()
  end
end

tap.test("write_output: each line with its process, while it is waited for",
  function()
    said = {}
    local function main()
      local program = { "ls", "-la", "/" }
      local process = asyncio.create_subprocess_exec(program[1], program[2],
        program[3], { stdout = asyncio.subprocess.PIPE })
      print("pid:", process.pid)
      local stdout_task = asyncio.create_task(write_output,
        table.concat(program, " "), process.stdout)
      local results = asyncio.gather({ process.wait, process }, stdout_task)
      print("returned:", results[1])
    end
    asyncio.run(main)
    tap.like(said[1], "^pid: %d+$")
    tap.like(said[3], "^%[ls %-la /%]: d")
    tap.is(said[#said], "returned: 0")
    tap.ok(#said > 10, "a folder has more than ten entries")
  end)

tap.test("waiting for a child that fills its pipe hangs, as there", function()
  local function main()
    local process = asyncio.create_subprocess_exec("python3", MILLION,
      { stdout = asyncio.subprocess.PIPE })
    local ok, err = pcall(asyncio.wait_for, { process.wait, process }, 0.3)
    process:kill()
    return ok, err, process:wait()
  end
  local ok, err, code = asyncio.run(main)
  tap.ok(not ok and err:is(asyncio.TimeoutError))
  tap.is(code, -9)
end)

tap.test("communicate reads meanwhile: no deadlock", function()
  local function main()
    local process = asyncio.create_subprocess_exec("python3", MILLION,
      { stdout = asyncio.subprocess.PIPE })
    local stdout, stderr = process:communicate()
    return #stdout, stderr, process.returncode
  end
  local size, stderr, code = asyncio.run(main)
  tap.is(size, 5000000)
  tap.is(stderr, nil, "None where there is no pipe")
  tap.is(code, 0)
end)

tap.done()
