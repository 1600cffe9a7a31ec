--- The types of the keys of a configuration. Each is a function that is given
-- the value and a context, and returns what it means, normalised; or nil and
-- what was expected (a whole sentence, if a third value is true).
-- The context: dir, the folder that relative paths start at.
-- @module luvisor.supervisor.types

local facts = require "luvisor.supervisor.facts"
local options = require "luvisor.options"
local paths = require "luvisor.supervisor.paths"
local signal = require "luvisor.core.signal"
local units = require "luvisor.supervisor.units"
local words = require "luvisor.words"

local M = {}

local function of(name, text)
  return function(value)
    if type(value) ~= name then return nil, text end
    return value
  end
end

--- What somebody else checks.
function M.any(value)
  return value
end

M.string = of("string", "a string")
M.boolean = of("boolean", "true or false")
M.fn = of("function", "a function")

function M.duration(value)
  local seconds = units.duration(value)
  if seconds then return seconds end
  return nil, "seconds, or a duration as \"500ms\", \"10s\", \"5m\", \"1h\""
end

function M.positive_duration(value)
  local seconds = units.duration(value)
  if seconds and seconds > 0 then return seconds end
  return nil, "more than 0 seconds, or a duration as \"10s\", \"5m\""
end

function M.duration_or_false(value)
  if value == false then return false end
  local seconds = units.duration(value)
  if seconds then return seconds end
  return nil, "false, or a duration as 300 or \"5m\""
end

function M.size(value)
  local bytes = units.size(value)
  if bytes then return bytes end
  return nil, "bytes, or a size as \"64K\", \"10M\", \"1G\""
end

--- A type: an integer from low to high.
function M.integer(low, high)
  local text = high == math.maxinteger
    and ("an integer, %d or more"):format(low)
    or ("an integer from %d to %d"):format(low, high)
  return function(value)
    local fits = math.type(value) == "integer" and value >= low
      and value <= high
    if not fits then return nil, text end
    return value
  end
end

--- A type: a number from low to high.
function M.number(low, high)
  local text = high == math.huge and ("a number, %g or more"):format(low)
    or ("a number from %g to %g"):format(low, high)
  return function(value)
    local fits = type(value) == "number" and value >= low and value <= high
    if not fits then return nil, text end
    return value
  end
end

--- A type: one of these words.
function M.one_of(...)
  local list, quoted = { ... }, {}
  for i, word in ipairs(list) do quoted[i] = ("%q"):format(word) end
  local text = "one of " .. table.concat(quoted, ", ")
  return function(value)
    for _, word in ipairs(list) do
      if word == value then return value end
    end
    local near = type(value) == "string" and options.nearest(value, list)
    return nil, text .. (near and ("; did you mean %q?"):format(near) or "")
  end
end

--- A type: either of these.
function M.either(...)
  local kinds = { ... }
  return function(value, context)
    local texts = {}
    for i, kind in ipairs(kinds) do
      local result, text = kind(value, context)
      if result ~= nil then return result end
      texts[i] = text
    end
    return nil, table.concat(texts, ", or ")
  end
end

--- A type: a list of these.
function M.list(kind, text)
  return function(value, context)
    if type(value) ~= "table" then return nil, text end
    local list = {}
    for key in pairs(value) do
      if math.type(key) ~= "integer" or key < 1 or key > #value then
        return nil, text
      end
    end
    for i, one in ipairs(value) do
      list[i] = kind(one, context)
      if list[i] == nil then return nil, text end
    end
    return list
  end
end

M.names = M.list(M.string, "a list of names as { \"db\", \"cache\" }")

function M.signal(value)
  local ok, number = pcall(signal.number, value)
  if not ok or number == 0 then
    return nil, "a signal as \"TERM\", \"SIGTERM\" or 15"
  end
  return signal.name(number)
end

M.octal = function(value)
  local n = type(value) == "string" and value:find "^[0-7]+$" and #value <= 4
    and tonumber(value, 8) or math.type(value) == "integer" and value
  if not n or n < 0 or n > 511 then return nil, "octal digits as \"022\"" end
  return n
end

function M.path(value, context)
  if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
    return nil, "a path"
  end
  return paths.absolute(value, context.dir)
