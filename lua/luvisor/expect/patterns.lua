--- What a session waits for: the patterns as a script gives them, made ready
-- for the search.
-- @local

local core = require "luvisor.core.expect"
local errors = require "luvisor.error"

local M = {}

-- How far string.find, which has no memory, is let go back.
local REFER_WINDOW <const> = 4096
local MOST_SHOWN <const>, LONGEST_SHOWN <const> = 6, 60

local function constant(name)
  return setmetatable({}, {
    __name = name, __tostring = function() return name end,
  })
end

M.EOF = constant "expect.EOF"
M.TIMEOUT = constant "expect.TIMEOUT"

local function is_literal(pattern)
  return type(pattern) == "table" and pattern.literal ~= nil
end

local function text_of(pattern)
  if type(pattern) == "string" then return pattern, false end
  if type(pattern) == "table" and pattern ~= M.EOF and pattern ~= M.TIMEOUT then
    errors.check_options("expect: a pattern", pattern, { literal = "string" })
    if pattern.literal then return pattern.literal, true end
  end
  errors.usage("expect: a pattern is a string, { literal = \"text\" }, "
    .. "expect.EOF or expect.TIMEOUT, got %s", tostring(pattern))
end

local function add_text(wanted, pattern, i, session)
  local text, literal = text_of(pattern)
  if text == "" then
    errors.usage("expect: an empty pattern would be found without waiting")
  end
  if literal and #text > session.max_buffer then
    errors.usage("expect: a literal of %d bytes cannot be found: max_buffer "
      .. "is %d", #text, session.max_buffer)
  end
  local specs = wanted.specs
  specs[#specs + 1] = {
    text = text, literal = literal or not text:find "[%^$*+?.()[%]%%-]",
  }
  wanted.index[#specs] = i
end

-- A single pattern, or a list of them.
local function listed(patterns)
  local single = type(patterns) ~= "table" or patterns == M.EOF
    or patterns == M.TIMEOUT or is_literal(patterns)
  local list = single and { patterns } or patterns
  if #list == 0 then
    errors.usage("expect: a pattern or a list of patterns is needed, got %s",
      single and tostring(patterns) or "an empty list")
  end
  return list
end

-- Whether both lists wait for the same, so that the search can go on.
local function same(a, b)
  if #a ~= #b then return false end
  for i, pattern in ipairs(a) do
    local other = b[i]
    local both_literal = is_literal(pattern) and is_literal(other)
      and pattern.literal == other.literal
    if pattern ~= other and not both_literal then return false end
  end
  return true
end

local function copy(list)
  local new = {}
  for i, pattern in ipairs(list) do
    new[i] = is_literal(pattern) and { literal = pattern.literal } or pattern
  end
  return new
end

local function compile(list, session)
  local wanted = { list = copy(list), specs = {}, index = {} }
  for i, pattern in ipairs(list) do
    if pattern == M.EOF then
      wanted.eof = wanted.eof or i
    elseif pattern == M.TIMEOUT then
      wanted.timeout = wanted.timeout or i
    else
      add_text(wanted, pattern, i, session)
    end
  end
  local window = session.window or math.max(session.max_buffer // 2, 1)
  wanted.search = core.search(wanted.specs, window,
    session.window or math.min(window, REFER_WINDOW))
  return wanted
end

--- Make patterns ready, or take up the search for the same ones.
-- @param patterns as Session:expect takes them
-- @tparam table session window, max_buffer
-- @tparam ?table last what this returned for the session's last patterns
-- @treturn table search; index: the place in the list by that in the search;
-- eof, timeout: the places of those
-- @raise UsageError
function M.compile(patterns, session, last)
  local list = listed(patterns)
  if last and same(list, last.list) then return last end
  return compile(list, session)
end

local escapes = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
                  ["\27"] = "\\e", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quote(text)
  local cut = #text > LONGEST_SHOWN
  text = text:sub(1, LONGEST_SHOWN):gsub("[%c\127\"\\]", function(c)
    return escapes[c] or ("\\x%02x"):format(c:byte())
  end)
  return '"' .. text .. (cut and "…" or "") .. '"'
end

--- The texts waited for, for a message: `"a", "b" or "c"`.
-- @tparam table wanted as compile returns it
-- @treturn ?string nil if there are none
function M.show(wanted)
  local shown = {}
  for i, one in ipairs(wanted.specs) do
    if i > MOST_SHOWN then break end
    shown[i] = quote(one.text)
  end
  local left = #wanted.specs - #shown
  if left > 0 then shown[#shown + 1] = ("%d more"):format(left) end
  local last = table.remove(shown)
  if #shown == 0 then return last end
  return table.concat(shown, ", ") .. " or " .. last
end

return M
