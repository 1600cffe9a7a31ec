-- bench/common.lua — What the benchmarks share: the size, the clock and the
-- one line of JSON that each of them prints. Used by
--   local bench = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local time = require "luvisor.time"

local M = { now = time.now }

--- The size on the command line, or the usual one.
function M.size(usual)
  return math.tointeger(tonumber(arg[1])) or usual
end

--- Print the result. Each of `more` is {name, value, format}.
function M.report(bench, n, seconds, more)
  local members = {
    ('"bench": "%s", "impl": "luvisor", "n": %d'):format(bench, n),
    ('"seconds": %.6f, "us_per_op": %.3f'):format(seconds, seconds / n * 1e6),
  }
  for _, member in ipairs(more or {}) do
    local name, value, format = table.unpack(member)
    members[#members + 1] = ('"%s": ' .. format):format(name, value)
  end
  print("{" .. table.concat(members, ", ") .. "}")
end

return M
