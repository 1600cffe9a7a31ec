-- Fuzz the splitting of shell words: against a model that reads byte by byte,
-- and what is quoted is split into the same words again.

local errors = require "luvisor.error"
local words = require "luvisor.words"

-- -- The model: a machine whose states are functions of a byte ----------------

local blank = { [" "] = true, ["\t"] = true, ["\n"] = true }
local escapable = { ["$"] = true, ["`"] = true, ['"'] = true, ["\\"] = true }

local states = {}

local function add(m, text)
  m.word = (m.word or "") .. text
end

local function enter(m, state)
  m.state, m.since = state, m.column
end

function states.outside(m, c)
  if c == "\\" then return enter(m, "escape") end
  if blank[c] then
    m.words[#m.words + 1] = m.word
    m.word = nil
  elseif c == "'" then
    add(m, "")
    enter(m, "single")
  elseif c == '"' then
    add(m, "")
    enter(m, "double")
  else
    add(m, c)
  end
end

function states.escape(m, c)
  if c ~= "\n" then add(m, c) end
  m.state = "outside"
end

function states.single(m, c)
  if c == "'" then m.state = "outside" else add(m, c) end
end

function states.double(m, c)
  if c == '"' then
    m.state = "outside"
  elseif c == "\\" then
    m.state = "double_escape"
  else
    add(m, c)
  end
end

function states.double_escape(m, c)
  m.state = "double"
  if escapable[c] then add(m, c) elseif c ~= "\n" then add(m, "\\" .. c) end
end

-- The words, or nil and the column where something begins that does not end.
local function split(line)
  local m = { state = "outside", words = {}, column = 0 }
  for c in line:gmatch "." do
    m.column = m.column + 1
    states[m.state](m, c)
  end
  if m.state ~= "outside" then return nil, m.since end
  m.words[#m.words + 1] = m.word
  return m.words
end

-- -- What must hold -----------------------------------------------------------

local function check_same(list, want, line)
  for i = 1, math.max(#list, #want) do
    if list[i] ~= want[i] then
      error(("%q: word %d is %q, not %q"):format(line, i, list[i] or "nothing",
        want[i] or "nothing"), 0)
    end
  end
end

local function check_refused(line, err, column)
  if not errors.is_error(err) or err.kind ~= "UsageError"
    or not tostring(err):find("column " .. column .. "$") then
    error(("%q: column %d, not %s"):format(line, column, err), 0)
  end
end

-- No argument can hold a zero byte.
local function check_quoted(list)
  local ok, line = pcall(words.quote, list)
  local has_zero = table.concat(list):find("\0", 1, true) ~= nil
  if ok == has_zero then error(line, 0) end
  if ok then check_same(words.split(line), list, line) end
end

return function(bytes)
  local want, column = split(bytes)
  local ok, list = pcall(words.split, bytes)
  if want then
    if not ok then error(list, 0) end
    check_same(list, want, bytes)
    check_quoted(list)
  else
    if ok then error(("%q is split"):format(bytes), 0) end
    check_refused(bytes, list, column)
  end
  check_quoted { bytes }
end
