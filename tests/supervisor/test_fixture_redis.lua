-- A test file whose fixture is a real server: one redis for all of its tests,
-- owned by the file, gone with it however it ends.
local lv = require "luvisor"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply = tap.is, tap.is_deeply

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local resp = dofile(SOURCE .. "/tests/support/resp.lua")
local servers = dofile(SOURCE .. "/tests/support/servers.lua")

if not servers.has "redis-server" then
  print "1..0 # SKIP there is no redis-server"
  os.exit(0)
end

local PATH <const> = TMP .. "/redis.sock"

local db = servers.redis { path = PATH }
db.ready = { unix = PATH, timeout = 60 }
db.backoff = { initial = 0.01 }

local sup <close> = supervisor.new {
  services = { db = db },
  log = { dir = TMP .. "/log", level = "error" },
  state_dir = TMP .. "/state",
}
sup:start "db"

-- Each test has a connection of its own, and an empty database.
local function test(name, fn)
  tap.test(name, function()
    local redis <close> = resp.connect { path = PATH }
    is(redis:call "FLUSHALL", "OK")
    fn(redis)
  end)
end

test("what was set is got", function(redis)
  is(redis:call("SET", "name", "luvisor\r\n\0"), "OK")
  is(redis:call("GET", "name"), "luvisor\r\n\0")
  is(redis:call("GET", "nobody"), nil)
end)

test("lists and numbers", function(redis)
  is(redis:call("RPUSH", "list", "a", "b", "c"), 3)
  is_deeply(redis:call("LRANGE", "list", 0, -1), { "a", "b", "c" })
  is(redis:call("INCRBY", "n", 41), 41)
  is(redis:call("INCR", "n"), 42)
end)

test("an error is an error", function(redis)
  redis:call("SET", "text", "x")
  tap.throws(function() redis:call("INCR", "text") end, "not an integer")
end)

test("a consumer waits for what a producer pushes", function(redis)
  local got = task.spawn(function()
    local other <close> = resp.connect { path = PATH }
    return other:call("BLPOP", "queue", 30)
  end)
  tap.eventually(function()
    return redis:call("INFO", "clients"):find "blocked_clients:1"
  end, 30)
  redis:call("RPUSH", "queue", "work")
  is_deeply(got:join(), { "queue", "work" })
end)

test("many clients at once", function(redis)
  task.nursery(function(n)
    for _ = 1, 20 do
      n:spawn(function()
        local one <close> = resp.connect { path = PATH }
        for _ = 1, 20 do one:call("INCR", "sum") end
      end)
    end
  end)
  is(redis:call("GET", "sum"), "400")
end)

tap.test("one of its own, for a test that kills it", function()
  local path = TMP .. "/own.sock"
  local spec = servers.redis { path = path }
  spec.ready, spec.backoff = { unix = path }, { initial = 0.01 }
  local own <close> = supervisor.new {
    services = { own = spec }, log = { dir = TMP .. "/log", level = "error" },
  }
  own:start "own"
  local redis <close> = resp.connect { path = path }
  redis:call("SET", "kept", "no")
  local first = own:status("own").pid
  own:signal("own", "KILL")
  task.timeout(60, function()
    own:find("own")[1]:wait_until(function(i)
      return i.state == "running" and i.pid ~= first
    end)
  end)
  local again <close> = resp.connect { path = path }
  is(again:call("GET", "kept"), nil, "it is back, and empty")
  own:stop "own"
  tap.throws(function() lv.net.connect { path = path } end)
end)

sup:close()
lv.fs.remove(TMP .. "/log", { recursive = true })
tap.done()
