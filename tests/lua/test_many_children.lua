-- serial: very many children at once.

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- Without pidfds each exit is a look at every child.
local has_pidfds = (os.getenv "LUVISOR_NO_PIDFD" or "") == ""
local MANY <const> = has_pidfds and 2000 or 500

local function start_many(argv)
  local children = {}
  for i = 1, MANY do children[i] = process.spawn(argv) end
  return children
end

tap.test("many live, one of them ends, then all are stopped", function()
  local children = start_many { "sleep", "600" }
  tap.is(#require "luvisor.core.process".children(), MANY)
  local waiting, ended = {}, 0
  for i, p in ipairs(children) do
    waiting[i] = task.spawn(function()
      p:wait()
      ended = ended + 1
    end)
  end
  local one = children[MANY // 2]
  one:terminate()
  one:wait()
  waiting[MANY // 2]:join()
  tap.is(ended, 1, "only its own waiter woke")
  tap.is(process.run({ "true" }).ok, true, "others come and go")

  task.nursery(function(n)
    for _, p in ipairs(children) do n:spawn(p.stop, p, { grace = 60 }) end
  end)
  for _, t in ipairs(waiting) do t:join() end
  tap.is(ended, MANY)
  local by_term = 0
  for _, p in ipairs(children) do
    if p.status.signal == "TERM" then by_term = by_term + 1 end
  end
  tap.is(by_term, MANY, "none had to be killed")
end)

tap.test("many that end at once are all told", function()
  local children = {}
  for i = 1, MANY // 2 do
    children[i] = process.spawn { "sh", "-c", "read x; exit 3", stdin = "pipe" }
  end
  for _, p in ipairs(children) do p.stdin:close() end
  local codes = 0
  for _, p in ipairs(children) do codes = codes + p:wait().code end
  tap.is(codes, 3 * #children)
end)

tap.test("hundreds at once do not mix their output", function()
  local items = {}
  for i = 1, 300 do items[i] = i end
  local results = process.map(items, function(i)
    return { "sh", "-c", "cat; echo $0 >&2", i, input = ("x%d\n"):format(i) }
  end, { jobs = 300 })
  local wrong = 0
  for i, r in ipairs(results) do
    if r.stdout ~= ("x%d\n"):format(i) or r.stderr ~= i .. "\n" then
      wrong = wrong + 1
    end
  end
  tap.is(wrong, 0)
end)

tap.done()
