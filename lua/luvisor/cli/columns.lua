--- Rows of cells in columns. On a terminal they fit its width: columns that can
-- be spared go, then the last one is cut. Elsewhere nothing is left out.
-- @local

local output = require "luvisor.cli.output"
local screen = require "luvisor.cli.screen"

local M = {}

local GAP <const> = "  "
local LEAST <const> = 16 -- columns of the last one before others make way

-- How many columns it takes: continuation bytes of UTF-8 take none.
local function width(text)
  return #text - select(2, text:gsub("[\x80-\xbf]", ""))
end

local function widths_of(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, width(cell))
    end
  end
  return widths
end

local function sum(widths, shown)
  local total = 0
  for _, i in ipairs(shown) do total = total + widths[i] + #GAP end
  return total - #GAP
end

-- The columns for which there is room, by number.
local function choose(widths, spare, room)
  local gone, shown = {}, {}
  local function count()
    shown = {}
    for i = 1, #widths do
      if not gone[i] then shown[#shown + 1] = i end
    end
    local excess = widths[#widths] - math.min(widths[#widths], LEAST)
    return sum(widths, shown) - excess
  end
  local n = 0
  while count() > room and n < #spare do
    n = n + 1
    gone[spare[n]] = true
  end
  return shown
end

-- The first n characters; the last of them says that there were more.
local function cut(text, n)
  if width(text) <= n then return text end
  local mark = screen.is_utf8() and "…" or "~"
  local stop = utf8.offset(text, n)
  if not utf8.len(text) or not stop then return text:sub(1, n - 1) .. mark end
  return text:sub(1, stop - 1) .. mark
end

local function line_of(row, shown, widths, paint)
  local parts = {}
  for place, i in ipairs(shown) do
    local cell = row[i]
    local gap = (" "):rep(widths[i] - width(cell))
    if place == #shown then gap = "" end
    parts[place] = (paint and paint(i, row) or cell) .. gap
  end
  return (table.concat(parts, GAP):gsub("%s+$", "")) .. "\n"
end

local function fit(rows, widths, spare, room)
  local shown = choose(widths, spare, room)
  local last = #widths
  local left = room - (sum(widths, shown) - widths[last])
  if widths[last] <= left then return shown end
  left = math.max(left, 1)
  for _, row in ipairs(rows) do row[last] = cut(row[last], left) end
  return shown
end

--- Print rows; the first has the titles.
-- @tparam {{string,...},...} rows
-- @tparam[opt] table opts spare: numbers of columns, those first that are least
-- missed; paint: called with a column's number and a row, returns the cell in
-- its colour
function M.write(rows, opts)
  opts = opts or {}
  local widths, shown = widths_of(rows), {}
  for i = 1, #widths do shown[i] = i end
  local room = screen.width()
  if room then shown = fit(rows, widths, opts.spare or {}, room) end
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = line_of(row, shown, widths, i > 1 and opts.paint or nil)
  end
  output.write(table.concat(lines))
end

return M
