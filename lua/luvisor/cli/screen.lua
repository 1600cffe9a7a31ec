--- The terminal that standard output may be: how wide it is, whether it has
-- colours, which characters it knows.
-- @local

local terminal = require "luvisor.core.terminal"

local M = {}

local STDOUT <const> = 1
local WIDTH <const> = 80 -- of one that does not say

local colours = { red = 31, green = 32, yellow = 33, blue = 34, grey = 90 }

local is_utf8, has_colours

-- As setlocale(3) looks for it.
local function locale()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local value = os.getenv(name)
    if value and value ~= "" then return value:lower() end
  end
  return ""
end

--- How many columns it has.
-- @treturn integer|nil nil: standard output is no terminal
function M.width()
  local _, columns = terminal.size(STDOUT)
  if not columns then return nil end
  return columns > 0 and columns or WIDTH
end

--- May more than ASCII be written?
-- @treturn boolean
function M.is_utf8()
  if is_utf8 == nil then is_utf8 = locale():find "utf%-?8" ~= nil end
  return is_utf8
end

local function look_for_colours()
  local no_color, term = os.getenv "NO_COLOR", os.getenv "TERM"
  return M.width() ~= nil and (no_color or "") == "" and term ~= nil
    and term ~= "dumb"
end

--- The text in a colour, where there are any.
-- @tparam string text
-- @tparam ?string colour "red", "green", "yellow", "blue", "grey"
-- @treturn string
function M.paint(text, colour)
  if has_colours == nil then has_colours = look_for_colours() end
  if not colour or not has_colours then return text end
  return ("\27[%dm%s\27[0m"):format(colours[colour], text)
end

return M
