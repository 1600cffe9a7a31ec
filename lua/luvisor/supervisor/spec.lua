--- The checked keys of a service. What all services of a file share, the
-- defaults and what follows of them, is checked once and kept once: a spec has
-- of its own what it says itself, and the rest by its metatable. They are only
-- read.
-- @local

local checker = require "luvisor.supervisor.checker"
local schema = require "luvisor.supervisor.schema"

local M = {}

local default_restart = { daemon = "on-failure", oneshot = "never",
                          job = "never" }

-- How long the one run of a oneshot takes nobody knows but who wrote it.
local default_ready_timeout = { daemon = 60, job = 60 }

-- What a spec would have by its metatable anyway is not its own.
local function set(spec, key, value)
  if spec[key] ~= value then spec[key] = value end
end

local function complete(spec, one)
  set(spec, "file", one.file)
  set(spec, "dir", one.dir)
  set(spec, "restart", spec.restart or default_restart[spec.type])
  set(spec, "cwd", spec.cwd or one.dir)
  set(spec, "ready_timeout", spec.ready and spec.ready.timeout
    or spec.ready_timeout or default_ready_timeout[spec.type])
end

-- All keys of a spec, for pairs.
local function all_of(spec)
  local all = {}
  for key, value in next, getmetatable(spec).__index do all[key] = value end
  for key, value in next, spec do all[key] = value end
  return next, all, nil
end

-- What the services of a file share; nil if something is wrong with it, which
-- is told of each of them.
local function new_shared(base, one)
  local is_wrong = false
  local result = checker.check(base, schema.service, { dir = one.dir },
    function() is_wrong = true end)
  if is_wrong then return nil end
  complete(result, one)
  return { value = base, result = result,
           class = { __index = result, __pairs = all_of } }
end

-- A key that has no value cannot hide a shared one.
local function fits(shared, body)
  if body.type ~= nil and body.type ~= shared.result.type then return false end
  return body.ready == nil or shared.value.ready == nil
end

--- Make a function that checks what is said of a service.
-- @tparam table base the keys for all services, as they were written
-- @treturn function called with what was declared (name, body, file, line,
-- dir) and a function to report errors to; returns the spec and its wrong keys
-- as a set
function M.checker(base)
  local by_file = {}
  return function(one, report)
    if by_file[one.file] == nil then
      by_file[one.file] = new_shared(base, one) or false
    end
    local shared = by_file[one.file]
    if not shared or not fits(shared, one.body) then shared = nil end
    local body = checker.merge(base, one.body, schema.service)
    local spec, wrong = checker.check(body, schema.service, { dir = one.dir },
      report, "", shared)
    if shared then setmetatable(spec, shared.class) end
    spec.name, spec.line = one.name, one.line
    complete(spec, one)
    return spec, wrong
  end
end

return M
