-- Read every line that a child writes: seq's, n of them.

local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local uv = bench.uv

local n = bench.size(5000000)
local lines, bytes, rest = 0, 0, ""
local stdout = uv.new_pipe()

local function take(text)
  text = rest .. text
  local last = 1
  for line, after in text:gmatch("([^\n]*)\n()") do
    lines = lines + 1
    bytes = bytes + #line
    last = after
  end
  rest = text:sub(last)
end

local start = bench.now()
bench.spawn("/usr/bin/seq", { tostring(n) }, stdout, function() end)
stdout:read_start(function(err, text)
  assert(not err, err)
  if text then take(text) else stdout:close() end
end)
uv.run()
local seconds = bench.now() - start
assert(lines == n and rest == "")
bench.report("lines", n, seconds, (', "bytes": %d'):format(bytes))
