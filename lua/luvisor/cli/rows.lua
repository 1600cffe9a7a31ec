--- Services as people read them: the columns of `status`, and sentences.
-- @local

local columns = require "luvisor.cli.columns"
local output = require "luvisor.cli.output"
local screen = require "luvisor.cli.screen"
local time = require "luvisor.time"

local M = {}

local titles = { "NAME", "STATE", "PID", "SINCE", "FOR", "RESTARTS", "WHY" }
local spare = { 4, 6, 3, 5 } -- on a narrow terminal

local colours = {
  running = "green", done = "green", failed = "red", backoff = "yellow",
  starting = "blue", stopping = "blue", waiting = "blue", stopped = "grey",
}

--- The name of a state in its colour.
-- @tparam string state
-- @treturn string
function M.state(state)
  return screen.paint(state, colours[state])
end

local function next_start(one)
  if not one.next then return nil end
  local seconds = one.next - time.wall()
  if seconds <= 0 then return "next now" end
  return "next in " .. output.duration(math.ceil(seconds))
end

local function reason(one)
  if one.state == "running" then return one.status_text end
  if one.reason and one.reason ~= "autostart" then return one.reason end
  if one.state == "starting" then return nil end
  return one.exit or one.state == "stopped" and "not started yet" or nil
end

-- What a person asks next: why is it so?
local function why(one)
  local parts = {}
  local function add(text)
    if text and text ~= "" then parts[#parts + 1] = output.plain(text) end
  end
  add(reason(one))
  if one.state ~= "running" then
    add(one.by_hand and "by hand")
    add(next_start(one))
  end
  return table.concat(parts, "; ")
end

local function row(one)
  return {
    one.name, one.state, one.pid and tostring(one.pid) or "-",
    output.time(one.since), output.duration(time.wall() - one.since),
    tostring(one.restarts), why(one),
  }
end

local function paint(i, cells)
  return i == 2 and M.state(cells[i]) or cells[i]
end

--- Print a table of services.
-- @tparam {table,...} list their statuses
function M.write(list)
  local rows = { table.move(titles, 1, #titles, 1, {}) }
  for _, one in ipairs(list) do rows[#rows + 1] = row(one) end
  columns.write(rows, { spare = spare, paint = paint })
end

--- One line: "web is running (pid 123)".
-- @tparam table one its status
-- @treturn string
function M.sentence(one)
  local text = ("%s is %s"):format(one.name, M.state(one.state))
  if one.pid then text = text .. (" (pid %d)"):format(one.pid) end
  local because = why(one)
  if one.state == "running" or because == "" then return text end
  return text .. ": " .. because
end

--- Print such lines, or the statuses as JSON.
-- @tparam table args json
-- @tparam {table,...} list statuses
function M.tell(args, list)
  if args.json then return output.json { services = list } end
  for _, one in ipairs(list) do output.write(M.sentence(one), "\n") end
end

return M
