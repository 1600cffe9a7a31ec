-- A script as process 1 of its namespace: it reaps, hears signals, and its
-- children are as they would be elsewhere.
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local namespaces = dofile(SUPPORT .. "namespaces.lua")

local is = tap.is
local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

-- Stands before each script: `zombies` counts them, `eventually` waits.
local PRELUDE <const> = [[
  local fs = require "luvisor.fs"
  local process = require "luvisor.process"
  local task = require "luvisor.task"
  local time = require "luvisor.time"

  local function state_of(pid)
    local file <close> = io.open("/proc/" .. pid .. "/stat")
    return file and file:read "a":match "%) (%a)"
  end

  local function count(state)
    local n = 0
    for _, entry in ipairs(fs.scandir "/proc") do
      if entry.name:find "^%d+$" and state_of(entry.name) == state then
        n = n + 1
      end
    end
    return n
  end

  local function eventually(fn)
    local deadline = time.now() + 30
    while time.now() < deadline do
      if fn() then return true end
      time.sleep(0.005)
    end
    return false
  end
]]

local function run(script, opts)
  return namespaces.script(PRELUDE .. script, opts)
end

local function prints(script, expected, opts)
  local result = run(script, opts)
  is(result.stdout, expected)
  is(result.stderr, "")
end

tap.test("the exit code of the script is that of the container", function()
  namespaces.need()
  for _, code in ipairs { 0, 1, 2, 7, 77, 126, 127, 128, 143, 255 } do
    is(namespaces.script("os.exit(" .. code .. ")").code, code)
  end
end)

tap.test("orphans are reaped when they end", function()
  prints([[
    process.run { shell = "(sleep 0.05 &); (setsid sleep 0.01 &); (true &)" }
    print(eventually(function() return count "S" + count "R" == 1 end))
    print(eventually(function() return count "Z" == 0 end))
  ]], "true\ntrue\n")
end)

tap.test("a thousand of them", function()
  prints([[
    process.run { shell = "i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); "
      .. "(true &); done" }
    print(eventually(function() return count "Z" == 0 end))
  ]], "true\n")
end)

tap.test("zombies that were there before the script are reaped, too",
  function()
    local result = namespaces.run({ "sh", "-c",
      [[(true &); (true &); sleep 0.1 & exec "$LUVISOR" -e "$SCRIPT"]] },
      { env = { SCRIPT = PRELUDE .. [[
        print(eventually(function() return count "Z" == 0 end))
        print(eventually(function() return count "S" + count "R" == 1 end))
        print(eventually(function() return count "Z" == 0 end))
      ]] } })
    is(result.stdout, "true\ntrue\ntrue\n")
  end)

tap.test("no exit code of the script's own children is lost to that", function()
  prints([[
    local orphans = process.spawn { shell = "while :; do (exit 9 &); "
      .. "(true &); done" }
    local list, wrong = {}, 0
    for i = 1, 300 do list[i] = i end
    task.map(list, function(i)
      local p = process.spawn { "sh", "-c", "exit " .. i % 256 }
      if p:wait().code ~= i % 256 then wrong = wrong + 1 end
    end, { jobs = 10 })
    orphans:kill()
    orphans:wait()
    print(wrong, eventually(function() return count "Z" == 0 end))
  ]], "0\ttrue\n")
end)

tap.test("io.popen would take them for strangers, and says so", function()
  prints([[print((select(2, pcall(io.popen, "true"))).kind)]], "UsageError\n")
end)

local function until_it_says(p, line)
  return tap.eventually(function() return p.stdout:readline() == line end)
end

for _, name in ipairs { "TERM", "INT", "HUP" } do
  tap.test(name .. " ends a script as it does elsewhere", function()
    local p <close> = namespaces.start({ LUVISOR, "-e", [[
      local _ <close> = setmetatable({}, { __close = function()
        print "cleaned up" end })
      print "here"
      require "luvisor.time".sleep(600)
    ]] }, { stdout = "pipe" })
    until_it_says(p, "here")
    signal.send(namespaces.pid_of(p), name)
    is(p.stdout:readline(), "cleaned up")
    is(p:wait().code, 128 + signal.number(name))
  end)
end

tap.test("a signal that the script listens for reaches it", function()
  local p <close> = namespaces.start({ LUVISOR, "-e", [[
    local listener <close> = require "luvisor.signal".listen { "USR1", "TERM" }
    print "here"
    for name in listener do
      print(name)
      if name == "TERM" then os.exit(3) end
    end
  ]] }, { stdout = "pipe" })
  until_it_says(p, "here")
  local pid = namespaces.pid_of(p)
  for _, name in ipairs { "USR1", "TERM" } do
    signal.send(pid, name)
    is(p.stdout:readline(), name)
  end
  is(p:wait().code, 3)
end)

-- The kernel drops what process 1 has no handler for. Blocked, a signal stands
-- for one that comes while Lua is being set up.
tap.test("a signal that comes before Lua is up is not lost", function()
  namespaces.need()
  for _, name in ipairs { "TERM", "INT", "HUP" } do
    local result = process.run { "env", "--block-signal=" .. name, "sh", "-c",
      [[exec unshare "$@"]], "sh", "--pid", "--fork", "--kill-child", "--user",
      "--map-root-user", "sh", "-c",
      "kill -" .. name .. [[ $$; exec "$LUVISOR" -e "$SCRIPT"]],
      env = { SCRIPT = [[require "luvisor.time".sleep(600)]] },
      check = false, timeout = 60 }
    if result.stderr:find "unshare:" then tap.skip(result.stderr) end
    is(result.code, 128 + signal.number(name), name)
  end
end)

tap.test("what its children get: no signal blocked or ignored, a group of "
  .. "their own if asked", function()
  local result = namespaces.run({ "env", "--block-signal=TERM,USR1,CHLD",
    "--ignore-signal=USR2", LUVISOR, "-e", [[
      io.write(require "luvisor.process".capture { "sh", "-c",
        "cat /proc/self/status; cut -d' ' -f5,6 /proc/$$/stat; echo $$",
        session = true })
    ]] })
  is(result.stdout:match "SigBlk:%s*(%x+)", ("0"):rep(16))
  is(result.stdout:match "SigCgt:%s*(%x+)", ("0"):rep(16))
  is(result.stdout:match "SigIgn:%s*(%x+)", ("0"):rep(16))
  local group, session, pid = result.stdout:match "(%d+) (%d+)\n(%d+)"
  is(group, pid)
  is(session, pid)
end)

tap.test("what is left at the end is killed", function()
  local mark = ("%d.0001"):format(process.capture { "sh", "-c", "echo $PPID" }
    + 300000)
  local result = run(([[
    process.spawn { shell = "trap '' TERM; setsid sleep %s & (sleep %s &)" }
      :wait()
    print(eventually(function() return count "S" >= 2 end))
  ]]):format(mark, mark))
  is(result.stdout, "true\n")
  is(process.run { "pgrep", "-f", "sleep " .. mark, check = false }.stdout, "")
end)

tap.test("pdeathsig of a child of process 1 is heard at its end", function()
  prints([[
    local p = process.spawn { "sleep", "600", pdeathsig = "KILL" }
    print(eventually(function() return state_of(p.pid) == "S" end))
    p:detach()
  ]], "true\n")
end)

tap.done()
