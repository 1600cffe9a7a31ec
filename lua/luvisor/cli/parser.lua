--- From the rows of a command to its arguments: by argparse, which is loaded
-- for commands alone and not for scripts.
--
-- A row has `argument`, `option` or `flag` (its name, or names), and what
-- argparse takes under the same key: description, args, argname, choices,
-- default, convert, count, target. `names = "services"` (or another word that
-- luvisor.cli.completion knows) says what completes it, `hints` some words that
-- do.
-- @local

local argparse = require "luvisor.cli.argparse"
local errors = require "luvisor.error"

local M = {}

local FOUND_BY <const> = [[
The supervisor is the one of -c FILE, else of $LUVISOR_CONFIG, else of the
default configuration; or the one that listens at --socket PATH.]]

local kinds = { "argument", "option", "flag" }

-- Keys that argparse does not know, or would say less about.
local own = { names = true, hints = true, choices = true }

-- argparse's own complaint does not say what was given.
local function one_of(name, choices)
  return function(word)
    for _, choice in ipairs(choices) do
      if word == choice then return word end
    end
    local near = errors.nearest(word, choices)
    return nil, ("%s: expected one of %s; got '%s'%s"):format(
      name, table.concat(choices, ", "), word,
      near and (", did you mean '%s'?"):format(near) or "")
  end
end

-- Completions are made of choices, complaints by us.
local function add_choices(properties, row, name, completes)
  if completes then
    properties.choices = row.choices
    return
  end
  properties.argname = row.argname or table.concat(row.choices, "|")
  properties.convert = one_of(name, row.choices)
end

local function add_row(parser, row, completes)
  for _, kind in ipairs(kinds) do
    if row[kind] then
      local element = parser[kind](parser, row[kind])
      local properties = {}
      for key, value in pairs(row) do
        if key ~= kind and not own[key] then properties[key] = value end
      end
      if row.choices then add_choices(properties, row, row[kind], completes) end
      return element(properties)
    end
  end
end

local function finds_supervisor(command)
  for _, row in ipairs(command.args) do
    if row.option == "--socket" then return true end
  end
  return false
end

local function epilog(command)
  local parts = {}
  if finds_supervisor(command) then parts[1] = FOUND_BY end
  local example = command.example:gsub("%s+$", "")
  local title = example:find "\n" and "Examples:" or "Example:"
  parts[#parts + 1] = title .. "\n   " .. example:gsub("\n", "\n   ")
  return table.concat(parts, "\n\n")
end

local function describe(parser, command)
  parser:description(command.description or command.summary)
  parser:epilog(epilog(command))
  for _, row in ipairs(command.args) do add_row(parser, row) end
  return parser
end

--- The parser of one command.
-- @tparam table command as its file returns it
function M.of(command)
  local parser = argparse("luvisor " .. command.name)
  parser:usage_max_width(78)
  return describe(parser, command)
end

local function on_one_line(row)
  local copy = {}
  for key, value in pairs(row) do copy[key] = value end
  copy.description = row.description and row.description:gsub("\n", " ")
  return copy
end

--- One parser for all of them, as completions need it.
-- @tparam {table,...} commands
function M.of_all(commands)
  local all = argparse "luvisor"
  for _, command in ipairs(commands) do
    local one = all:command(command.name):summary(command.summary)
    for _, row in ipairs(command.args) do
      if not row.hidden then add_row(one, on_one_line(row), true) end
    end
  end
  return all
end

local function option_names(command)
  local names = { "-h", "--help" }
  for _, row in ipairs(command.args) do
    for name in (row.option or row.flag or ""):gmatch "%S+" do
      names[#names + 1] = name
    end
  end
  return names
end

-- argparse guesses one letter off; we guess as everywhere else.
local function with_guess(command, complaint)
  local text = complaint:match "^[^\n]*"
  local word = text:match "^unknown option '(.-)'"
  local near = word and #word > 2
    and errors.nearest(word, option_names(command))
  return text .. (near and (". Did you mean '%s'?"):format(near) or "")
end

--- Parse the words behind a command's name.
-- @tparam table command
-- @tparam {string,...} words
-- @treturn table|nil by target, as argparse makes it
-- @treturn string a sentence, if they are wrong
function M.parse(command, words)
  local ok, result = M.of(command):pparse(words)
  if ok then return result end
  return nil, with_guess(command, result)
end

--- What `luvisor help COMMAND` prints.
-- @treturn string
function M.help(command)
  return M.of(command):get_help() .. "\n"
end

return M
