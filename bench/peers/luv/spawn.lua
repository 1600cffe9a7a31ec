-- Start /bin/true and wait for it, one after another.

local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local n = bench.size(2000)
local left = n

local function next_one()
  if left == 0 then return end
  left = left - 1
  bench.spawn("/bin/true", {}, nil, next_one)
end

local start = bench.now()
next_one()
bench.uv.run()
assert(left == 0)
bench.report("spawn", n, bench.now() - start)
