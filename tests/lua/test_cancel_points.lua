-- Cancel an operation at its first pass of the scheduler, at its second … until
-- it completes uncancelled: none of them leaves a child, a descriptor or a task
-- behind (the harness looks).

local errors = require "luvisor.error"
local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local PASSES <const>, MOST <const> = 20, 80

-- The first steps are passes of the scheduler, the others pauses that grow: so
-- it does not matter how fast the children are.
local function step(i)
  if i <= PASSES then
    task.checkpoint()
  else
    task.sleep(0.0001 * 1.25 ^ (i - PASSES))
  end
end

-- Calls fn in a task that is cancelled after k steps. Returns whether it
-- completed, and its error.
local function cancelled_after(k, fn)
  local t = task.spawn(pcall, fn)
  for i = 1, k do
    if t.state == "done" then break end
    step(i)
  end
  t:cancel()
  local joined, completed, err = pcall(t.join, t)
  if not joined then return false, completed end
  return completed, err
end

local function at_each_point(name, fn)
  tap.test("a cancelled " .. name .. " leaves nothing, wherever it was",
  function()
    for k = 0, MOST do
      local completed, err = cancelled_after(k, fn)
      if completed then return tap.ok(k > 0, k .. " points") end
      if not (errors.is_error(err) and err:is "Cancelled") then
        tap.ok(false, "after " .. k .. " steps: " .. tostring(err))
      end
    end
    tap.ok(false, "it completes uncancelled")
  end)
end

at_each_point("run", function()
  local r = process.run { "sh", "-c", "cat; echo err >&2", input = "x" }
  assert(r.stdout == "x" and r.stderr == "err\n")
end)

at_each_point("run with an iterator and a timeout", function()
  local n = 0
  process.run { "cat", timeout = 60, input = function()
    n = n + 1
    task.checkpoint()
    return n <= 20 and "line\n" or nil
  end }
end)

at_each_point("run whose pipe is held", function()
  process.run { "sh", "-c", "sleep 600 & exit 0", linger = 0.005 }
end)

at_each_point("capture that fails", function()
  local ok, err = pcall(process.capture, { "sh", "-c", "exit 3" })
  assert(not ok and err.status.code == 3)
end)

at_each_point("communicate", function()
  local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe" }
  local r = p:communicate(("x"):rep(300000))
  assert(#r.stdout == 300000)
end)

at_each_point("communicate of a pipeline", function()
  local pl <close> = process.pipeline {
    { "cat" }, { "tr", "a", "b" }, { "cat" }, stdin = "pipe", stdout = "pipe",
    stderr = "pipe",
  }
  assert(pl:communicate({ "a", "a" }).stdout == "bb")
end)

at_each_point("stop", function()
  local p = process.spawn { "sh", "-c", "trap '' TERM; echo; sleep 600",
                            stdout = "pipe" }
  local _ <close> = p
  p.stdout:readline()
  assert(p:stop({ grace = 0.005 }).signal == "KILL")
  task.checkpoint()
end)

at_each_point("map", function()
  process.map({ 1, 2, 3, 4 }, function(i) return { "echo", i } end,
    { jobs = 2 })
end)

at_each_point("protocol", function()
  task.nursery(function()
    local p <close> = process.spawn { "echo", "x", stdout = "pipe",
                                      protocol = {} }
    p:wait()
  end)
end)

at_each_point("loop over lines", function()
  local p <close> = process.spawn { "sh", "-c", "seq 1 100; seq 1 100 >&2",
                                    stdout = "pipe", stderr = "pipe" }
  local n = 0
  for _ in p:lines() do n = n + 1 end
  assert(n == 200)
  p:wait()
end)

tap.done()
