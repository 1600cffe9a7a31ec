-- Pipelines: stages joined in the kernel.

local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local pipeline <const> = process.pipeline

local function pids_of(pl)
  local pids = {}
  for i, p in ipairs(pl.stages) do pids[i] = p.pid end
  return pids
end

local function are_gone(pids)
  for _, pid in ipairs(pids) do
    if io.open("/proc/" .. pid) then return false end
  end
  return true
end

tap.test("what one stage writes the next one reads", function()
  local pl <close> = pipeline {
    { "printf", "b\na\nc\nab\n" }, { "grep", "a" }, { "sort" },
    stdout = "pipe",
  }
  tap.is(#pl.stages, 3)
  local r = pl:communicate()
  tap.is(r.stdout, "a\nab\n")
  tap.is(r.stderr, nil)
  tap.is(r.ok, true)
  tap.is(r.truncated, false)
  tap.is(r.pipe_held, false)
  tap.is(#r.stages, 3)
  for _, status in ipairs(r.stages) do tap.is(status.code, 0) end
end)

tap.test("a pipeline of one stage is a process", function()
  local pl <close> = pipeline { { "cat" }, stdin = "pipe", stdout = "pipe" }
  tap.is(pl:communicate("x").stdout, "x")
end)

tap.test("the pipes are the kernel's: we hold no end of them", function()
  local fds = require "luvisor.core.os".fds
  local before = #fds()
  local pl <close> = pipeline {
    { "sleep", "600" }, { "cat" }, { "cat" }, stdout = "null",
  }
  local pidfds = os.getenv "LUVISOR_NO_PIDFD" == "1" and 0 or 3
  tap.is(#fds() - before, pidfds)
  tap.is(pl.stdin, nil)
  tap.is(pl.stdout, nil)
  tap.is(pl.stages[1].stdout, nil)
end)

tap.test("the joints are ordinary pipes that block", function()
  local pl <close> = pipeline {
    { "head", "-c", "3000000", "/dev/zero" },
    { "sh", "-c", "exec 3</dev/stdin; sleep 0.05; wc -c" },
    stdout = "pipe",
  }
  local r = pl:communicate()
  tap.is(tonumber(r.stdout), 3000000)
  tap.is(r.ok, true)
end)

tap.test("an earlier stage whose reader had enough has not failed", function()
  local pl <close> = pipeline { { "yes" }, { "head", "-n", "1" },
                                stdout = "pipe" }
  local r = pl:communicate()
  tap.is(r.stdout, "y\n")
  tap.is(r.stages[1].signal, "PIPE")
  tap.is(r.stages[1].ok, false, "by itself")
  tap.is(r.ok, true)
  r = pipeline({ { "sh", "-c", "yes; exit $?" }, { "true" },
                 stderr = "null" }):wait()
  tap.is(r.stages[1].code, 141, "as a shell says it")
  tap.is(r.ok, true)
end)

tap.test("a SIGPIPE of the last stage is a failure", function()
  local pl = pipeline { { "true" }, { "sh", "-c", "kill -PIPE $$" } }
  tap.is(pl:wait().ok, false)
end)

tap.test("a stage that fails fails the pipeline, and which is seen", function()
  for i = 1, 3 do
    local commands = { { "true" }, { "cat" }, { "cat" } }
    commands[i] = { "sh", "-c", "cat; exit 4" }
    local r = pipeline(commands):wait()
    tap.is(r.ok, false)
    for j, status in ipairs(r.stages) do
      tap.is(status.code, i == j and 4 or 0)
    end
  end
end)

tap.test("stdin, stdout and stderr go where they are told", function()
  local name = os.tmpname()
  local pl = pipeline {
    { "cat" }, { "tr", "u", "o" },
    stdin = { file = "/proc/self/comm" }, stdout = { file = name },
  }
  tap.is(pl:wait().ok, true)
  local f <close> = io.open(name)
  tap.is(f:read "a", "lovisor\n")
  os.remove(name)
end)

tap.test("stderr of every stage is read, in the stages' order", function()
  local pl <close> = pipeline {
    { "sh", "-c", "echo one >&2; echo a" },
    { "sh", "-c", "echo two >&2; cat", stderr = "null" },
    { "sh", "-c", "cat; echo three >&2" },
    stderr = "pipe", stdout = "pipe",
  }
  local r = pl:communicate()
  tap.is(r.stderr, "one\nthree\n")
  tap.is(r.stdout, "a\n")
end)

tap.test("stderr may go down the pipe with stdout", function()
  local pl <close> = pipeline {
    { "sh", "-c", "echo out; echo err >&2", stderr = "stdout" }, { "cat" },
    stdout = "pipe",
  }
  tap.is(pl:communicate().stdout, "out\nerr\n")
end)

tap.test("communicate feeds the first stage, in every way", function()
  local n = 0
  local inputs = { "12", { "1", "2" }, function()
    n = n + 1
    return n <= 2 and tostring(n) or nil
  end }
  for _, input in ipairs(inputs) do
    local pl <close> = pipeline { { "cat" }, { "cat" }, stdin = "pipe",
                                  stdout = "pipe" }
    tap.is(pl:communicate(input).stdout, "12")
  end
  local pl <close> = pipeline { { "cat" }, { "cat" }, stdout = "pipe" }
  tap.throws(function() pl:communicate "x" end, "UsageError")
end)

tap.test("much goes through", function()
  local input = ("0123456789abcdef"):rep(1 << 20)
  local pl <close> = pipeline { { "cat" }, { "cat" }, { "cat" },
                                stdin = "pipe", stdout = "pipe" }
  tap.ok(pl:communicate(input).stdout == input)
end)

tap.test("a timeout leaves the stages, and all output to the next call",
function()
  local pl <close> = pipeline { { "cat" }, { "cat" }, stdin = "pipe",
                                stdout = "pipe" }
  local talk = function()
    pl:communicate(function() task.sleep(600) end, { timeout = 0.02 })
  end
  tap.throws(talk, "Timeout")
  tap.throws(function() pl:wait(0.01) end, "Timeout")
  for _, p in ipairs(pl.stages) do tap.is(p.status, nil) end
  pl.stdin:write "late"
  pl.stdin:close()
  tap.is(pl:communicate().stdout, "late")
end)

tap.test("max_output holds for the last stage", function()
  local pl <close> = pipeline { { "yes" }, { "cat" }, stdout = "pipe" }
  tap.throws(function() pl:communicate(nil, { max_output = 100 }) end,
    "LimitOverrun")
  tap.is(pl.stages[1].status, nil)
end)

tap.test("a pipe that a grandchild holds is not waited for", function()
  local pl <close> = pipeline {
    { "true" }, { "sh", "-c", "sleep 600 & echo $!" }, stdout = "pipe",
  }
  local r = pl:communicate(nil, { linger = 0.02 })
  tap.is(r.pipe_held, true)
  tap.is(r.truncated, true)
  signal.send(tonumber(r.stdout), "KILL")
end)

tap.test("stdin and stdout can be used without communicate", function()
  local pl <close> = pipeline { { "cat" }, { "sed", "-u", "s/a/b/" },
                                stdin = "pipe", stdout = "pipe" }
  pl.stdin:write "aa\n"
  tap.is(pl.stdout:readline(), "ba")
  pl.stdin:close()
  tap.is(pl.stdout:readline(), nil)
  tap.is(pl:wait().ok, true)
end)

tap.test("stop ends all stages", function()
  local pl = pipeline { { "sleep", "600" }, { "cat" }, stdout = "null" }
  local pids = pids_of(pl)
  local r = pl:stop { signal = "HUP" }
  tap.is(r.ok, false)
  tap.is(r.stages[1].signal, "HUP")
  tap.ok(are_gone(pids))
  tap.is(pl:stop().stages[1].signal, "HUP", "and again nothing")
end)

tap.test("<close> ends all stages, also by an error", function()
  local pids
  tap.throws(function()
    local pl <close> = pipeline { { "sleep", "600" }, { "cat" },
                                  stdout = "pipe" }
    pids = pids_of(pl)
    error "out"
  end, "out")
  tap.ok(are_gone(pids))
end)

tap.test("where a later stage cannot be started, nothing is left", function()
  local _, err = tap.throws(function()
    pipeline { { "sleep", "600" }, { "sleep", "600" }, { "no-such-program" } }
  end, "SpawnError")
  tap.is(err.subject, "no-such-program")
end)

tap.test("wrong options are refused before anything is started", function()
  local name = os.tmpname()
  local touch = { "sh", "-c", "echo started > " .. name }
  for _, wrong in ipairs {
    { touch, { "cat", stdim = "pipe" } }, { touch, { "cat", stdin = "null" } },
    { { touch[1], touch[2], touch[3], stdout = "null" }, { "cat" } },
    { touch, {} }, { touch, "cat" }, {}, { touch, check = true },
  } do
    tap.throws(function() pipeline(wrong) end, "UsageError")
  end
  local f <close> = io.open(name)
  tap.is(f:read "a", "")
  os.remove(name)
end)

tap.done()
