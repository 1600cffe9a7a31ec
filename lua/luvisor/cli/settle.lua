--- A second look at what has just been started. Without a `ready` of its own a
-- service is running as soon as its program is executed, and one that does not
-- like its arguments has ended a moment later.
-- @local

local errors = require "luvisor.error"
local rows = require "luvisor.cli.rows"
local task = require "luvisor.task"

local M = {}

local MOMENT <const> = 0.3 -- seconds
local LAST_WORDS <const> = 5 -- lines

local function is_young(one)
  return one.state == "running" and (one.uptime or 0) < MOMENT
end

local is_going = { running = true, done = true, stopping = true,
                   stopped = true }

-- Stopped by somebody else meanwhile is no failure.
local function has_failed(before, now)
  return not is_going[now.state]
    or now.state == "running" and now.pid ~= before.pid
end

local function sentence(r, one)
  local lines = { rows.sentence(one) }
  for line in r:logs(one.name, { n = LAST_WORDS }) do
    lines[#lines + 1] = "  " .. line
  end
  return table.concat(lines, "\n")
end

local function by_name(list)
  local map = {}
  for _, one in ipairs(list) do map[one.name] = one end
  return map
end

--- Look again at those that are young. Waits a moment, if there are any.
-- @tparam Remote r
-- @tparam string name
-- @tparam {table,...} list their statuses
-- @treturn {table,...} their statuses now
-- @raise Failed: one has ended; why, and the end of its log
function M.look(r, name, list)
  local young = {}
  for _, one in ipairs(list) do
    if is_young(one) then young[#young + 1] = one end
  end
  if #young == 0 then return list end
  task.sleep(MOMENT)
  local now = r:status(name)
  local is = by_name(now)
  for _, one in ipairs(young) do
    local it = is[one.name]
    if it and has_failed(one, it) then
      errors.raise { kind = "Failed", exit_code = 1, subject = one.name,
        message = sentence(r, it) }
    end
  end
  return now
end

return M
