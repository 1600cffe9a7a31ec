-- `luvisor up` as process 1 of its namespace, as in a container.
local fs = require "luvisor.fs"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local namespaces = dofile(SUPPORT .. "namespaces.lua")
local services = dofile(SUPPORT .. "services.lua")

local is, ok = tap.is, tap.ok
local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

local HEAD <const> = [[
luvisor { state_dir = "state", log = { dir = "log" },
  defaults = { stop = { grace = 10 }, backoff = { initial = 0.02 } } }
]]

-- A configuration in a folder of its own, which goes with its <close>.
local function folder(text)
  local dir = fs.mkdtemp { prefix = "pid1-" }
  local self = setmetatable({ dir = dir, path = dir .. "/luvisor.lua" },
    { __close = function() fs.remove(dir, { recursive = true }) end })
  function self.write(services_text)
    fs.write_file(self.path, HEAD .. services_text)
  end
  function self.err()
    return fs.read_file(dir .. "/err")
  end
  function self.says(pattern)
    return tap.eventually(function() return self.err():find(pattern) end, 30,
      "it says " .. pattern)
  end
  self.write(text)
  return self
end

local function up(self, before)
  local argv = before or {}
  for _, word in ipairs { LUVISOR, "up", "-c", self.path } do
    argv[#argv + 1] = word
  end
  return namespaces.start(argv, { cwd = self.dir, stderr = { file = self.dir
    .. "/err" }, stop = { grace = 20 } })
end

-- Run it to its end; returns the exit code and what it has said.
local function run(text)
  local dir <close> = folder(text)
  local p <close> = up(dir)
  return p:wait(30).code, dir.err()
end

tap.test("the exit code of the main service is that of the container",
  function()
    namespaces.need()
    for script, code in pairs { ["exit 0"] = 0, ["exit 7"] = 7,
      ["exit 255"] = 255, ["kill -9 $$"] = 137, ["kill -TERM $$"] = 143 } do
      is(run(([[service "other" { command = "sleep 600" }
        service "app" { command = { shell = %q }, requires = { "other" },
          restart = "never", main = true }]]):format(script)), code, script)
    end
  end)

tap.test("TERM and INT stop all in order; nothing is left", function()
  namespaces.need()
  for _, name in ipairs { "TERM", "INT" } do
    local mark = services.mark()
    local dir <close> = folder(([[
      service "db" { command = "sleep %s" }
      service "web" { requires = { "db" }, command = { shell =
        "setsid sleep %s & (sleep %s &); exec sleep %s" } }
    ]]):format(mark, mark, mark, mark))
    local p <close> = up(dir)
    tap.eventually(function() return #services.alive(mark) >= 4 end, 30)
    signal.send(namespaces.pid_of(p), name)
    is(p:wait(30).code, 0, name)
    is(#services.alive(mark), 0)
    local err = dir.err()
    ok(err:find "web stopped" < err:find "db stopped", "in order")
  end
end)

tap.test("HUP applies the configuration, USR1 opens the logs again", function()
  namespaces.need()
  local dir <close> = folder [[
    service "a" { command = { shell = "while :; do date; sleep 0.05; done" } }
  ]]
  local p <close> = up(dir)
  dir.says "a running"
  local pid = namespaces.pid_of(p)
  dir.write [[
    service "a" { command = { shell = "while :; do date; sleep 0.05; done" } }
    service "b" { command = "sleep 600" }
  ]]
  signal.send(pid, "HUP")
  dir.says "b running"
  fs.rename(dir.dir .. "/log/a.log", dir.dir .. "/moved")
  signal.send(pid, "USR1")
  tap.eventually(function()
    return fs.stat(dir.dir .. "/log/a.log").size > 0
  end, 30)
  signal.send(pid, "TERM")
  is(p:wait(30).code, 0)
end)

tap.test("it reaps strangers, and has no guard: the kernel is it", function()
  namespaces.need()
  local mark = services.mark()
  local dir <close> = folder(([[service "a" { command = { shell =
    "(sleep 0.01 &); (true &); (true &); exec sleep %s" } }]]):format(mark))
  local p <close> = up(dir)
  dir.says "a running"
  local pid = namespaces.pid_of(p)
  local function look()
    return namespaces.exec(pid, { "sh", "-c", "setsid sleep " .. mark
      .. " >&- 2>&- & cat /proc/[0-9]*/stat 2>&-; :" }).stdout -- one may go
  end
  tap.eventually(function() return not look():find "%) Z" end, 30, "no zombie")
  ok(not look():find "lv%-guard")
  signal.send(pid, "TERM")
  is(p:wait(30).code, 0)
  tap.eventually(function() return #services.alive(mark) == 0 end, 30,
    "nor one that somebody else has started there")
end)

tap.test("kill -9 ends all at once", function()
  namespaces.need()
  local mark = services.mark()
  local dir <close> = folder(([[service "a" { command = { shell =
    "trap '' TERM; env -i setsid sleep %s & (setsid sleep %s &); sleep %s" } }
    ]]):format(mark, mark, mark))
  local p <close> = up(dir)
  tap.eventually(function() return #services.alive(mark) >= 3 end, 30)
  signal.send(namespaces.pid_of(p), "KILL")
  p:wait(30)
  tap.eventually(function() return #services.alive(mark) == 0 end, 30)
end)

tap.test("where there is no /proc it does what it can, and says so",
  function()
    namespaces.need_mounts()
    local mark = services.mark()
    local dir <close> = folder(([[service "a" { command = { shell =
      "trap '' TERM; sleep %s & exec sleep %s" }, stop = { grace = 0.1 } }
      ]]):format(mark, mark))
    local p <close> = up(dir, { "sh", "-c", "mount -t tmpfs none /proc"
      .. [[ && exec "$@"]], "sh" })
    dir.says "there is no /proc"
    tap.eventually(function() return #services.alive(mark) >= 2 end, 30)
    signal.send(namespaces.pid_of(p), "TERM")
    is(p:wait(30).code, 0)
    is(#services.alive(mark), 0)
  end)

tap.test("the root may be read-only, if the state is elsewhere", function()
  namespaces.need_mounts()
  local mark = services.mark()
  local dir <close> = folder(([[service "a" { command = { shell =
    "touch /read-only-root; exec sleep %s" } }]]):format(mark))
  local p <close> = up(dir, { "sh", "-c", "mount --bind . . && cd \"$PWD\" "
    .. [[&& mount -o remount,bind,ro / && exec "$@"]], "sh" })
  tap.eventually(function()
    return fs.read_file(dir.dir .. "/log/a.log"):find "Read%-only"
  end, 30)
  signal.send(namespaces.pid_of(p), "TERM")
  is(p:wait(30).code, 0)
  ok(not fs.exists "/read-only-root")
end)

tap.done()
