--- Facts: what a service has said of itself when it became ready, for those
-- that require it. They are the captures of `ready = { log = … }`, by name or
-- by number, and what a ready function returns. `{ fact = "db.port" }` as a
-- value of `env` or a word of `command` is the fact "port" of the service db,
-- as it is when the service that says so is started.
-- @module luvisor.supervisor.facts

local errors = require "luvisor.error"

local M = {}

--- What an instance has that has said nothing; it is only read.
M.NONE = {}

local plain = { string = true, number = true, boolean = true }

--- Keep a fact; what is no plain value is none.
-- @tparam Instance inst
-- @param name a string without a dot, or a number from 1
-- @param value
function M.note(inst, name, value)
  local fits = math.type(name) == "integer"
    or type(name) == "string" and not name:find("[.]")
  if not fits or not plain[type(value)] then return end
  if inst.facts == M.NONE then inst.facts = {} end
  inst.facts[name] = value
end

--- Keep the captures of a pattern: one that reads `name=value` by its name, the
-- others by their number.
-- @tparam Instance inst
-- @tparam table captures with n
function M.note_captures(inst, captures)
  for i = 1, captures.n do
    local value = captures[i]
    local name, rest
    if type(value) == "string" then
      name, rest = value:match "^([%a_][%w_]*)=(.*)$"
    end
    M.note(inst, name or i, rest or value)
  end
end

--- Those of an instance, for people and JSON: by strings alone.
-- @treturn table
function M.by_name(inst)
  local list = {}
  for name, value in pairs(inst.facts) do list[tostring(name)] = value end
  return list
end

--- The parts of a reference.
-- @tparam string reference "db.port"
-- @treturn ?string the service or instance; nil: it is none
-- @treturn string the fact
function M.split(reference)
  return reference:match "^(.+)%.([^.]+)$"
end

local function known_of(inst)
  local names = {}
  for name in pairs(M.by_name(inst)) do names[#names + 1] = name end
  table.sort(names)
  if #names == 0 then return "it has none" end
  return "it has " .. table.concat(names, ", ")
end

local function look_up(inst, reference)
  local service, name = M.split(reference)
  local other = inst.sup:find(service)[1]
  local value
  if other then value = M.by_name(other)[name] end
  if value ~= nil then return tostring(value) end
  errors.raise { kind = "Failed", message = ("no fact %q of %s: %s"):format(
    name, service, other and known_of(other) or "there is no instance of it") }
end

--- Is there a reference among its values?
-- @tparam table t
-- @treturn boolean
function M.are_in(t)
  for _, value in pairs(t) do
    if type(value) == "table" then return true end
  end
  return false
end

--- A table with each reference replaced by what it stands for.
-- @tparam Instance inst who is to be started
-- @tparam table t strings and references; it is left as it is
-- @treturn table a new one
-- @raise Failed: there is no such fact
function M.resolve(inst, t)
  local result = {}
  for key, value in pairs(t) do
    local is_reference = type(value) == "table"
    result[key] = is_reference and look_up(inst, value.fact) or value
  end
  return result
end

return M