end

-- A command with a slash is a path, and one that begins with none is relative
-- to the folder of the file.
local function with_program(argv, context)
  if argv[1]:find("/", 1, true) then
    argv[1] = paths.absolute(argv[1], context.dir)
  end
  return argv
end

--- What a service that is required says of itself: { fact = "db.port" }.
function M.fact(value)
  local text = type(value) == "table" and value.fact
  local is_fact = type(text) == "string" and facts.split(text)
    and not next(value, next(value))
  return is_fact and { fact = text } or nil
end

local COMMAND <const> = "a list of words as { \"redis-server\", \"--port\", "
  .. "\"6400\" }, a string of them, or { shell = \"…\" }"

local argv_of = M.list(function(word)
  if type(word) == "number" then return tostring(word) end
  if type(word) == "string" and not word:find("\0", 1, true) then
    return word
  end
  return M.fact(word)
end, COMMAND)

local shells = {}
for word in ("| || & && ; < > >> 2> 2>> 2>&1 >&2"):gmatch "%S+" do
  shells[word] = true
end

-- The words of a line; nil and a sentence.
local function split(line)
  local ok, list = pcall(words.split, line)
  if not ok then return nil, (tostring(list):gsub("^process.split: ", "")) end
  for _, word in ipairs(list) do
    if shells[word] then
      return nil, ("%q is for a shell: write { shell = \"…\" }, or a list if "
        .. "it is a word of the command"):format(word)
    end
  end
  return list
end

function M.command(value, context)
  if type(value) == "string" then
    local list, why = split(value)
    if not list then return nil, why, true end
    value = list
  end
  if type(value) ~= "table" then return nil, COMMAND end
  if value.shell ~= nil then
    if type(value.shell) ~= "string" or next(value, next(value)) then
      return nil, COMMAND
    end
    return { shell = value.shell }
  end
  local argv = argv_of(value, context)
  if not argv or type(argv[1]) ~= "string" or argv[1] == "" then
    return nil, COMMAND
  end
  return with_program(argv, context)
end

local ENV <const> = "a table as { PORT = \"8000\" }"

local function is_variable(name)
  return type(name) == "string" and name ~= "" and not name:find "[=\0]"
end

-- nil: it is none.
local function value_of(text)
  if type(text) == "number" then return tostring(text) end
  if type(text) == "table" then return M.fact(text) end
  local is_text = type(text) == "string" and not text:find("\0", 1, true)
  if is_text or text == false then return text end
  return nil
end

function M.env(value)
  if type(value) ~= "table" then return nil, ENV end
  local env = {}
  for name, text in pairs(value) do
    if not is_variable(name) then return nil, ENV end
    env[name] = value_of(text)
    if env[name] == nil then
      return nil, ("%s: expected a string, a number, { fact = \"db.port\" }, "
        .. "or false to take it away; got %s"):format(name,
        type(text) == "table" and "another table" or tostring(text)), true
    end
  end
  return env
end

local limits = {
  "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice",
  "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
}

local is_limit = M.one_of(table.unpack(limits))

local function is_amount(value)
  return value == "unlimited" or math.type(value) == "integer" and value >= 0
end

function M.limits(value)
  local text = "a table as { nofile = 4096, core = { 0, 0 } }"
  if type(value) ~= "table" then return nil, text end
  for name, limit in pairs(value) do
    local pair = type(limit) == "table" and limit or { limit, limit }
    if type(name) ~= "string" or not (is_amount(pair[1]) and is_amount(pair[2]))
    then
      return nil, text
    end
    local known, names = is_limit(name)
    if not known then
      return nil, ("%s: expected %s"):format(name, names), true
    end
  end
  return value
end

function M.codes(value)
  local text = "a list of exit codes and signals as { 0, 42, \"TERM\" }"
  if type(value) ~= "table" then value = { value } end
  local list = {}
  for i, one in ipairs(value) do
    list[i] = math.type(one) == "integer" and one >= 0 and one <= 255 and one
      or type(one) == "string" and M.signal(one)
    if not list[i] then return nil, text end
  end
  if #list == 0 then return nil, text end
  return list
end

return M
