-- What is remembered over the end of luvisor, however it ends, and never lost
-- to a file that cannot be read or written.
local SOURCE = os.getenv "LUVISOR_SOURCE"
local LUVISOR <const> = assert(os.getenv "LUVISOR")
local TMP <const> = assert(os.getenv "TMPDIR")
local services = dofile(SOURCE .. "/tests/support/services.lua")
local fs = require "luvisor.fs"
local json = require "luvisor.json"
local lv = require "luvisor"
local process = require "luvisor.process"
local supervisor = require "luvisor.supervisor"
local tap = require "luvisor.tap"
local task = require "luvisor.task"

local is, is_deeply, ok = tap.is, tap.is_deeply, tap.ok

local _ = lv.stream.stderr -- is opened once: no leak of the test that does

local PATH <const> = TMP .. "/state/state.json"

local function site(n)
  return services.config {
    a = { command = "sleep 1000" }, b = { command = "sleep 1000" },
    w = { command = "sleep 1000", instances = n or 2 },
  }
end

-- Calls fn with a supervisor that remembers; returns what it says in its log.
local function with(fn, config)
  local sup <close> = supervisor.new(config or site(), { persistent = true })
  local said = {}
  sup.log.write = function(_, level, message, fields)
    if level == "error" then said[#said + 1] = message .. " "
      .. tostring(fields.file) end
  end
  fn(sup)
  sup:close()
  return said
end

local function put(text)
  fs.mkdir(TMP .. "/state", { parents = true })
  fs.write_file(PATH, text)
end

-- The log of a supervisor that begins with what is there.
local function complaints()
  local journal = require "luvisor.supervisor.journal"
  local write, said = journal.new({ level = "info" }).write, {}
  local class = getmetatable(journal.new { level = "info" }).__index
  class.write = function(_, level, message)
    if level == "error" then said[#said + 1] = message end
  end
  with(function() end)
  class.write = write
  return said
end

local function is_up(sup, name)
  return sup:status(name).wanted == "up"
end

tap.test("what was stopped by hand stays so, what was scaled, too", function()
  with(function(sup)
    sup:start_all()
    sup:stop "a"
    sup:stop "w@2"
    sup:scale("w", 3)
  end)
  with(function(sup)
    sup:start_all()
    ok(not is_up(sup, "a") and sup:status("a").by_hand)
    ok(is_up(sup, "b"))
    is(#sup:find "w", 3)
    ok(is_up(sup, "w@1") and not is_up(sup, "w@2") and is_up(sup, "w@3"))
    sup:start "a"
  end)
  with(function(sup)
    sup:start_all()
    ok(is_up(sup, "a"), "what was started again is forgotten")
  end)
  services.clean()
end)

tap.test("scaled holds until the file says another number, though luvisor was "
  .. "down meanwhile", function()
  with(function(sup) sup:scale("w", 4) end)
  with(function(sup) is(#sup:find "w", 4) end)
  with(function(sup) is(#sup:find "w", 1) end, site(1))
  with(function(sup) is(#sup:find "w", 1, "once and for all") end, site(1))
  services.clean()
end)

tap.test("scaled up from none: nothing runs before it is to", function()
  with(function(sup) sup:scale("w", 2) end, site(0))
  with(function(sup)
    is(#sup:find "w", 2)
    ok(not is_up(sup, "w@1"))
    sup:start_all()
    ok(is_up(sup, "w@1"))
  end, site(0))
  services.clean()
end)

local KILLED <const> = [[
local supervisor = require "luvisor.supervisor"
local dir = arg[1]
local sup = supervisor.new({ state_dir = dir, log = { dir = dir },
  services = { a = { command = "true" }, b = { command = "true" } } },
  { persistent = true })
for i = 1, 1000 do
  sup:stop(i % 2 == 0 and "a" or "b")
  if i % 3 == 0 then sup:start("a", { wait = false }) end
  if i == 20 then print "go" io.stdout:flush() end
  require "luvisor.task".sleep(0.001)
end
]]

tap.test("pm2#1035: killed in the middle of writing, again and again: it is "
  .. "whole, never empty", function()
  local dir = TMP .. "/killed"
  fs.mkdir(dir)
  for i = 1, 5 do
    local p <close> = process.spawn { LUVISOR, "-e", KILLED, dir,
                                      stdout = "pipe" }
    p.stdout:readline()
    task.sleep(i * 0.003) -- at another place each time
    p:kill()
    p:wait()
    local state = json.decode(fs.read_file(dir .. "/state.json"))
    is(state.version, 1)
    ok(state.stopped.b, "it knows what was stopped")
  end
  fs.remove(dir, { recursive = true })
end)

local unreadable = {
  { "empty", "" }, { "cut off", '{"version": 1, "stopped": {"a"' },
  { "no JSON", "\0\0\0\0" }, { "a list", "[]" },
  { "of another version", '{"version": 99, "stopped": {}, "scaled": {}}' },
  { "of another shape", '{"version": 1, "stopped": 3, "scaled": {"w": -1}}' },
}

for _, case in ipairs(unreadable) do
  tap.test(("pm2#2827: one that is %s is reported and moved aside"):format(
    case[1]), function()
    put(case[2])
    local said = complaints()
    is_deeply(said,
      { "the saved state cannot be read and was moved aside" })
    is(fs.read_file(PATH .. ".unreadable"), case[2])
    put "worse"
    complaints()
    is(fs.read_file(PATH .. ".unreadable"), case[2], "the first is kept")
    is(fs.read_file(PATH .. ".unreadable-2"), "worse")
    services.clean()
  end)
end

tap.test("one that can be neither read nor moved is left as it is", function()
  put "not ours"
  local rename = fs.rename
  fs.rename = function() error("no", 0) end
  local sup <close> = supervisor.new(site(), { persistent = true })
  fs.rename = rename
  sup.log.write = function() end
  sup:stop "a"
  sup:close()
  is(fs.read_file(PATH), "not ours")
  services.clean()
end)

tap.test("pm2#3485: the disk is full: the old state stays, it is said, and the "
  .. "next change is written", function()
  local said = with(function(sup)
    sup:stop "a"
    sup.store:flush()
    local before = fs.read_file(PATH)
    local write = fs.write_file
    fs.write_file = function()
      lv.error.raise { kind = "OSError", code = "ENOSPC",
                       message = "No space left on device" }
    end
    sup:stop "b"
    sup.store:flush()
    fs.write_file = write
    is(fs.read_file(PATH), before)
    sup:stop "w"
    sup.store:flush()
    local state = json.decode(fs.read_file(PATH))
    ok(state.stopped.a and state.stopped.b and state.stopped["w@1"])
  end)
  is_deeply(said, { "the state cannot be saved " .. PATH })
  services.clean()
end)

tap.test("many changes at once are written once, and nobody waits for it",
  function()
    with(function(sup)
      local writes, write = 0, fs.write_file
      fs.write_file = function(...)
        writes = writes + 1
        return write(...)
      end
      for _ = 1, 50 do sup:stop "a" sup:stop "b" end
      sup.store:flush()
      fs.write_file = write
      ok(writes <= 2, writes .. " writes")
    end)
    services.clean()
  end)

tap.test("it is its owner's alone", function()
  with(function(sup) sup:stop "a" end)
  is(fs.stat(PATH).mode & 511, 384)
  services.clean()
end)

tap.test("a change of the configuration forgets what is gone", function()
  with(function(sup)
    sup:stop "a"
    local less = site()
    less.services.a = nil
    sup:apply(less)
  end)
  is_deeply(json.decode(fs.read_file(PATH)).stopped, {})
  services.clean()
end)

tap.done()
