--- The control API: every route there is, in one table.
-- A row says the method, the path, the verb that one must be allowed (see
-- access.lua), what its query and its body may have, and what answers it.
-- @local

local errors = require "luvisor.error"
local json = require "luvisor.json"
local problems = require "luvisor.control.problems"
local services = require "luvisor.control.services"
local streams = require "luvisor.control.streams"
local units = require "luvisor.supervisor.units"
local urls = require "luvisor.http.urls"
local whole = require "luvisor.control.whole"

local M = {}

-- Types of what stands in a query, which is text.
local function seconds(text)
  return units.duration(tonumber(text) or text), "seconds, or as 1m30s"
end

local function flag(text)
  local values = { ["1"] = true, ["true"] = true, [""] = true,
                   ["0"] = false, ["false"] = false }
  return values[text], "1 or 0"
end

local function count(text)
  return text:find "^%d+$" and math.tointeger(tonumber(text)) or nil,
    "a number, 0 or more"
end

local function number(text)
  return text:find "^%-?%d+%.?%d*$" and tonumber(text) or nil, "a number"
end

local function word(text)
  return text, "a word"
end

local waiting = { wait = seconds }

local function action(verb, more)
  local row = { "POST", "/v1/services/{name}/" .. verb, verb, services[verb],
                query = waiting }
  for key, value in pairs(more or {}) do row[key] = value end
  return row
end

M.table = {
  { "GET", "/v1/services", "status", services.list },
  { "GET", "/v1/services/{name}", "status", services.one },
  action "start",
  action "stop",
  action "restart",
  action "reload",
  action "run",
  action("signal", { body = { signal = "string|integer" } }),
  action("scale", { body = { instances = "size" } }),
  { "POST", "/v1/services/{name}/wait", "status", services.wait,
    query = { wait = seconds, state = word }, body = { state = "string" } },
  { "GET", "/v1/services/{name}/logs", "logs", streams.logs,
    query = { follow = flag, n = count, since = number } },
  { "GET", "/v1/events", "events", streams.events,
    query = { follow = flag, n = count, service = word } },
  { "GET", "/v1/tree", "status", whole.tree },
  { "GET", "/v1/plan", "plan", whole.plan },
  { "POST", "/v1/apply", "apply", whole.apply, query = waiting },
  { "POST", "/v1/shutdown", "shutdown", whole.shutdown, query = waiting },
  { "GET", "/metrics", "metrics", whole.metrics },
}

local function split(path)
  local segments = {}
  for segment in path:gmatch "[^/]+" do segments[#segments + 1] = segment end
  return segments
end

for _, row in ipairs(M.table) do row.segments = split(row[2]) end

-- The name in the path ("" if it has none), if it is the row's.
local function match(row, segments)
  local name = ""
  if #row.segments ~= #segments then return nil end
  for i, segment in ipairs(row.segments) do
    if segment == "{name}" then
      name = segments[i]
    elseif segment ~= segments[i] then
      return nil
    end
  end
  return name
end

-- The only segment that is not the row's; nil: there are more, or none.
local function misspelt(row, segments)
  local at
  if #row.segments ~= #segments then return nil end
  for i, segment in ipairs(row.segments) do
    if segment ~= "{name}" and segment ~= segments[i] then
      if at then return nil end
      at = i
    end
  end
  return at
end

local function near_path(segments)
  for at = 1, #segments do
    local words = {}
    for _, row in ipairs(M.table) do
      if misspelt(row, segments) == at then
        words[#words + 1] = row.segments[at]
      end
    end
    local near = errors.nearest(segments[at], words)
    if near then
      local path = table.move(segments, 1, #segments, 1, {})
      path[at] = near
      return ("; did you mean /%s?"):format(table.concat(path, "/"))
    end
  end
  return ""
end

--- The row for a request.
-- @tparam table request method, segments, path
-- @treturn table the row
-- @treturn string the name in the path, "" if there is none
-- @raise NotFound; BadMethod, with the header Allow
function M.find(request)
  local method = request.method == "HEAD" and "GET" or request.method
  local allowed
  for _, row in ipairs(M.table) do
    local name = match(row, request.segments)
    if name and row[1] == method then return row, name end
    allowed = allowed or name and row[1]
  end
  if not allowed then
    problems.raise("NotFound", "there is no %s%s", request.path,
      near_path(request.segments))
  end
  local header = allowed == "GET" and "GET, HEAD" or allowed
  errors.raise { kind = "BadMethod", headers = { Allow = header },
    message = ("%s wants %s, not %s"):format(request.path, allowed,
      request.method) }
end

local function unknown(what, name, spec)
  local names = {}
  for known in pairs(spec) do names[#names + 1] = known end
  table.sort(names)
  local near = errors.nearest(name, names)
  errors.usage("%s: unknown %q%s", what, name,
    near and ("; did you mean %q?"):format(near) or "")
end

--- What the query says.
-- @tparam table row
-- @tparam table query
-- @treturn table
-- @raise UsageError
function M.query(row, query)
  local spec, values = row.query or {}, {}
  for name, text in pairs(query) do
    if not spec[name] then unknown("query", name, spec) end
    local value, expected = spec[name](text)
    if value == nil then
      errors.usage("query: %s must be %s, got %q", name, expected, text)
    end
    values[name] = value
  end
  return values
end

--- What the body says.
-- @tparam table row
-- @tparam string body JSON, or nothing
-- @treturn table
-- @raise UsageError, SyntaxError
function M.body(row, body)
  if body == "" then return {} end
  local value = json.decode(body, { nulls = false })
  if not body:find "^%s*{" then errors.usage "body: expected an object" end
  return errors.check_options("body", value, row.body or {})
end

--- The path of a row with this name in it.
-- @tparam string path "/v1/services/{name}"
-- @tparam string name
-- @treturn string
function M.path(path, name)
  return (path:gsub("{name}", (urls.encode(name):gsub("%%", "%%%%"))))
end

return M
