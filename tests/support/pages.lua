-- What the tests of the documentation need: the fenced blocks of a page, and
-- texts in which "…" stands for anything.
-- local pages = dofile(SOURCE .. "/tests/support/pages.lua")

local process = require "luvisor.process"

local M = {}

local SOURCE <const> = assert(os.getenv "LUVISOR_SOURCE",
  "LUVISOR_SOURCE is not set")

function M.read(path)
  local file <close> = assert(io.open(SOURCE .. "/" .. path, "rb"))
  return file:read "a"
end

--- The lines that a command of a shell prints, run in the source.
function M.list(shell)
  local out = process.capture { shell = shell, cwd = SOURCE }
  local files = {}
  for name in out:gmatch "[^\n]+" do files[#files + 1] = name end
  return files
end

--- The fenced blocks of a page, in order: file, line, info, text.
function M.blocks_of(file)
  local blocks, open, number = {}, nil, 0
  for line in io.lines(SOURCE .. "/" .. file) do
    number = number + 1
    local info = line:match "^```(.*)"
    if info and open then
      open.text = table.concat(open.lines, "\n") .. "\n"
      open = nil
    elseif info then
      open = { info = info, line = number, lines = {}, file = file }
      blocks[#blocks + 1] = open
    elseif open then
      open.lines[#open.lines + 1] = line
    end
  end
  return blocks
end

--- What a program prints, as it stands in a page, as a pattern.
function M.pattern_of(text)
  local escaped = text:gsub("%p", "%%%0"):gsub("%s*$", "")
  return "^" .. escaped:gsub("…", ".-") .. "%s*$"
end

return M
