-- The keys of a configuration: all that are promised are there, and each is
-- checked.
local config = require "luvisor.supervisor.config"
local schema = require "luvisor.supervisor.schema"
local tap = require "luvisor.tap"

local is, ok = tap.is, tap.ok

local promised = [[
  command run type cwd env env_file user group groups umask nice limits
  oom_score_adj cpu_affinity no_new_privs pty stdin autostart requires wants
  after conflicts restart success_codes backoff burst ready ready_timeout health
  watchdog stop reload log hooks on_exit schedule instances sockets main
  on_supervisor_death]]

tap.test("all that are promised are there", function()
  for name in promised:gmatch "%S+" do
    ok(schema.service[name], name)
  end
end)

-- What is wrong with a service that has this.
local function complaint(key, value)
  local done, err = pcall(config.check_table,
    { services = { a = { command = "true", [key] = value } } })
  return not done and err or nil
end

local nonsense = { 3.5, "no such\0thing", true, function() end, { 1, x = 2 } }

tap.test("each refuses what it cannot be, by its name", function()
  for key in pairs(schema.service) do
    local refused = 0
    for _, value in ipairs(nonsense) do
      local err = complaint(key, value)
      if err then
        refused = refused + 1
        ok(err:is "ConfigError", key)
        ok(tostring(err):find(key, 1, true), key .. ": " .. tostring(err))
      end
    end
    ok(refused >= 3, ("%s refuses %d of %d"):format(key, refused, #nonsense))
  end
end)

tap.test("each of a record refuses what it cannot be, by its path", function()
  for key, entry in pairs(schema.service) do
    for name in pairs(entry.record or {}) do
      local err = complaint(key, { [name] = { x = error } })
      ok(err and tostring(err):find(key .. "." .. name, 1, true),
        key .. "." .. name)
      err = complaint(key, { [name .. "x"] = 1 })
      ok(err and tostring(err):find("unknown key", 1, true), name .. "x")
    end
  end
end)

tap.test("the burst of a group", function()
  local function group(burst)
    local done, result = pcall(config.check_table, {
      services = { a = { command = "true", group = "g" } },
      groups = { g = { burst = burst } } })
    return done and result.groups.g.burst or tostring(result)
  end
  is(group(nil):match "burst", nil)
  tap.is_deeply(group { count = 3 },
    { count = 3, within = 30, retry_after = 300 })
  tap.like(group { cuont = 3 }, 'did you mean "count"')
  tap.like(group { count = -1 }, "an integer, 0 or more")
  tap.like(group(3), "a table as { count = 5")
end)

tap.test("two configurations do not share what was filled in", function()
  local function socket(dir)
    return config.check_table { state_dir = dir, services = {} }.control.socket
  end
  is(socket "/a", "/a/control.sock")
  is(socket "/b", "/b/control.sock")
end)

tap.done()
