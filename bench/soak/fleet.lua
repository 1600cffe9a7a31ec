-- bench/soak/fleet.lua — The services of the soak and their configuration, as
-- it changes while the soak goes on.

local fs = require "luvisor.fs"

local M = {}

-- What part of the fleet is of which kind, and what is said of it. `processes`
-- is how many there are of an instance that runs.
local kinds = {
  { name = "plain", part = 0.60, processes = 1 },
  { name = "zipped", part = 0.05, processes = 1, as = "plain",
    text = "log = { gzip = true }" },
  { name = "stamped", part = 0.05, processes = 1, as = "plain",
    text = 'log = { timestamps = "iso" }', stamped = true },
  { name = "notify", part = 0.10, processes = 1,
    text = "ready = { notify = true }" },
  { name = "family", part = 0.08, processes = 3,
    text = "stop = { grace = 0.3 }" },
  { name = "stubborn", part = 0.04, processes = 1,
    text = "stop = { grace = 0.3 }" },
  { name = "limited", part = 0.04, processes = 1, as = "plain",
    text = "burst = { count = 4, within = 2, retry_after = 1 }" },
  { name = "chain", part = 0.04, processes = 1, as = "plain", chain = true },
}

local HEAD <const> = [[
luvisor {
  state_dir = "state", log = { dir = "log" },
  defaults = {
    restart = "always", stop = { grace = 10 },
    backoff = { initial = 0.02, factor = 2, max = 0.5, reset_after = 5 },
    burst = { count = 100000 },
    log = { max_size = "256K", keep = 1000 },
  },
}
]]

local Fleet = {}
Fleet.__index = Fleet

local function add(self, kind, name, more)
  local one = { name = name, kind = kind, version = 0, initial = 0.02 }
  for key, value in pairs(more or {}) do one[key] = value end
  self.services[#self.services + 1] = one
  self.by_name[name] = one
  return one
end

local function requirement(kind, i)
  if not kind.chain or i % 4 == 1 then return nil end
  return ("chain-%d"):format(i - 1)
end

--- A fleet of about n services, whose files are in dir.
function M.new(dir, program, n)
  local self = setmetatable({
    dir = dir, path = dir .. "/luvisor.lua", program = program,
    services = {}, by_name = {}, extras = 0,
  }, Fleet)
  for _, kind in ipairs(kinds) do
    for i = 1, math.max(1, n * kind.part // 1 | 0) do
      add(self, kind, ("%s-%d"):format(kind.name, i),
        { requires = requirement(kind, i) })
    end
  end
  add(self, kinds[1], "pool", { instances = 8 })
  return self
end

--- One more, of which nobody has heard before, or that has been there once.
function Fleet:add_extra()
  self.extras = self.extras % 5 + 1
  local name = ("extra-%d"):format(self.extras)
  if self.by_name[name] then return nil end
  return add(self, kinds[1], name, { extra = true })
end

function Fleet:remove_extras()
  for i = #self.services, 1, -1 do
    local one = self.services[i]
    if one.extra then
      table.remove(self.services, i)
      self.by_name[one.name] = nil
    end
  end
end

local function service_text(self, one)
  local kind, keys = one.kind, {}
  local function say(...) keys[#keys + 1] = (...):format(select(2, ...)) end
  say("command = { %q, %q, %q, %q }", self.program, self.dir,
    kind.as or kind.name, "200")
  say("env = { VERSION = %q }", tostring(one.version))
  if kind.text then say("%s", kind.text) end
  if one.requires then say("requires = { %q }", one.requires) end
  if one.instances then say("instances = %d", one.instances) end
  say("backoff = { initial = %g, factor = 2, max = 0.5, reset_after = 5 }",
    one.initial)
  return ("service %q { %s }\n"):format(one.name, table.concat(keys, ", "))
end

--- Write the configuration.
-- @tparam[opt] string more text at its end
function Fleet:write(more)
  local parts = { HEAD }
  for _, one in ipairs(self.services) do
    parts[#parts + 1] = service_text(self, one)
  end
  parts[#parts + 1] = more
  fs.write_file(self.path, table.concat(parts), { atomic = true })
end

--- The service of an instance.
function Fleet:of(instance)
  return self.by_name[instance:match "^(.-)@%d+$" or instance]
end

return M
