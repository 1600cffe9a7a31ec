--- Shell words: a list of words to one line that a POSIX shell reads back as
-- that list, and such a line to the list. Nothing is expanded or run.
-- `luvisor.process` hands these functions on as its `quote` and `split`.
-- @local

local errors = require "luvisor.error"

local M = {}

-- A shell takes these for its own grammar where it expects a command.
local reserved = {}
for word in ("case do done elif else esac fi for function if in select then "
  .. "time until while"):gmatch("%a+") do
  reserved[word] = true
end

-- A word of these bytes alone means itself, unless it begins as an assignment
-- (A=b) does or is reserved.
local function is_plain(word)
  return not word:find("[^%w_@%%+=:,./-]") and not word:find("^[%a_][%w_]*%+?=")
    and not reserved[word]
end

local function quote_word(word, position)
  if type(word) == "number" then word = tostring(word) end
  if type(word) ~= "string" then
    errors.usage("process.quote: word%s must be a string, got %s",
                 position and " " .. position or "", type(word))
  end
  if word:find("\0", 1, true) then
    errors.usage("process.quote: a word cannot hold a zero byte: %q", word)
  end
  if word == "" then return "''" end
  if is_plain(word) then return word end
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

--- Make one shell-safe word of a string, or a line of a list.
-- @tparam string|table words a string, or a list of strings; numbers are
-- taken as they print
-- @treturn string what a POSIX shell reads as exactly these words; the empty
-- string is `''`
-- @raise UsageError: neither; a zero byte, which no argument can hold
-- @usage
--   local words = require "luvisor.words"
--   assert(words.quote("it's") == [['it'\''s']])
--   assert(words.quote { "ls", "-l", "my file" } == "ls -l 'my file'")
function M.quote(words)
  if type(words) ~= "table" then return quote_word(words) end
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote_word(word, i) end
  return table.concat(quoted, " ")
end

local function unfinished(what, column)
  errors.usage("process.split: unfinished %s at column %d", what, column)
end

-- Each of these reads from column i and returns the text that is meant and
-- the column after it.

local function read_single(line, i)
  local close = line:find("'", i + 1, true) or unfinished("' quote", i)
  return line:sub(i + 1, close - 1), close + 1
end

-- A backslash in double quotes escapes these; before others it stays.
local escapes = {
  ["$"] = "$", ["`"] = "`", ['"'] = '"', ["\\"] = "\\", ["\n"] = "",
}

local function read_double(line, i)
  local parts, start = {}, i
  i = i + 1
  while true do
    local stop = line:find('["\\]', i) or unfinished('" quote', start)
    parts[#parts + 1] = line:sub(i, stop - 1)
    if line:sub(stop, stop) == '"' then
      return table.concat(parts), stop + 1
    end
    local pair = line:sub(stop, stop + 1)
    parts[#parts + 1] = escapes[pair:sub(2)] or pair
    i = stop + 2
  end
end

local function read_backslash(line, i)
  if i == #line then unfinished("escape", i) end
  local char = line:sub(i + 1, i + 1)
  return char == "\n" and "" or char, i + 2
end

local function read_plain(line, i)
  local stop = line:find("['\"\\ \t\n]", i) or #line + 1
  return line:sub(i, stop - 1), stop
end

local readers = {
  ["'"] = read_single, ['"'] = read_double, ["\\"] = read_backslash,
}

local function read_word(line, i)
  local parts = {}
  while i <= #line and not line:find("^[ \t\n]", i) do
    local read = readers[line:sub(i, i)] or read_plain
    parts[#parts + 1], i = read(line, i)
  end
  return table.concat(parts), i
end

--- Split a line into words as a POSIX shell does: blanks and newlines
-- separate, quotes and backslashes group, and a backslash before the end of a
-- line joins the next. Nothing else has a meaning: `$HOME`, `*`, `|`, `;` and
-- `#` are text.
-- @tparam string line
-- @treturn table list of strings
-- @raise UsageError that names the column (byte, from 1) where a quote or an
-- escape begins that does not end
-- @usage
--   local words = require "luvisor.words"
--   local list = words.split [[grep -e "a b" 'c d' e\ f]]
--   assert(#list == 5 and list[3] == "a b" and list[5] == "e f")
function M.split(line)
  if type(line) ~= "string" then
    errors.usage("process.split: line must be a string, got %s", type(line))
  end
  local words, i = {}, line:find("[^ \t\n]")
  while i do
    -- An escaped newline between words is none.
    if line:sub(i, i + 1) == "\\\n" then
      i = i + 2
    else
      words[#words + 1], i = read_word(line, i)
    end
    i = line:find("[^ \t\n]", i)
  end
  return words
end

return M
