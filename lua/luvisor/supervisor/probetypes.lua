--- The types of `ready`, `health`, `hooks`, `stop` and `sockets`.
-- @local

local types = require "luvisor.supervisor.types"
local units = require "luvisor.supervisor.units"

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

local probes = {
  tcp = connectable, unix = types.path, http = url, command = types.command,
}

local ready_kinds = {
  notify = yes, fd = types.integer(3, 1023), log = pattern,
  delay = types.duration,
}
for name, kind in pairs(probes) do ready_kinds[name] = kind end

local function names_of(kinds)
  local list = {}
  for name in pairs(kinds) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " | ")
end

-- A table with one of the kinds, and further keys: {kind, value, key = …}.
local function one_of_kinds(kinds, further)
  local text = ("a function, or a table with one of %s"):format(names_of(kinds))
  return function(value, context)
    if type(value) == "function" then value = { fn = value } end
    if type(value) ~= "table" then return nil, text end
    local result = {}
    for key, one in pairs(value) do
      local check = kinds[key] or further[key] or key == "fn" and types.fn
      if not check then return nil, text end
      local checked, why = check(one, context)
      if checked == nil then return nil, ("%s: %s"):format(key, why) end
      if further[key] then
        result[key] = checked
      elseif result.kind then
        return nil, text .. ", not two"
      else
        result.kind, result.value = key == "fn" and "function" or key, checked
      end
    end
    if not result.kind then return nil, text end
    return result
  end
end

M.ready = one_of_kinds(ready_kinds, { timeout = types.duration })

local health = one_of_kinds(probes, {
  interval = types.duration, timeout = types.duration,
  failures = types.integer(1, 1000), after = types.duration,
})

function M.health(value, context)
  local result, why = health(value, context)
  if not result then return nil, why end
  result.interval = result.interval or 10
  result.timeout = result.timeout or 2
  result.failures = result.failures or 3
  if result.interval == 0 then return nil, "interval: more than 0" end
  return result
end

--- A hook: a command, a function, or { command = | fn =, timeout = }.
function M.hook(value, context)
  local text = "a command, a function, or { command = {…}, timeout = 10 }"
  local hook = { timeout = 10 }
  if type(value) == "function" then
    hook.fn = value
    return hook
  end
  local command = value
  if type(value) == "table" and value[1] == nil then
    command = value.command
    local timeout = value.timeout and units.duration(value.timeout)
    if value.timeout and not timeout then
      return nil, "timeout: a duration as \"10s\""
    end
    hook.timeout = timeout or 10
    if type(value.fn) == "function" then
      hook.fn = value.fn
      return hook
    end
    if value.shell then command = { shell = value.shell } end
  end
  local why
  hook.command, why = types.command(command, context)
  if not hook.command then return nil, command == nil and text or why end
  return hook
end

--- stop = { signal =, grace = }, or a signal, or a function of the instance.
function M.reload(value, context)
  if type(value) == "string" then value = { signal = value } end
  if type(value) ~= "table" then
    return nil, "{ signal = \"HUP\" } or { command = {…} }"
  end
  if value.command or value.shell then return M.hook(value, context) end
  local name, why = types.signal(value.signal)
  if not name then return nil, why end
  return { signal = name }
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
