--- The types of `ready`, `health`, `hooks`, `reload` and `sockets`, and the
-- keys that they have.
-- @local

local checker = require "luvisor.supervisor.checker"
local types = require "luvisor.supervisor.types"

local M = {}

local ADDRESS <const> = "an address as \"127.0.0.1:80\""

function M.address(value)
  if type(value) ~= "string" then return nil, ADDRESS end
  local host, port = value:match "^%[([%x:.]+)%]:(%d+)$"
  if not host then host, port = value:match "^([^:]*):(%d+)$" end
  port = tonumber(port)
  if not port or port > 65535 then return nil, ADDRESS end
  return { host = host == "" and "0.0.0.0" or host, port = port, text = value }
end

local function connectable(value)
  local address, why = M.address(value)
  if address and address.port == 0 then return nil, ADDRESS end
  return address, why
end

local function url(value)
  if type(value) == "string" and value:find "^https?://[^/%s]+" then
    return value
  end
  return nil, "an URL as \"http://127.0.0.1:8000/\""
end

local function yes(value)
  if value == true then return true end
  return nil, "true"
end

local function pattern(value)
  if type(value) == "string" and pcall(string.find, "", value) then
    return value
  end
  return nil, "a Lua pattern"
end

local function key(kind, doc, default)
  return { kind = kind, doc = doc, default = default }
end

local probes = {
  tcp = key(connectable, "it takes connections at this address"),
  unix = key(types.path, "it takes connections at this Unix socket"),
  http = key(url, "it answers with a status below 400"),
  command = key(types.command, "this command ends with 0"),
  fn = key(types.fn, "a Lua function returns, and not false; as the key of a "
    .. "table, so that others may stand beside it"),
}

local ready_kinds = {
  notify = key(yes, "it sends READY=1, as with sd_notify(3)"),
  fd = key(types.integer(3, 1023), "it writes a newline to this descriptor, "
    .. "as s6 has it"),
  log = key(pattern, "a line of its output fits; captures become facts, one "
    .. "that reads name=value by its name"),
  delay = key(types.duration, "it has run for so long"),
}
for name, entry in pairs(probes) do ready_kinds[name] = entry end

local function with(kinds, further)
  local keys = {}
  for name, entry in pairs(kinds) do keys[name] = entry end
  for name, entry in pairs(further) do keys[name] = entry end
  return keys
end

--- What stands in a table that is `ready`.
M.ready_keys = with(ready_kinds, {
  timeout = key(types.duration, "goes before ready_timeout"),
})

--- What stands in a table that is `health`.
M.health_keys = with(probes, {
  interval = key(types.positive_duration, "from one question to the next", 10),
  timeout = key(types.duration, "for each answer", 2),
  failures = key(types.integer(1, 1000), "so many one after another restart "
    .. "it", 3),
  after = key(types.duration, "before the first question; none"),
})

--- What stands in a table that is a hook.
M.hook_keys = {
  command = key(types.command, "a command"),
  shell = key(types.string, "or a line for /bin/sh"),
  fn = key(types.fn, "or a Lua function"),
  timeout = key(types.duration, "then it has failed", 10),
}

--- What stands in a table that is `reload`.
M.reload_keys = with(M.hook_keys, {
  signal = key(types.signal, "is sent to the main process"),
})

local function names_of(kinds)
  local list = {}
  for _, name in ipairs(checker.keys_of(kinds)) do
    if name ~= "fn" then list[#list + 1] = name end
  end
  return table.concat(list, " | ")
end

-- A table with one of the kinds, and further keys: {kind, value, key = …}.
local function one_of_kinds(kinds, keys)
  local text = ("a function, or a table with one of %s"):format(names_of(kinds))
  return function(value, context)
    if type(value) == "function" then value = { fn = value } end
    if type(value) ~= "table" then return nil, text end
    local checked, why = checker.fields(value, keys, context)
    if not checked then return nil, why, true end
    local result = {}
    for name, one in pairs(checked) do
      if not kinds[name] then
        result[name] = one
      elseif result.kind then
        return nil, text .. ", not two"
      else
        result.kind, result.value = name == "fn" and "function" or name, one
      end
    end
    if not result.kind then return nil, text end
    return result
  end
end

M.ready = one_of_kinds(ready_kinds, M.ready_keys)
M.health = one_of_kinds(probes, M.health_keys)

local HOOK <const> = "a command, a function, or { command = {…}, timeout = 10 }"

-- A command alone, or a function, as the table that it stands for.
local function as_hook(value)
  if type(value) == "function" then return { fn = value } end
  local is_command = type(value) == "string"
    or type(value) == "table" and value[1] ~= nil
  return is_command and { command = value } or value
end

--- A hook: a command, a function, or { command = | shell = | fn =, timeout = }.
function M.hook(value, context)
  value = as_hook(value)
  if type(value) ~= "table" then return nil, HOOK end
  local hook, why = checker.fields(value, M.hook_keys, context)
  if not hook then return nil, why, true end
  if hook.shell then
    if hook.command then return nil, HOOK end
    hook.command, hook.shell = { shell = hook.shell }, nil
  end
  if (hook.command == nil) == (hook.fn == nil) then return nil, HOOK end
  return hook
end

--- reload = { signal = }, or the name of a signal, or a hook.
function M.reload(value, context)
  if type(value) == "string" then value = { signal = value } end
  local text = "{ signal = \"HUP\" } or { command = {…} }"
  if type(value) == "function" then return M.hook(value, context) end
  if type(value) ~= "table" then return nil, text end
  local reload, why = checker.fields(value, M.reload_keys, context)
  if not reload then return nil, why, true end
  if not reload.signal then return M.hook(value, context) end
  if reload.command or reload.shell or reload.fn then return nil, text end
  return { signal = reload.signal }
end

--- A listening socket: "127.0.0.1:80", ":80", a path.
function M.socket(value, context)
  if type(value) == "string" and value:find("/", 1, true) then
    local path, why = types.path(value, context)
    return path and { path = path, text = value }, why
  end
  return M.address(value)
end

return M
