-- The warning for a child that waits, in a full pipe, for us to read. It takes
-- its time: all scripts run side by side, and then what they said is looked at.

local process = require "luvisor.process"
local tap = require "luvisor.tap"

local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local HEAD <const> = [[
  local process = require "luvisor.process"
  local task = require "luvisor.task"
  local p <close> = process.spawn { "sh", "-c", %q, stdout = "pipe",
                                    stderr = "pipe", name = "the child" }
]]

local UNREAD <const> = "^luvisor: warning: the child %(pid %d+%) waits until "
  .. "its stdout is read: the pipe is full[^\n]*\n$"

-- What holds; the script; the child's; what the warning is like, nil: none.
local cases = {
  { "waiting for a child that waits for us is warned of, once", [[
    local waiting = {}
    for i = 1, 3 do waiting[i] = task.spawn(pcall, p.wait, p, 2.5) end
    for i = 1, 3 do waiting[i]:join() end
  ]], "yes", UNREAD },
  { "also where the wait has no end", "task.move_on(2.5, p.wait, p)", "yes",
    UNREAD },
  { "stderr is told from stdout", "pcall(p.wait, p, 2.5)", "yes >&2",
    (UNREAD:gsub("stdout", "stderr")) },
  { "a pipe that is full of small writes holds much less than its size",
    "pcall(p.wait, p, 2.5)", "while :; do head -c 2100 /dev/zero; done",
    UNREAD },
  { "communicate reads", "pcall(p.communicate, p, nil, { timeout = 2 })",
    "yes" },
  { "lines reads, however slowly", [[
    local reading = task.spawn(function()
      for _ in p:lines() do task.sleep(0.7) end
    end)
    pcall(p.wait, p, 2.5)
    reading:cancel()
  ]], "yes" },
  { "a task that reads is no cause for a warning", [[
    local reading = task.spawn(function() for _ in p.stdout:lines() do end end)
    pcall(p.wait, p, 1)
    reading:cancel()
  ]], "while sleep 0.01; do seq 1 10000; done" },
  { "a pipe that is not full is none, either", "pcall(p.wait, p, 2)",
    "echo x; sleep 600" },
  { "nor is a closed one", "p.stdout:close() pcall(p.wait, p, 2)",
    "sleep 600" },
}

local results = process.map(cases, function(case)
  return { LUVISOR, "-e", HEAD:format(case[3]) .. case[2] }
end, { jobs = #cases, fail_fast = false })

for i, case in ipairs(cases) do
  tap.test(case[1], function()
    tap.ok(results[i].ok, tostring(results[i]))
    if case[4] then
      tap.like(results[i].stderr, case[4])
    else
      tap.is(results[i].stderr, "")
    end
  end)
end

tap.done()
