-- Dependencies and groups: who comes before whom, who goes with whom.
local graph = require "luvisor.supervisor.graph"
local groups = require "luvisor.supervisor.groups"
local tap = require "luvisor.tap"

local is_deeply, ok = tap.is_deeply, tap.ok

-- "web: db, cache; after: log" for each service, in this order.
local function make(lines)
  local services, order = {}, {}
  for _, line in ipairs(lines) do
    local name = line:match "^[^:]+"
    local spec = { requires = {}, wants = {}, after = {} }
    local required = line:match "^[^:]+:([^;]*)" or ""
    for other in required:gmatch "%w+" do table.insert(spec.requires, other) end
    for other in (line:match "after:(.*)" or ""):gmatch "%w+" do
      table.insert(spec.after, other)
    end
    services[name], order[#order + 1] = spec, name
  end
  return graph.new(services, order)
end

local site = { "web: app; after: log", "app: db, cache", "db:", "cache:",
               "log:" }

tap.test("what is required comes first, transitively", function()
  local g = make(site)
  is_deeply(g:requirements "web", { "db", "cache", "app" })
  is_deeply(g:requirements "db", {})
end)

tap.test("dependents stop first, the last of the chain before", function()
  local g = make(site)
  is_deeply(g:dependents "db", { "web", "app" })
  is_deeply(g:dependents "log", {}, "after binds nobody")
end)

tap.test("followers hear of a change, also those that only come after",
  function()
    local g = make(site)
    is_deeply(g:followers "log", { "web" })
    is_deeply(g:followers "app", { "web" })
  end)

tap.test("the order keeps the file's where nothing says otherwise", function()
  is_deeply(make(site):order(), { "db", "cache", "app", "log", "web" })
  is_deeply(make { "a:", "b:", "c:" }:order(), { "a", "b", "c" })
end)

tap.test("a diamond is visited once", function()
  local g = make { "top: left, right", "left: base", "right: base", "base:" }
  is_deeply(g:requirements "top", { "base", "left", "right" })
  is_deeply(g:dependents "base", { "top", "left", "right" })
end)

tap.test("a cycle is named as it runs", function()
  is_deeply(make { "a: b", "b: c", "c: a" }:cycle(), { "a", "b", "c", "a" })
  is_deeply(make { "x: a", "a: a" }:cycle(), { "a", "a" })
  is_deeply(make { "a:; after: b", "b: a" }:cycle(), { "a", "b", "a" })
  ok(make(site):cycle() == nil, "none in a good one")
end)

tap.test("a long chain", function()
  local lines = { "s0:" }
  for i = 1, 150 do lines[#lines + 1] = ("s%d: s%d"):format(i, i - 1) end
  local g = make(lines)
  tap.is(#g:requirements "s150", 150)
  tap.is(#g:dependents "s0", 150)
  ok(g:cycle() == nil)
end)

local members = { "a", "b", "c" }
local function affected(strategy, name)
  return groups.affected({ strategy = strategy, members = members }, name)
end

tap.test("the strategies of groups", function()
  is_deeply(affected("one_for_one", "b"), {})
  is_deeply(affected("one_for_all", "b"), { "a", "c" })
  is_deeply(affected("rest_for_one", "a"), { "b", "c" })
  is_deeply(affected("rest_for_one", "b"), { "c" })
  is_deeply(affected("rest_for_one", "c"), {})
  ok(groups.is_strategy "one_for_all")
  ok(not groups.is_strategy "all_for_one")
end)

tap.done()
