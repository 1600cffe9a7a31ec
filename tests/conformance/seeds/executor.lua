-- "Interaction with subprocesses": its practical example, a command executor.
local asyncio = require "luvisor.asyncio"
local tap = require "luvisor.tap"
local time = require "luvisor.time"

local PIPE = asyncio.subprocess.PIPE

local CommandResult = {}

function CommandResult.__index(self, key)
  if key == "duration" then return self.finished_at - self.started_at end
  if key == "success" then return self.return_code == 0 end
  return nil
end

local AsyncCommandExecutor = {}
AsyncCommandExecutor.__index = AsyncCommandExecutor

local function new(timeout)
  return setmetatable({ timeout = timeout or 30, results = {} },
    AsyncCommandExecutor)
end

function AsyncCommandExecutor:execute(command, input_data)
  local started_at = time.now()
  local process = asyncio.create_subprocess_shell(command, {
    stdin = input_data and PIPE or nil, stdout = PIPE, stderr = PIPE,
    start_new_session = true,
  })
  local ok, stdout, stderr = pcall(asyncio.wait_for,
    { process.communicate, process, input_data }, self.timeout)
  if not ok and stdout:is(asyncio.TimeoutError) then
    process:kill()
    process:wait()
    stdout, stderr = "", "Timeout exceeded"
  elseif not ok then
    error(stdout, 0)
  end
  local result = setmetatable({
    command = command, return_code = process.returncode, stdout = stdout,
    stderr = stderr, started_at = started_at, finished_at = time.now(),
  }, CommandResult)
  self.results[#self.results + 1] = result
  return result
end

function AsyncCommandExecutor:execute_many(commands)
  local tasks = {}
  for i, command in ipairs(commands) do
    tasks[i] = { self.execute, self, command }
  end
  return asyncio.gather(table.unpack(tasks))
end

function AsyncCommandExecutor:summary()
  local lines = {}
  for i, result in ipairs(self.results) do
    lines[i] = ("%d. [%s] %s: %d"):format(i, result.success and "OK" or "ERR",
      result.command, result.return_code)
  end
  return lines
end

tap.test("execute_many: commands side by side, each result in its place",
  function()
    local executor = new(20)
    local results = asyncio.run(executor.execute_many, executor, {
      'echo "Hello, World!"', "python3 --version", 'date "+%Y-%m-%d %H:%M:%S"',
      "ls -la /tmp | head -5", "exit 3",
    })
    tap.is(results[1].stdout, "Hello, World!\n")
    tap.like(results[2].stdout, "^Python 3")
    tap.like(results[3].stdout, "^%d%d%d%d%-%d%d%-%d%d ")
    tap.ok(results[4].success)
    tap.is(results[5].return_code, 3)
    tap.ok(not results[5].success and results[5].duration >= 0)
    tap.is(#executor:summary(), 5)
  end)

tap.test("execute: its input, and its time limit", function()
  local executor = new(20)
  local result = asyncio.run(executor.execute, executor, "tr a-z A-Z", "hello")
  tap.is(result.stdout, "HELLO")
  local hasty = new(0.05)
  result = asyncio.run(hasty.execute, hasty, "exec sleep 60")
  tap.is(result.stderr, "Timeout exceeded")
  tap.is(result.return_code, -9)
  tap.is_deeply(hasty:summary(), { "1. [ERR] exec sleep 60: -9" })
end)

tap.done()
