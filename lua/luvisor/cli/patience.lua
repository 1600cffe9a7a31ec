--- Who waits long is told what for: on standard error, whenever it is another.
-- @local

local output = require "luvisor.cli.output"
local rows = require "luvisor.cli.rows"
local task = require "luvisor.task"

local M = {}

local PAUSE <const> = 1.5 -- seconds of silence

local function sentences(r, names)
  local lines = {}
  for name in pairs(names) do
    local ok, list = pcall(r.status, r, name)
    for _, one in ipairs(ok and list or {}) do
      lines[#lines + 1] = rows.sentence(one)
    end
  end
  table.sort(lines)
  return lines
end

local function tell(r, names)
  local told = {}
  while true do
    task.sleep(PAUSE)
    for _, line in ipairs(sentences(r, names)) do
      if not told[line] then io.stderr:write(output.plain(line), " …\n") end
      told[line] = true
    end
  end
end

--- Call a function that may wait long.
-- @param r the remote that is asked how things are; false: nobody is told
-- @tparam function fn called with a function `waits`, which is given the name
-- of what is waited for and returns what is closed when that is over
function M.with(r, fn)
  local names = {}
  local function waits(name)
    names[name] = true
    return setmetatable({}, { __close = function() names[name] = nil end })
  end
  if not r then return fn(waits) end
  task.nursery(function(n)
    n:spawn(tell, r, names)
    fn(waits)
    n:cancel()
  end)
end

return M
