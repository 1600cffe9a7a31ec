--- What must survive luvisor's end: what was stopped by hand, and scaled.
-- Written to a temporary file, synced and renamed; one that cannot be read is
-- reported and moved aside, never replaced by an empty one.
-- @module luvisor.supervisor.store

local core = require "luvisor.core.task"
local errors = require "luvisor.error"
local fs = require "luvisor.fs"
local json = require "luvisor.json"

local M = {}

local NAME <const> = "state.json"
local VERSION <const> = 1

local Store = {}
Store.__index = Store
Store.__name = "luvisor.supervisor.store"

local function collect(sup)
  local state = { version = VERSION, stopped = {}, scaled = {} }
  for _, service in pairs(sup.services) do
    for _, inst in ipairs(service.instances) do
      if inst.by_hand then state.stopped[inst.name] = true end
    end
    state.scaled[service.name] = service.scaled -- to, from
  end
  return state
end

-- A name that no earlier one has.
local function free_name(path)
  local name, n = path .. ".unreadable", 1
  while fs.exists(name) do
    n = n + 1
    name = ("%s.unreadable-%d"):format(path, n)
  end
  return name
end

-- What can be neither read nor moved is left as it is: nothing is written.
local function move_aside(self, why)
  local aside = free_name(self.path)
  local ok, err = pcall(fs.rename, self.path, aside)
  if ok then
    self._sup.log:error("the saved state cannot be read and was moved aside",
      { file = aside, error = why })
    return
  end
  self._is_left = true
  self._sup.log:error("the saved state can be neither read nor moved aside: "
    .. "nothing will be saved", { file = self.path, error = why,
      rename = tostring(err) })
end

local function are_scaled(list)
  if type(list) ~= "table" then return false end
  for _, one in pairs(list) do
    local fits = type(one) == "table" and math.type(one.to) == "integer"
      and one.to >= 0
    if not fits then return false end
  end
  return true
end

local function is_state(state)
  return type(state) == "table" and state.version == VERSION
    and type(state.stopped) == "table" and are_scaled(state.scaled)
end

local function is_there(self)
  local ok, result = pcall(fs.exists, self.path)
  if ok then return result end
  errors.raise { kind = "ConfigError", subject = self.path, message =
    ("state_dir %s cannot be read (%s): run luvisor as the user whose it is, "
      .. "or give it a state_dir of its own"):format(
      self._sup.config.state_dir, result.code or tostring(result)) }
end

--- Read what an earlier supervisor with this state_dir has left. Waits.
-- @tparam Supervisor sup
-- @treturn Store
-- @raise ConfigError: the state_dir is not for us
function M.open(sup)
  local dir = sup.config.state_dir
  local self = setmetatable({ _sup = sup, path = dir .. "/" .. NAME,
    state = { stopped = {}, scaled = {} } }, Store)
  if not is_there(self) then return self end
  local ok, state = pcall(function()
    return json.decode(fs.read_file(self.path, { max = 1 << 24 }))
  end)
  if ok and is_state(state) then
    self.state = state
  else
    move_aside(self, ok and "not a state of luvisor" or tostring(state))
  end
  return self
end

local function write(self)
  if self._is_left then return end
  fs.mkdir(self._sup.config.state_dir, { parents = true, mode = 448 })
  fs.write_file(self.path, json.encode(collect(self._sup)) .. "\n",
    { atomic = true, mode = 384 })
end

--- Write it, soon; many changes at once are written once. Does not wait.
function Store:save()
  self._dirty = true
  if self._writer then return end
  self._writer = core.lasting(function()
    while self._dirty do
      self._dirty = false
      local ok, err = pcall(write, self)
      if not ok then
        self._sup.log:error("the state cannot be saved",
          { file = self.path, error = tostring(err) })
      end
    end
    self._writer = nil
  end)
end

--- Wait until all is written.
function Store:flush()
  if self._writer then self._writer:join() end
end

return M
