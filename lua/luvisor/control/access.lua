--- Who may do what on the control socket.
-- Root and the supervisor's own user may all. Others are let in by the
-- configuration, verb by verb:
--
--     control = { allow = { status = { group = "ops" },
--                           restart = { user = { "ann", "bob" } },
--                           metrics = "*", all = { user = "admin" } } }
--
-- The kernel says who asks (SO_PEERCRED, SO_PEERGROUPS). Names become numbers
-- when the configuration is taken, not when somebody asks.
-- @local

local core = require "luvisor.core.control"
local core_os = require "luvisor.core.os"
local errors = require "luvisor.error"
local schema = require "luvisor.supervisor.schema"

local M = {}

--- What can be allowed; `all` is all of it.
M.verbs = schema.verbs

local Access = {}
Access.__index = Access
Access.__name = "luvisor.control.access"

local function complain(format, ...)
  errors.raise { kind = "ConfigError",
    message = "control: " .. format:format(...) }
end

local function list_of(value)
  return type(value) == "table" and value or { value }
end

-- The numbers of names.
local function numbers(where, names, look_up, what)
  local set = {}
  for _, name in ipairs(list_of(names)) do
    if type(name) ~= "string" and math.type(name) ~= "integer" then
      complain("%s: a %s is a name or a number", where, what)
    end
    local id = look_up(tostring(name))
    if not id then complain("%s: there is no %s %q", where, what, name) end
    set[id] = true
  end
  return set
end

local function rule_of(verb, value)
  local where = "allow." .. verb
  if value == "*" or value == true then return { anybody = true } end
  if type(value) ~= "table" then
    complain("%s: expected { user = …, group = … } or \"*\"", where)
  end
  for key in pairs(value) do
    if key ~= "user" and key ~= "group" then
      complain("%s: unknown key %q: user and group are known", where,
        tostring(key))
    end
  end
  return {
    users = numbers(where .. ".user", value.user or {}, core.user, "user"),
    groups = numbers(where .. ".group", value.group or {}, core.group, "group"),
  }
end

local function check_verb(verb)
  for _, known in ipairs(M.verbs) do
    if known == verb then return end
  end
  local near = errors.nearest(tostring(verb), M.verbs)
  complain("allow: there is no verb %q%s", tostring(verb),
    near and ("; did you mean %q?"):format(near) or "")
end

--- Take the rules of a configuration. May block: it asks the user database.
-- @tparam ?table allow control.allow
-- @treturn Access
-- @raise ConfigError: unknown verbs, users, groups
function M.new(allow)
  local rules = {}
  for verb, value in pairs(allow or {}) do
    check_verb(verb)
    rules[verb] = rule_of(verb, value)
  end
  return setmetatable({ _rules = rules, _own = core_os.geteuid() }, Access)
end

--- Is anybody let in beside root and ourselves?
-- @treturn boolean
function Access:admits_others()
  return next(self._rules) ~= nil
end

local function fits(rule, peer)
  if not rule then return false end
  if rule.anybody or rule.users[peer.uid] or rule.groups[peer.gid] then
    return true
  end
  for _, gid in ipairs(peer.groups) do
    if rule.groups[gid] then return true end
  end
  return false
end

--- May this peer do that?
-- @tparam string verb
-- @tparam table peer uid, gid, groups
-- @treturn boolean
function Access:may(verb, peer)
  if peer.uid == 0 or peer.uid == self._own then return true end
  return fits(self._rules[verb], peer) or fits(self._rules.all, peer)
end

return M
