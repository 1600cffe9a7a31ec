-- bench/latency.lua — How late is a task that wants to run each millisecond
-- while another works as fast as it can, n milliseconds at each kind of work?
-- By the clock, and in processor time of ours, which other programs do not
-- disturb.

local process = require "luvisor.process"
local task = require "luvisor.task"
local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local TICK <const> = 0.001
local now = bench.now

-- Note the worst of each in `worst`.
local function tick(worst)
  while true do
    local due, cpu = now() + TICK, os.clock()
    task.sleep(TICK)
    worst.late = math.max(worst.late or 0, now() - due)
    worst.cpu = math.max(worst.cpu or 0, os.clock() - cpu)
  end
end

local function spawn_until(over)
  while now() < over do
    local p = process.spawn { "/bin/true", stdin = "null" }
    assert(p:wait().ok)
  end
end

local function read_until(over)
  local p <close> = process.spawn {
    "/bin/cat", "/dev/zero", stdout = "pipe", pipe_size = 1 << 20,
  }
  for _ in p.stdout:chunks(1 << 18) do
    if now() >= over then return end
  end
end

local function lines_until(over)
  local p <close> = process.spawn {
    "/usr/bin/yes", stdout = "pipe", pipe_size = 1 << 20,
  }
  for _ in p.stdout:lines() do
    if now() >= over then return end
  end
end

-- What is written goes to cat, and from there nowhere.
local function write_until(over, text)
  local p <close> = process.spawn {
    "/bin/cat", stdin = "pipe", stdout = "null", pipe_size = 1 << 20,
  }
  while now() < over do p.stdin:write(text) end
end

local function feed_until(over)
  write_until(over, ("x"):rep(1 << 18))
end

local function log_until(over)
  write_until(over, ("x"):rep(99) .. "\n")
end

local function rest_until(over)
  task.sleep(over - now())
end

local function measure(work, seconds)
  local worst, cpu = {}, os.clock()
  task.nursery(function(nursery)
    nursery:spawn(tick, worst)
    work(now() + seconds)
    nursery:cancel()
  end)
  local never <const> = os.clock() - cpu -- had it its turn
  return (worst.late or seconds) * 1e3, (worst.cpu or never) * 1e3
end

local n = bench.size(2000)
local more = {}
local start = now()
for _, kind in ipairs {
  { "idle", rest_until }, { "spawn", spawn_until }, { "read", read_until },
  { "lines", lines_until }, { "feed", feed_until }, { "log", log_until },
} do
  local name, work = table.unpack(kind)
  local late, cpu = measure(work, n / 1e3)
  more[#more + 1] = { name .. "_ms", late, "%.3f" }
  more[#more + 1] = { name .. "_cpu_ms", cpu, "%.3f" }
end
bench.report("latency", n, now() - start, more)
