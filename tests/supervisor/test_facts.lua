-- Facts: what a service says of itself reaches those that require it.
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local lv = require "luvisor"
local plain = require "luvisor.control.plain"
local tap = require "luvisor.tap"

local is, is_deeply, like = tap.is, tap.is_deeply, tap.like

local SOURCE <const> = os.getenv "LUVISOR_SOURCE"
local TMP <const> = os.getenv "TMPDIR"
local services = dofile(SOURCE .. "/tests/support/services.lua")
local with = services.with

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

-- A server that chooses its port, and says it in a line.
local function server(line, pattern)
  return { command = { shell = ("echo %s; exec sleep 100"):format(line) },
           ready = { log = pattern }, backoff = { initial = 0.01 } }
end

-- A service that requires it, and writes its environment and words.
local function client(env, words)
  local command = { "sh", "-c", "echo \"$PORT $*\" > told.new; "
    .. "mv told.new told; exec sleep 100", "client" }
  table.move(words or {}, 1, words and #words or 0, 5, command)
  return { command = command, env = env, requires = { "db" }, cwd = TMP }
end

local function told()
  local path = TMP .. "/told"
  tap.eventually(function() return fs.exists(path) end, 30)
  local text = fs.read_file(path)
  os.remove(path)
  return text
end

tap.test("captures of a line, by name and by number", function()
  with({ db = server("'listening on 127.0.0.1, port=6400 fast'",
    "listening on (%S+), (port=%d+) ()") }, function(sup)
    sup:start "db"
    local facts = sup:find("db")[1]:view().facts
    is_deeply(facts, { [1] = "127.0.0.1", port = "6400", [3] = 35 },
      "in functions") -- [3] is a position
  end)
end)

tap.test("a pattern without captures gives the match", function()
  with({ db = server("'so ready now'", "rea%a+") }, function(sup)
    sup:start "db"
    is_deeply(sup:status("db").facts, { ["1"] = "ready" }, "as shown")
    like(json.encode(plain.status(sup:status "db")),
      '"facts":{"1":"ready"}', "as JSON")
  end)
end)

tap.test("{ fact = } in env and command is what it stands for", function()
  with({
    db = server("port=6400 at 10.0.0.1", "^(port=%d+) at (%S+)"),
    web = client({ PORT = { fact = "db.port" } },
      { { fact = "db.2" }, "plain" }),
  }, function(sup)
    sup:start "web"
    is(told(), "6400 10.0.0.1 plain\n")
  end)
end)

tap.test("what a ready function returns are facts, too", function()
  with({
    db = { command = "sleep 100", ready = function(svc)
      return { port = 7000 + svc.pid * 0, secure = true, [1] = "first",
               odd = {}, ["a.b"] = 1 }
    end },
    web = client({ PORT = { fact = "db.port" } }, { { fact = "db.secure" } }),
  }, function(sup)
    sup:start "web"
    is(told(), "7000 true\n")
    is_deeply(sup:status("db").facts,
      { port = 7000, secure = true, ["1"] = "first" })
  end)
end)

tap.test("after a restart they are the new ones", function()
  with({ db = server("port=$$", "(port=%d+)"),
    web = client { PORT = { fact = "db.port" } } }, function(sup)
    sup:start "web"
    local first = told()
    sup:restart "db"
    sup:wait("web", "running", 30)
    local second = told()
    like(second, "^%d+ \n$")
    is(first ~= second, true)
  end)
end)

tap.test("those of one of several instances", function()
  local db = server("port=700$LUVISOR_INSTANCE", "(port=%d+)")
  db.instances = 2
  with({ db = db, web = client({ PORT = { fact = "db.port" } },
    { { fact = "db@2.port" } }) }, function(sup)
    sup:start "web"
    is(told(), "7001 7002\n")
  end)
end)

tap.test("a fact that there is not fails the start, and says which there are",
  function()
    local web = client { PORT = { fact = "db.prot" } }
    web.restart = "never"
    with({ db = server("port=1 x=2", "(port=%d+) (x=%d)"), web = web },
      function(sup)
        local _, err = pcall(sup.start, sup, "web")
        is(tostring(err), "web is failed: no fact \"prot\" of db: it has port, "
          .. "x")
      end)
    with({ db = { command = "sleep 100" }, web = web }, function(sup)
      tap.throws(function() sup:start "web" end,
        "no fact \"prot\" of db: it has none")
    end)
  end)

tap.test("check: a fact must be of a service that is required", function()
  for fact, why in pairs {
    ["cache.port"] = "env: the fact \"cache.port\" is of a service that it "
      .. "does not require",
    ["port"] = "env: PORT: expected a string, a number, { fact = ",
    [1] = "env: PORT: expected a string, a number, { fact = ",
  } do
    tap.throws(function()
      with({ db = server("x", "x"), cache = server("x", "x"),
        web = client { PORT = { fact = fact } } }, function() end)
    end, (why:gsub("%p", "%%%0")))
  end
  tap.throws(function()
    with({ db = server("x", "x"), web = { requires = { "db" },
      command = { { fact = "db.program" } } } }, function() end)
  end, "command: expected a list of words")
  services.clean()
end)

tap.test("a change of the reference restarts, the same does not", function()
  local function config(fact)
    return services.config { db = server("a=1 b=2", "(a=1) (b=2)"),
      web = client { PORT = { fact = fact } } }
  end
  with({ db = server("a=1 b=2", "(a=1) (b=2)"),
    web = client { PORT = { fact = "db.a" } } }, function(sup)
    sup:start "web"
    is(told(), "1 \n")
    is_deeply(sup:plan(config "db.a"), {})
    is(sup:plan(config "db.b")[1].action, "restart")
    sup:apply(config "db.b")
    is(told(), "2 \n")
  end)
end)

tap.done()
