--- Checks of a table of options, and the guess of what was meant.
-- Pure: it returns the complaint, and luvisor.error raises it.
--
-- A type of the spec is one of the names below, several with "|" between
-- them, or a function that is given the value and returns true or false and
-- what was expected. `spec[1]` is the type of every element of the list part.
-- @local

local M = {}

local huge = math.huge

local function is(name)
  return function(value)
    return type(value) == name
  end
end

local function integer(least)
  return function(value)
    return math.type(value) == "integer" and value >= least
  end
end

-- A type's name in a spec = { check, what the message calls it }
local types = {
  any = { function() return true end, "anything" },
  boolean = { is "boolean", "a boolean" },
  count = { integer(1), "a positive integer" },
  ["function"] = { is "function", "a function" },
  integer = { integer(math.mininteger), "an integer" },
  number = { is "number", "a number" },
  seconds = {
    function(v) return type(v) == "number" and v >= 0 and v < huge end,
    "a number of seconds, 0 or more",
  },
  size = { integer(0), "an integer, 0 or more" },
  string = { is "string", "a string" },
  table = { is "table", "a table" },
  userdata = { is "userdata", "a userdata" },
}

local function show(value)
  if type(value) == "string" then return ("string %q"):format(value) end
  if type(value) == "table" or type(value) == "userdata" then
    local meta = getmetatable(value)
    return type(meta) == "table" and meta.__name or type(value)
  end
  if type(value) == "function" then return "a function" end
  return tostring(value)
end

-- Returns what the value should have been, or nil if it is that.
local function mismatch(value, want)
  if type(want) == "function" then
    local ok, expected = want(value)
    return not ok and (expected or "something else") or nil
  end
  local only = types[want]
  if only and only[1](value) then return nil end
  local names = {}
  for name in want:gmatch("[^|]+") do
    local entry = types[name] or error("no such option type: " .. name)
    if entry[1](value) then return nil end
    names[#names + 1] = entry[2]
  end
  return table.concat(names, " or ")
end

local function option_names(spec)
  local names = {}
  for name in pairs(spec) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function check_one(key, value, spec)
  local is_index = math.type(key) == "integer"
  local want = spec[key] or is_index and spec[1]
  if want then
    local expected = mismatch(value, want)
    if not expected then return nil end
    local name = is_index and "element " .. key or tostring(key)
    return ("%s must be %s, got %s"):format(name, expected, show(value))
  end
  if type(key) ~= "string" then
    return ("unknown option [%s]"):format(tostring(key))
  end
  local near = M.nearest(key, option_names(spec))
  local guess = near and ("; did you mean %q?"):format(near) or ""
  return ("unknown option %q%s"):format(key, guess)
end

--- Check options against a spec.
-- @tparam ?table opts the options; nil is none
-- @tparam table spec option → type
-- @treturn ?string what is wrong with the first wrong one, or nil. The first
-- in the order of names, so that the message does not change between runs.
function M.check(opts, spec)
  if opts == nil then return nil end
  if type(opts) ~= "table" then
    return "options must be a table, got " .. show(opts)
  end
  local first, complaint
  for key, value in pairs(opts) do
    local wrong = check_one(key, value, spec)
    if wrong and (not first or tostring(key) < first) then
      first, complaint = tostring(key), wrong
    end
  end
  return complaint
end

--- How many letters must be changed, added, left out or swapped with their
-- neighbour to make one word of the other?
-- @tparam string a
-- @tparam string b
-- @treturn integer
function M.distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do rows[0][j] = j end
  for i = 1, #a do
    local above, row = rows[i - 1], { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local best = above[j - 1] + (same and 0 or 1)
      best = math.min(best, above[j] + 1, row[j - 1] + 1)
      local swapped = i > 1 and j > 1
        and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
      if swapped then best = math.min(best, rows[i - 2][j - 2] + 1) end
      row[j] = best
    end
    rows[i] = row
  end
  return rows[#a][#b]
end

-- A third of the letters may be wrong; a beginning of three letters is enough.
local function closeness(word, candidate)
  if #word >= 3 and candidate:sub(1, #word) == word then return 1 end
  local limit = math.max(1, math.max(#word, #candidate) // 3)
  if math.abs(#word - #candidate) > limit then return nil end -- saves the time
  local distance = M.distance(word, candidate)
  return distance <= limit and distance or nil
end

--- The word that was probably meant.
-- @tparam string word
-- @tparam table words a list; of those equally near the first is taken
-- @treturn ?string nil where none is near
-- @usage
--   local options = require "luvisor.options"
--   assert(options.nearest("enviroment", { "environment", "cwd" })
--     == "environment")
function M.nearest(word, words)
  local best, least
  for _, candidate in ipairs(words) do
    local distance = closeness(word:lower(), candidate:lower())
    if distance and (not least or distance < least) then
      best, least = candidate, distance
    end
  end
  return best
end

return M
