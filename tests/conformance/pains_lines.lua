-- What users of other runtimes suffer: lines that are too long, output that is
-- cut off at 64 KiB, an end that is told before what was written.

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local children = dofile(SOURCE .. "/tests/support/children.lua")

local process = require "luvisor.process"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

-- Writes a line of each of these lengths, without the newline.
local LINES <const> = [[for n in "$@"; do
  head -c $n /dev/zero | tr '\0' x; echo; done]]

local function lines_of(sizes, opts)
  local all = { "sh", "-c", LINES, "sh", stdout = "pipe" }
  table.move(sizes, 1, #sizes, 5, all)
  for name, value in pairs(opts or {}) do all[name] = value end
  return process.spawn(all)
end

-- -- Long lines ---------------------------------------------------------------

-- 64 KiB is where asyncio gives up; around it all must be the same.
local SIZES <const> = { 0, 65535, 65536, 65537, 1, 131072, 1048575, 1048576, 3 }

tap.test("ipython#14005, trinity#1355, dagster-meltano#25, acodex#24, "
  .. "jupyter-ai-acp#32, hermes-agent#31417, remote-factory#741, "
  .. "subprocess-tee#28, shellous#996: a line may be longer than 64 KiB",
function()
  for _, limit in ipairs { 10, 65536, 262144 } do
    local p <close> = lines_of(SIZES, { limit = limit })
    local got = {}
    for line in p.stdout:lines() do got[#got + 1] = #line end
    tap.is_deeply(got, SIZES, "with a limit of " .. limit)
    p:wait()
  end
end)

tap.test("hermes-agent#31417: also where both outputs are read by lines",
function()
  local p <close> = lines_of({ 65537, 500000, 2 }, { stderr = "stdout" })
  local got = {}
  for _, line in p:lines() do got[#got + 1] = #line end
  tap.is_deeply(got, { 65537, 500000, 2 })
  p:wait()
end)

-- A message of NDJSON with a payload of n bytes.
local function message(n)
  return ('{"id":%d,"data":"%s"}'):format(n, ("a"):rep(n))
end

tap.test("acodex#24, remote-factory#741: a talk in NDJSON with messages of "
  .. "up to 10 MB", function()
  local p <close> = process.spawn { "cat", stdin = "pipe", stdout = "pipe",
                                    max_line = 16 << 20 }
  for _, n in ipairs { 10, 65536, 100, 1 << 20, 10000000, 1 } do
    local sent = message(n)
    task.gather(function()
      p.stdin:write(sent, "\n")
    end, function()
      tap.ok(p.stdout:readline() == sent, n .. " bytes of payload")
    end)
  end
  p.stdin:close()
  tap.is(p.stdout:readline(), nil)
  p:wait()
end)

tap.test("shellous#1008: a line over the limit that one sets is refused, not "
  .. "lost", function()
  local p <close> = lines_of({ 2000, 5 }, { max_line = 1000 })
  for _ = 1, 2 do
    local _, err = tap.throws(function() p.stdout:readline() end,
      "LimitOverrun")
    tap.ok(err.consumed >= 1000)
  end
  p.stdout.max_line = 2000
  tap.is(#p.stdout:readline(), 2000)
  tap.is(p.stdout:readline(), "xxxxx")
  p:wait()
end)

-- -- The end, and what was written before -------------------------------------

tap.test("luv#499, #677, luvit#944, diffview-plus#195: what was written before "
  .. "the exit is there after it", function()
  for _, n in ipairs { 1, 4096, 50000, 65536 } do
    for _ = 1, 5 do
      local p <close> = process.spawn { "sh", "-c", "head -c " .. n
        .. " /dev/zero; head -c 10 /dev/zero >&2", stdout = "pipe",
        stderr = "pipe" }
      p:wait(30)
      tap.is(#p.stdout:read(), n)
      tap.is(#p.stderr:read(), 10)
    end
  end
end)

tap.test("luv#499: events, too, come in an order: data, its end, the exit's "
  .. "last word", function()
  local done = {}
  task.nursery(function(n)
    for i = 1, 10 do
      local events, bytes = {}, 0
      done[i] = events
      n:spawn(process.spawn, {
        "sh", "-c", "head -c 100000 /dev/zero; exit 3", stdout = "pipe",
        protocol = {
          pipe_data_received = function(_, _, data) bytes = bytes + #data end,
          pipe_connection_lost = function() events[#events + 1] = bytes end,
          connection_lost = function(p)
            events[#events + 1] = p.returncode
          end,
        },
      })
    end
  end)
  for _, events in ipairs(done) do tap.is_deeply(events, { 100000, 3 }) end
end)

-- -- Our own output -----------------------------------------------------------

local ENDINGS <const> = {
  ["the script's end"] = { "", 0 }, ["os.exit"] = { "os.exit(4)", 4 },
  ["os.exit in a task"] = { "task.spawn(os.exit, 5) task.sleep(600)", 5 },
  ["an error"] = { "error 'no'", 1 },
}

tap.test("node#53242: what we have written to a pipe is there, however we end",
function()
  for name, case in pairs(ENDINGS) do
    for _, how in ipairs { "io.write(big)", "print(big)",
                           "stream.stdout:write(big)" } do
      local p <close> = children.start(
        "local big = ('x'):rep(300000) " .. how .. " " .. case[1],
        { stderr = "null" })
      tap.eventually(function() return p.stdout:_in_kernel() == 65536 end)
      local out = p.stdout:read()
      tap.is(#out:gsub("\n", ""), 300000, name .. ", " .. how)
      tap.is(p:wait().code, case[2])
    end
  end
end)

tap.test("node#53242: also where a slow reader takes its time", function()
  local p <close> = children.start([[
    print(("x"):rep(200000))
    os.exit(0)
  ]], { stderr = "null" })
  local n = 0
  for piece in p.stdout:chunks(10000) do
    n = n + #piece
    task.sleep(0.001)
  end
  tap.is(n, 200001)
  tap.ok(p:wait().ok)
end)

tap.done()
