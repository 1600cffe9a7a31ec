--- The type of `schedule`.
-- @local

local checker = require "luvisor.supervisor.checker"
local cron = require "luvisor.supervisor.cron"
local types = require "luvisor.supervisor.types"
local units = require "luvisor.supervisor.units"

local M = {}

local EVERY <const> = "a duration as \"5m\", more than 0"

local function pace(value)
  local seconds = units.duration(value)
  if seconds and seconds > 0 then return seconds end
  return nil, EVERY
end

local function expression(value)
  if type(value) ~= "string" then return nil, "five fields as \"0 3 * * *\"" end
  local at, why = cron.parse(value)
  if not at then return nil, why, true end
  return at
end

local function key(kind, doc, default)
  return { kind = kind, doc = doc, default = default }
end

--- What stands in a table that is `schedule`.
M.keys = {
  at = key(expression, "five fields as crontab(5) has them, in local time; or "
    .. "@hourly, @daily, @weekly, @monthly, @yearly"),
  every = key(pace, "or at this pace"),
  overlap = key(types.one_of("skip", "queue", "kill"), "when its time comes "
    .. "and it still runs: leave this run out, make up for it at once, or end "
    .. "the one that runs", "skip"),
  jitter = key(types.duration, "it is late by as much as this, at random", 0),
}

local SCHEDULE <const> = "\"every 5m\", \"0 3 * * *\" or { at = "
  .. "\"0 3 * * *\", overlap = \"skip\", jitter = \"30s\" }"

-- "every 5m" and "0 3 * * *" as the tables that they stand for.
local function as_table(text)
  local every = text:match "^every%s+(%S+)$"
  return every and { every = every } or { at = text }
end

-- The list { "every 5m", jitter = … } is one, too.
local function spread(value)
  if type(value) == "string" then return as_table(value) end
  if type(value) ~= "table" or type(value[1]) ~= "string" then return value end
  local result = as_table(value[1])
  for name, one in pairs(value) do
    if name ~= 1 then result[name] = one end
  end
  return result
end

--- "every 5m", an expression of cron, or { at | every =, overlap =, jitter = }.
-- @return at or every, overlap, jitter
function M.schedule(value, context)
  value = spread(value)
  if type(value) ~= "table" then return nil, SCHEDULE end
  local schedule, why = checker.fields(value, M.keys, context)
  if not schedule then return nil, why, true end
  local is_one = (schedule.at == nil) ~= (schedule.every == nil)
  if not is_one then return nil, SCHEDULE end
  return schedule
end

return M
