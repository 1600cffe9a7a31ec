local process = require "luvisor.process"
local stream = require "luvisor.stream"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local LUVISOR <const> = os.getenv "LUVISOR" or "/proc/self/exe"
local PIPE <const>, HIGH_WATER <const> = 65536, 65536

local function waits(t)
  tap.eventually(function() return t.state == "waiting" end)
end

-- A pipe with n bytes queued that the kernel has not taken.
local function full_pipe(n)
  local r, w = stream.pipe()
  w:write(("."):rep(PIPE))
  tap.is(w:pending(), 0, "a pipe takes what it holds")
  w:write(("."):rep(n or 0))
  tap.is(w:pending(), n or 0, "and no more")
  return r, w
end

tap.test("write takes strings and numbers, as many as are given", function()
  local r, w = stream.pipe()
  w:write("a", 1, 2.5, "", "b\0c", 1e100, -3)
  w:write()
  w:writelines { "x", 1, "", "y\n" }
  w:writelines {}
  w:close()
  tap.is(r:read(), "a12.5b\0c1e+100-3x1y\n")
end)

tap.test("wrong arguments are refused, and nothing is written", function()
  local r, w = stream.pipe()
  for _, wrong in ipairs { {}, true, print } do
    tap.throws(function() w:write("a", wrong) end, "UsageError")
    tap.throws(function() w:writelines { "a", wrong } end, "UsageError")
  end
  tap.throws(function() w:writelines(5) end, "UsageError")
  tap.throws(function() w:write("a", nil) end, "expected a string or number")
  tap.throws(function() w:writelines("abc") end, "list of strings")
  tap.throws(function() w.write("a") end, "expected a Writer, got string")
  w:close()
  tap.is(r:read(), "")
end)

