-- "Python Subprocess & asyncio": how run works; several scripts, not blocking.
local asyncio = require "luvisor.asyncio"
local fs = require "luvisor.fs"
local processes = require "luvisor.process"
local tap = require "luvisor.tap"

local PIPE = asyncio.subprocess.PIPE

-- The body of subprocess.run: Popen, then communicate.
local function run(input, program, ...)
  local options = { stdin = PIPE, stdout = PIPE, stderr = PIPE }
  local words = table.pack(program, ...)
  words[words.n + 1] = options
  local process = asyncio.create_subprocess_exec(
    table.unpack(words, 1, words.n + 1))
  local stdout, stderr = process:communicate(input)
  return { stdout = stdout, stderr = stderr, returncode = process.returncode }
end

tap.test("run is a process and communicate", function()
  local result = asyncio.run(run, "abc", "python3", "-c",
    "import sys; print(sys.stdin.read().upper()); sys.exit(3)")
  tap.is(result.stdout, "ABC\n")
  tap.is(result.stderr, "")
  tap.is(result.returncode, 3)
end)

tap.test("several Python scripts, none of which blocks the others", function()
  -- Each waits for the other to open its end: one after another would hang.
  local CODE <const> = [[
import sys
for name, mode in zip(sys.argv[1::2], sys.argv[2::2]): open(name, mode)
print('done')
]]
  local dir = fs.mkdtemp()
  local one, two = dir .. "/one", dir .. "/two"
  processes.run { "mkfifo", one, two }
  local function script(...)
    local process = asyncio.create_subprocess_exec("python3", "-c", CODE, ...)
    local stdout = process:communicate()
    return stdout
  end
  local results = asyncio.run(asyncio.gather,
    { script, one, "w", two, "r", { stdout = PIPE } },
    { script, one, "r", two, "w", { stdout = PIPE } })
  fs.remove(dir, { recursive = true })
  tap.is_deeply({ results[1], results[2] }, { "done\n", "done\n" })
end)

tap.done()
