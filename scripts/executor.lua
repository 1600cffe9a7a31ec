#!/usr/bin/env luvisor
-- Run shell commands in parallel, log them, and print a summary of them all.
-- The arguments are the commands, if there are any; a command that runs longer
-- than EXECUTOR_TIMEOUT seconds (10) is stopped.
local lv = require "luvisor"
local process = require "luvisor.process"
local task = require "luvisor.task"
local time = require "luvisor.time"

local function strip(s)
  return s:match("^%s*(.-)%s*$")
end

local function log(format, ...)
  io.stderr:write(os.date("%H:%M:%S "), format:format(...), "\n")
end

local Executor = {}
Executor.__index = Executor

function Executor.new(timeout)
  return setmetatable({ timeout = timeout, results = {} }, Executor)
end

--- Run one command; a failure is a result as well.
function Executor:execute(command, input)
  local started = time.now()
  log("started: %s", command)
  local result, err = lv.try(process.run, {
    shell = command, input = input,
    timeout = self.timeout, check = false,
  })
  if err and not err:is("Timeout") then error(err) end
  local record = {
    command = command,
    ok = result ~= nil and result.ok,
    returncode = result and result.returncode or err.status.returncode,
    stdout = result and result.stdout or err.stdout,
    stderr = result and result.stderr or "timeout exceeded",
    duration = time.now() - started,
  }
  log("ended with %d: %s", record.returncode, command)
  table.insert(self.results, record)
  return record
end

--- Run them all in parallel; the results in the order of the commands.
function Executor:execute_many(commands)
  local function execute(command) return self:execute(command) end
  return task.map(commands, execute, { jobs = #commands })
end

local function print_field(name, text)
  text = strip(text)
  if text ~= "" then print(("   %s: %s"):format(name, text:sub(1, 100))) end
end

--- Print all results, in the order in which the commands ended.
function Executor:print_summary()
  local rule = ("="):rep(60)
  print("\n" .. rule .. "\nSUMMARY OF THE COMMANDS\n" .. rule)
  for i, result in ipairs(self.results) do
    local status = result.ok and "OK" or "ERROR"
    print(("\n%d. [%s] %s"):format(i, status, result.command))
    print(("   time: %.3f s"):format(result.duration))
    print("   exit status: " .. result.returncode)
    print_field("output", result.stdout)
    print_field("errors", result.stderr)
  end
end

local commands = #arg > 0 and arg or {
  'echo "Hello, World!"',
  "python3 --version",
  'date "+%Y-%m-%d %H:%M:%S"',
  "ls -la /tmp | head -5",
  'sleep 1 && echo "after the pause"',
}
local executor = Executor.new(tonumber(os.getenv("EXECUTOR_TIMEOUT")) or 10)

print("running the commands ...")
for _, result in ipairs(executor:execute_many(commands)) do
  if result.ok then
    print(("[OK] %s: %s"):format(result.command, strip(result.stdout)))
  else
    print(("[ERR] %s: %s"):format(result.command, strip(result.stderr)))
  end
end
executor:print_summary()
