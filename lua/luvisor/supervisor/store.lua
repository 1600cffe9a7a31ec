--- What must survive luvisor's end: what was stopped by hand, and scaled.
-- Written to a temporary file, synced and renamed; one that cannot be read is
-- reported and moved aside, never replaced by an empty one.
-- @module luvisor.supervisor.store

local fs = require "luvisor.fs"
local json = require "luvisor.json"
local task = require "luvisor.task"

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
    state.scaled[service.name] = service.scaled
  end
  return state
end

local function move_aside(self, why)
  local aside = self.path .. ".unreadable"
  pcall(fs.rename, self.path, aside)
  self._sup.log:error("the saved state cannot be read and was moved aside",
    { file = aside, error = why })
end

local function is_state(state)
  return type(state) == "table" and state.version == VERSION
    and type(state.stopped) == "table" and type(state.scaled) == "table"
end

--- Read what an earlier supervisor with this state_dir has left. Waits.
-- @tparam Supervisor sup
-- @treturn Store
function M.open(sup)
  local dir = sup.config.state_dir
  local self = setmetatable({ _sup = sup, path = dir .. "/" .. NAME,
    state = { stopped = {}, scaled = {} } }, Store)
  if not fs.exists(self.path) then return self end
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
  fs.mkdir(self._sup.config.state_dir, { parents = true, mode = 448 })
  fs.write_file(self.path, json.encode(collect(self._sup)) .. "\n",
    { atomic = true, mode = 384 })
end

--- Write it, soon; many changes at once are written once. Does not wait.
function Store:save()
  self._dirty = true
  if self._writer then return end
  self._writer = task.detached(function()
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