tap.test("write waits while more than 64 KiB are not taken", function()
  local r, w = full_pipe(HIGH_WATER)
  local writing = task.spawn(function() w:write("!") end)
  waits(writing)
  tap.is(w:pending(), HIGH_WATER + 1)
  tap.is(#r:read(PIPE), PIPE)
  writing:join()
  w:close()
  tap.is(#r:read(), HIGH_WATER + 1, "nothing is lost")
end)

tap.test("bytes of one write stay together, in the order of the writes",
  function()
    local r, w = stream.pipe()
    local writers, want = {}, {}
    for i = 1, 8 do
      local c = string.char(64 + i)
      local text = c:rep(i % 2 == 0 and 300000 or 3000)
      want[i] = text
      writers[i] = task.spawn(function() w:write(text) end)
    end
    local closing = task.spawn(function()
      for _, t in ipairs(writers) do t:join() end
      w:close()
    end)
    tap.ok(r:read() == table.concat(want))
    closing:join()
  end)

tap.test("a string that waits to be written is not collected", function()
  local r, w = full_pipe()
  local writing = task.spawn(function() w:write(("long "):rep(50000)) end)
  waits(writing)
  writing:cancel()
  tap.throws(function() writing:join() end, "Cancelled")
  writing = nil -- luacheck: ignore 311
  for _ = 1, 3 do
    collectgarbage()
    local _ = ("other"):rep(50000)
  end
  tap.is(w:pending(), 250000, "a cancelled write stays queued")
  w:close()
  tap.is(#r:readexactly(PIPE), PIPE)
  tap.ok(r:read() == ("long "):rep(50000))
end)

tap.test("writelines may be cancelled and its list changed", function()
  local r, w = full_pipe()
  local list = {}
  for i = 1, 10 do list[i] = tostring(i % 10):rep(20000) end
  local want = table.concat(list)
  local writing = task.spawn(function() w:writelines(list) end)
  waits(writing)
  for i = 1, 10 do list[i] = nil end
  collectgarbage()
  writing:cancel()
  w:close()
  r:readexactly(PIPE)
  tap.ok(r:read() == want)
end)

tap.test("drain waits until all is taken, in any number of tasks", function()
  local r, w = full_pipe(1000)
  local drained = 0
  for _ = 1, 10 do
    task.spawn(function()
      w:drain()
      drained = drained + 1
    end)
  end
  task.checkpoint()
  task.checkpoint()
  tap.is(drained, 0)
  r:readexactly(PIPE)
  tap.eventually(function() return drained == 10 end)
  tap.is(w:pending(), 0)
  w:drain()
  w:close()
  w:drain()
end)

tap.test("a cancelled drain leaves the bytes and the other waiters", function()
  local r, w = full_pipe(1000)
  local first = task.spawn(function() w:drain() end)
  local second = task.spawn(function() w:drain() end)
  waits(second)
  first:cancel()
  tap.throws(function() first:join() end, "Cancelled")
  w:close()
  tap.is(#r:read(), PIPE + 1000)
  second:join()
end)

-- closing ---------------------------------------------------------------------

tap.test("close returns at once, and all that was written arrives", function()
  local r, w = full_pipe(HIGH_WATER)
  tap.ok(not w:is_closing())
  w:close()
  tap.ok(w:is_closing())
  w:close()
  tap.throws(function() w:write("x") end, "Closed")
  tap.throws(function() w:writelines {} end, "Closed")
  local draining = task.spawn(function() w:drain() end)
  waits(draining)
  tap.is(#r:read(), PIPE + HIGH_WATER)
  draining:join()
  tap.is(w:fileno(), nil)
end)

tap.test("a write that waits when the writer is closed gets through", function()
  local r, w = full_pipe()
  local writing = task.spawn(function() w:write(("x"):rep(200000)) end)
  waits(writing)
  w:close()
  tap.is(#r:read(), PIPE + 200000)
  writing:join()
end)

tap.test("leaving a block closes the writer of a <close> variable", function()
  local r
  do
    local reader, writer = stream.pipe()
    local w <close> = writer
    r = reader
    w:write("x")
  end
  tap.is(r:read(), "x")
end)

tap.test("a writer that nobody holds is flushed and closed", function()
  local r
  do
    local w
    r, w = full_pipe(1000)
    w:write("end")
    w = nil -- luacheck: ignore 311
  end
  collectgarbage()
  collectgarbage()
  tap.is(#r:read(), PIPE + 1003)
end)

tap.test("abort closes at once and drops what was not taken", function()
  local r, w = full_pipe(HIGH_WATER)
  local writing = task.spawn(function()
    tap.throws(function() w:write("x") end, "Closed")
  end)
  waits(writing)
  w:abort()
  w:abort()
  writing:join()
  tap.ok(w:is_closing())
  tap.is(w:pending(), 0)
  tap.throws(function() w:write("x") end, "Closed")
  tap.throws(function() w:drain() end, "Closed", "it never will be drained")
  w:close()
  tap.is(#r:read(), PIPE)
end)

tap.test("abort of a writer with nothing to drop is a close", function()
  local r, w = stream.pipe()
  w:write("x")
  w:abort()
  w:drain()
  tap.is(r:read(), "x")
end)

-- broken pipes ----------------------------------------------------------------

tap.test("writing where nobody reads raises BrokenPipe", function()
  local r, w = stream.pipe()
  r:close()
  for _ = 1, 2 do
    local _, err = tap.throws(function() w:write("x") end, "BrokenPipe")
    tap.ok(err:is "EPIPE")
  end
  tap.throws(function() w:drain() end, "BrokenPipe")
  tap.ok(w:is_closing())
  w:close()
end)

tap.test("a write and a drain that wait hear of a broken pipe", function()
  local r, w = full_pipe(HIGH_WATER)
  local function fail(method)
    tap.throws(function() w[method](w, "x") end, "BrokenPipe")
  end
  local tasks = { task.spawn(fail, "write"), task.spawn(fail, "drain"),
                  task.spawn(fail, "drain") }
  for _, t in ipairs(tasks) do waits(t) end
  r:close()
  for _, t in ipairs(tasks) do t:join() end
  tap.is(w:pending(), 0)
end)

tap.test("a child that ends breaks the pipe to it, and a loop of writes ends",
  function()
    local p <close> = process.spawn { "true", stdin = "pipe" }
    p:wait()
    tap.throws(function()
      while true do
        p.stdin:write(("x"):rep(1000))
        p.stdin:drain()
      end
    end, "BrokenPipe")
  end)

tap.test("a closed writer that still flushes to nobody does no harm", function()
  local r, w = full_pipe(1000)
  w:close()
  r:close()
  tap.throws(function() w:drain() end, "BrokenPipe")
end)

-- the end of the script -------------------------------------------------------

-- Run a script in a luvisor of its own.
local function script(text, options)
  options = options or {}
  table.move({ LUVISOR, "-e", text }, 1, 3, 1, options)
  return options
end

tap.test("at the script's end all that was written to a pipe arrives",
  function()
    -- The other end is read only when the child has nothing else to do.
    local p = process.spawn(script([[
      local stream = require "luvisor.stream"
      local w = stream.open(1, "w")
      w:write(("x"):rep(200000))
    ]], { stdout = "pipe" }))
    tap.eventually(function() return p.stdout:_in_kernel() == PIPE end)
    tap.is(#p.stdout:read(), 200000)
    tap.ok(p:wait().ok)

    p = process.spawn(script([[
      local stream = require "luvisor.stream"
      local task = require "luvisor.task"
      local w = stream.open(1, "w")
      task.move_on(0.01, w.write, w, ("x"):rep(300000))
      w:close()
    ]], { stdout = "pipe" }))
    tap.eventually(function() return p.stdout:_in_kernel() == PIPE end)
    tap.is(#p.stdout:read(), 300000, "a closed one, too")
    tap.ok(p:wait().ok)
  end)

tap.test("at the script's end a detached child gets all of its stdin",
  function()
    local r = process.run(script [[
      local process = require "luvisor.process"
      local task = require "luvisor.task"
      local p = process.spawn { "sh", "-c", "sleep 0.05; wc -c", stdin = "pipe",
        stdout = "inherit" }
      p:detach()
      task.move_on(0.01, p.stdin.write, p.stdin, ("x"):rep(300000))
    ]])
    tap.is(r.stdout:match("%d+"), "300000")
  end)

tap.done()
