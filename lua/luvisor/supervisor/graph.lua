--- Who depends on whom. Pure: built of the specs, asked by name.
-- `requires` binds: what is required is started first and pulled in, and is
-- stopped last. `wants` and `after` only order. `conflicts` goes both ways.
-- @module luvisor.supervisor.graph

local M = {}

local Graph = {}
Graph.__index = Graph
Graph.__name = "luvisor.supervisor.graph"

local NONE <const> = {} -- for all who ask in vain; it is only read

local orders = { "requires", "wants", "after" }

local function add(map, key, value)
  local list = map[key] or {}
  map[key] = list
  if list[#list] ~= value then list[#list + 1] = value end
end

--- Make a graph.
-- @tparam table services specs by name
-- @tparam table order their names, in the order of the file
-- @treturn Graph
function M.new(services, order)
  local self = setmetatable({
    _services = services, _names = order, _dependents = {}, _followers = {},
    _conflicts = {},
  }, Graph)
  for _, name in ipairs(order) do
    for _, other in ipairs(services[name].conflicts or {}) do
      add(self._conflicts, name, other)
      add(self._conflicts, other, name)
    end
    for _, other in ipairs(services[name].requires) do
      add(self._dependents, other, name)
    end
    for _, kind in ipairs(orders) do
      for _, other in ipairs(services[name][kind]) do
        if services[other] then add(self._followers, other, name) end
      end
    end
  end
  return self
end

-- All names that `links` leads to from name, itself left out, each after those
-- that it leads to.
local function closure(name, links)
  local seen, list = { [name] = true }, {}
  local function visit(at)
    for _, other in ipairs(links(at)) do
      if not seen[other] then
        seen[other] = true
        visit(other)
        list[#list + 1] = other
      end
    end
  end
  visit(name)
  return list
end

--- What must be up before it, directly or not; first what is to start first.
-- @treturn {string,...}
function Graph:requirements(name)
  return closure(name, function(at)
    local spec = self._services[at]
    return spec and spec.requires or NONE
  end)
end

--- What requires it, directly or not; first what is to stop first.
-- @treturn {string,...}
function Graph:dependents(name)
  return closure(name, function(at) return self._dependents[at] or NONE end)
end

--- What requires it directly.
-- @treturn {string,...}
function Graph:direct_dependents(name)
  return self._dependents[name] or NONE
end

--- What cannot run beside it, whoever of the two says so.
-- @treturn {string,...}
function Graph:conflicts(name)
  return self._conflicts[name] or NONE
end

--- What comes after it in any order: of whom a change of its state is news.
-- @treturn {string,...}
function Graph:followers(name)
  return self._followers[name] or NONE
end

local function before(self, name)
  local spec, list = self._services[name] or {}, {}
  for _, kind in ipairs(orders) do
    for _, other in ipairs(spec[kind] or {}) do
      if self._services[other] then list[#list + 1] = other end
    end
  end
  return list
end

--- Does a service come after another, in any order, directly or not?
-- @treturn boolean
function Graph:comes_after(name, other)
  for _, one in ipairs(closure(name, function(at) return before(self, at) end))
  do
    if one == other then return true end
  end
  return false
end

--- A cycle, if there is one.
-- @treturn {string,...}|nil names, the first again at the end
function Graph:cycle()
  local state, path, found = {}, {}, nil
  local function visit(name)
    state[name] = "open"
    path[#path + 1] = name
    for _, other in ipairs(before(self, name)) do
      if found then return end
      if state[other] == "open" then
        found = {}
        local i = #path
        while path[i] ~= other do i = i - 1 end
        table.move(path, i, #path, 1, found)
        found[#found + 1] = other
      elseif not state[other] then
        visit(other)
      end
    end
    state[name] = "closed"
    path[#path] = nil
  end
  for _, name in ipairs(self._names) do
    if not state[name] then visit(name) end
    if found then return found end
  end
  return nil
end

--- All names, each after what comes before it, else in the file's order.
-- @treturn {string,...}
function Graph:order()
  local seen, list = {}, {}
  local function visit(name)
    if seen[name] then return end
    seen[name] = true
    for _, other in ipairs(before(self, name)) do visit(other) end
    list[#list + 1] = name
  end
  for _, name in ipairs(self._names) do visit(name) end
  return list
end

return M
