-- How many system calls an operation costs us: counted, never timed. A bound
-- that is exceeded is a regression that no clock of a busy machine would show.
-- local calls = dofile(SOURCE .. "/tests/support/calls.lua")

local fs = require "luvisor.fs"
local process = require "luvisor.process"
local tap = require "luvisor.tap"

local children = dofile(os.getenv "LUVISOR_SOURCE"
  .. "/tests/support/children.lua")

local M = {}

local PRELUDE <const> = [[
  local lv = require "luvisor"
  local process, task, n = lv.process, lv.task, tonumber(arg[1])
]]

-- The calls of our thread in a run of a script with this n, by name; those of
-- the children and of other threads are not in it.
local function count(script, n)
  local log = os.getenv "TMPDIR" .. "/calls"
  process.run { "strace", "-c", "-qq", "-o", log, children.LUVISOR, "-e",
    PRELUDE .. script, tostring(n), stdout = "null" }
  local calls = { all = 0 }
  for line in fs.read_file(log):gmatch "[^\n]+" do
    local number, name = line:match "^ *%d+%.%d+ +%d+%.%d+ +%d+ +(%d+).- (%S+)$"
    if number and name ~= "total" then
      calls[name] = tonumber(number)
      calls.all = calls.all + number
    end
  end
  fs.remove(log)
  return calls
end

local FEW <const>, MANY <const> = 50, 150

--- What one of n costs: the start of the program is in both runs.
-- @tparam string script of Lua, which does n of them; it has process and task
-- @treturn table calls by name, and `all`
function M.cost(script)
  children.need_trace()
  if not children.has_pidfds then tap.skip "it costs more without pidfds" end
  local few, many = count(script, FEW), count(script, MANY)
  return setmetatable({}, { __index = function(_, name)
    return ((many[name] or 0) - (few[name] or 0)) / (MANY - FEW)
  end })
end

--- Test that it is no more than that.
-- @tparam table each from `cost`
-- @tparam table bounds by name
function M.at_most(each, bounds)
  for name, bound in pairs(bounds) do
    tap.ok(each[name] <= bound,
      ("%s: %.2f of at most %g"):format(name, each[name], bound))
  end
end

return M
