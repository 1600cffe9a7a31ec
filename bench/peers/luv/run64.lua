-- Run /bin/echo many times, 64 at once, and capture each stdout.

local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local uv = bench.uv

local JOBS <const> = 64

local n = bench.size(4000)
local left, done = n, 0

local function run_one()
  if left == 0 then return end
  left = left - 1
  local out, waits_for = {}, 2 -- the end of the child and that of its output
  local stdout = uv.new_pipe()
  local function ended()
    waits_for = waits_for - 1
    if waits_for > 0 then return end
    assert(table.concat(out) == "hello\n")
    done = done + 1
    run_one()
  end
  bench.spawn("/bin/echo", { "hello" }, stdout, ended)
  stdout:read_start(function(err, text)
    assert(not err, err)
    if text then
      out[#out + 1] = text
    else
      stdout:close()
      ended()
    end
  end)
end

local start = bench.now()
for _ = 1, JOBS do run_one() end
uv.run()
assert(done == n)
bench.report("run64", n, bench.now() - start)
