--- Services as people read them: the columns of `status`, and sentences.
-- @local

local output = require "luvisor.cli.output"
local time = require "luvisor.time"

local M = {}

M.TITLES = { "NAME", "STATE", "PID", "SINCE", "FOR", "RESTARTS", "WHY" }

local function next_start(one)
  if not one.next then return nil end
  local seconds = one.next - time.wall()
  if seconds <= 0 then return "next now" end
  return "next in " .. output.duration(math.ceil(seconds))
end

local function by_hand(one)
  return one.by_hand and "by hand" or nil
end

-- What a person asks next: why is it so?
local function why(one)
  local parts = {}
  local function add(text)
    if text and text ~= "" then parts[#parts + 1] = output.plain(text) end
  end
  if one.state == "running" then
    add(one.status_text)
  else
    add(one.reason or one.exit)
    add(by_hand(one))
    add(next_start(one))
  end
  return table.concat(parts, "; ")
end

--- The cells of a service's row.
-- @tparam table one its status
-- @treturn {string,...}
function M.row(one)
  return {
    one.name, one.state, one.pid and tostring(one.pid) or "-",
    output.time(one.since), output.duration(time.wall() - one.since),
    tostring(one.restarts), why(one),
  }
end

--- One line: "web is running (pid 123)".
-- @tparam table one its status
-- @treturn string
function M.sentence(one)
  local text = ("%s is %s"):format(one.name, one.state)
  if one.pid then text = text .. (" (pid %d)"):format(one.pid) end
  local reason = why(one)
  if one.state ~= "running" and reason ~= "" then
    text = text .. ": " .. reason
  end
  return text
end

return M
