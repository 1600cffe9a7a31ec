--- Durations and sizes as people write them: "500ms", "5m", "10M".
-- @module luvisor.supervisor.units

local M = {}

local seconds = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }

--- Seconds of a duration.
-- @param value a number of seconds, or as "500ms" "10s" "5m" "1h" "1h30m"
-- @treturn number|nil nil if it is none
-- @usage assert(units.duration "1m30s" == 90)
function M.duration(value)
  if type(value) == "number" then
    return value >= 0 and value < math.huge and value or nil
  end
  if type(value) ~= "string" or value == "" then return nil end
  local total, at = 0, 1
  while at <= #value do
    local _, stop, number, unit = value:find("^(%d+%.?%d*)(%a+)", at)
    if not stop or not seconds[unit] then return nil end
    total = total + tonumber(number) * seconds[unit]
    at = stop + 1
  end
  return total
end

local bytes = {
  [""] = 1, B = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30, T = 1 << 40,
}

--- Bytes of a size.
-- @param value bytes, or as "64K" "10M" "1G" (of 1024 each), "10MB", "10MiB"
-- @treturn integer|nil nil if it is none
-- @usage assert(units.size "10M" == 10485760)
function M.size(value)
  if math.type(value) == "integer" then return value >= 0 and value or nil end
  if type(value) ~= "string" then return nil end
  local number, unit = value:match "^(%d+%.?%d*)%s*(%a*)$"
  if not number then return nil end
  unit = unit:upper():gsub("IB$", ""):gsub("(.)B$", "%1")
  local factor = bytes[unit]
  return factor and math.floor(tonumber(number) * factor) or nil
end

return M
