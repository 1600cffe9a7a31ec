-- bench/memory.lua — What one task that waits, one process and one pipe add to
-- the memory that is resident, and to Lua's share of it; a pipe again when it
-- has been used. Each kind is weighed in a program of its own, where no memory
-- has been freed that would serve again: n tasks, n / 10 of the others.

local process = require "luvisor.process"
local stream = require "luvisor.stream"
local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local PAGE <const> = 4096
local FEW <const> = 10

local function resident()
  collectgarbage()
  collectgarbage()
  local file <close> = assert(io.open("/proc/self/statm"))
  local _, pages = file:read("n", "n")
  return pages * PAGE
end

local function spawn(stdout)
  return process.spawn { "/bin/sleep", "300", stdin = "null", stdout = stdout }
end

local function used_pipe()
  local reader, writer = stream.pipe()
  writer:write "a line\n"
  assert(reader:readline() == "a line")
  return { reader, writer }
end

local MAKE <const> = {
  task = function(nursery) return nursery:spawn(task.sleep, 1000) end,
  process = function() return spawn("inherit") end,
  piped = function() return spawn("pipe") end,
  pipe = function() return { stream.pipe() } end,
  used = used_pipe,
}

-- Print the bytes that each of n adds, and Lua's share of them.
local function weigh(kind, n)
  local list = {}
  task.nursery(function(nursery)
    local before, lua_before = resident(), collectgarbage("count")
    for i = 1, n do list[i] = MAKE[kind](nursery) end
    task.checkpoint()
    local bytes = (resident() - before) / n
    print(bytes, (collectgarbage("count") - lua_before) * 1024 / n)
    nursery:cancel()
  end)
  for _, p in ipairs(list) do
    if p.kill then
      p:kill()
      p:wait()
    end
  end
end

local function measure(kind, n)
  local out = process.capture {
    "/proc/self/exe", arg[0], tostring(n), kind, stderr = "inherit",
  }
  local bytes, lua_bytes = out:match("(%S+)%s+(%S+)")
  return { kind .. "_bytes", tonumber(bytes), "%.0f" },
    { kind .. "_lua_bytes", tonumber(lua_bytes), "%.0f" }
end

local n = bench.size(10000)
if arg[2] then
  weigh(arg[2], n)
  return
end
local more = {}
local start = bench.now()
for _, kind in ipairs { "task", "process", "piped", "pipe", "used" } do
  local count = kind == "task" and n or math.max(1, n // FEW)
  local bytes, lua_bytes = measure(kind, count)
  table.move({ bytes, lua_bytes }, 1, 2, #more + 1, more)
end
bench.report("memory", n, bench.now() - start, more)
