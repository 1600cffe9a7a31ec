-- After kill -9 of luvisor nothing of its services lives on.
local fs = require "luvisor.fs"
local process = require "luvisor.process"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"
local SUPPORT = os.getenv "LUVISOR_SOURCE" .. "/tests/support/"
local services = dofile(SUPPORT .. "services.lua")

local is, ok = tap.is, tap.ok
local LUVISOR = assert(os.getenv "LUVISOR", "LUVISOR is not set")

-- A luvisor that supervises. Its table of services comes as text, by the
-- environment: marks on its own command line would be found.
local PROGRAM <const> = [[
local services = dofile "]] .. SUPPORT .. [[services.lua"
local tree = require "luvisor.core.proctree"
if arg[1] == "without cgroups" then tree.cgroup_own = function() end end
local sup <close> = require "luvisor.supervisor".new(services.config(
  load("return " .. os.getenv "SERVICES")()))
local guard = sup.descendants.guard
print(guard.process.pid)
sup:start_all()
sup:run()
]]

-- Returns the process, and the pid of its guard. MARK in the text is the mark.
local function start(how, text, mark, opts)
  local env = { SERVICES = text:gsub("MARK", mark or "") }
  for name, value in pairs(opts and opts.env or {}) do env[name] = value end
  local p = process.spawn { LUVISOR, "-e", opts and opts.program or PROGRAM,
    how, env = env, stdout = "pipe", stop = { signal = "KILL" },
    stderr = { file = services.TMP .. "/stderr" } }
  return p, tonumber(p.stdout:readline())
end

local function gone(text, name)
  return tap.eventually(function() return #services.alive(text) == 0 end, name)
end

local function there(text, n)
  tap.eventually(function() return #services.alive(text) >= n end)
end

local function is_dead(pid)
  return tree.stat(pid) == nil
end

-- The stderr of the luvisor that was last started, and its guard's.
local function said()
  local text = fs.read_file(services.TMP .. "/stderr")
  fs.remove(services.TMP .. "/stderr")
  services.clean()
  return text
end

local function no_cgroup_of(pid)
  local own = services.has_cgroups() and tree.cgroup_own()
  for _, dir in ipairs(own and tree.cgroup_folders(own) or {}) do
    if dir:find("/luvisor-" .. pid .. ".", 1, true) then return false end
  end
  return true
end

local function guards_of(p)
  local list = {}
  for _, one in ipairs(tree.below { p.pid }) do
    if one.name == "lv-guard" then list[#list + 1] = one.pid end
  end
  return list
end

local FAMILY <const> = [[{
  a = { command = { shell = "sleep MARK & exec sleep MARK" } },
  stubborn = { command = { shell = [=[trap '' TERM; sh -c 'trap "" TERM
    while :; do sleep MARK; done' & while :; do sleep MARK; done]=] } },
  session = { command = { shell = "setsid sleep MARK & exec sleep MARK" } },
  double = { command = { shell =
    "(sh -c '(setsid sleep MARK &)' &); exec sleep MARK" } },
  clean = { command = { shell = "env -i sleep MARK & exec sleep MARK" } },
  stopped = { command = { shell = "sh -c 'kill -STOP $$; sleep MARK'" } },
  both = { command = { shell =
    "sh -c 'env -i setsid sleep MARK & sleep MARK; :' & exec sleep MARK" } },
}]]

local ONE <const> = "{ a = { command = 'sleep MARK' } }"
local TWO <const> = "{ a = { command = { shell = "
  .. "'setsid sleep MARK & exec sleep MARK' } } }"

services.both_ways(function(how)
  tap.test("kill -9 of luvisor leaves none of any kind, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, FAMILY, mark)
    there(mark, 17)
    p:kill()
    p:wait()
    gone(mark, "all are dead")
    tap.eventually(function() return is_dead(guard) end, "its guard ends, too")
    tap.like(said(), "its guard has killed.* sleep %(%d+%)")
    ok(no_cgroup_of(p.pid), "nor a cgroup")
  end)

  tap.test("who shall survive does, " .. how, function()
    local mark = services.mark()
    local live, dead = mark .. "1", mark .. "2"
    local p, guard = start(how, [[{
      live = { command = { shell = "setsid sleep MARK1 & exec sleep MARK1" },
        on_supervisor_death = "survive" },
      dead = { command = { shell = "setsid sleep MARK2 & exec sleep MARK2" } },
    }]], mark)
    there(live, 2)
    there(dead, 2)
    p:kill()
    p:wait()
    gone(dead)
    tap.eventually(function() return is_dead(guard) end)
    is(#services.alive(live), 2)
    for _, one in ipairs(services.alive(live)) do
      signal.send(one.pid, "KILL")
    end
    gone(live)
    said()
  end)

  tap.test("killed while it starts 50 services, " .. how, function()
    for _, some in ipairs { 1, 10, 30, 49 } do
      local mark = services.mark()
      local p = start(how, [[(function()
        local list = {}
        for i = 1, 50 do list["s" .. i] = { command = {
          shell = "setsid sleep MARK & exec sleep MARK" } } end
        return list
      end)()]], mark)
      there(mark, some)
      p:kill()
      p:wait()
      gone(mark, ("after %d"):format(some))
      said()
    end
  end)

  tap.test("a guard that is killed is replaced, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, FAMILY, mark)
    there(mark, 17)
    signal.send(guard, "KILL")
    tap.eventually(function()
      local now = guards_of(p)
      return #now == 1 and now[1] ~= guard
    end)
    p:kill()
    p:wait()
    gone(mark)
    said()
  end)

  tap.test("both killed at once: no leader is left, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, ONE, mark)
    there(mark, 1)
    signal.send(p.pid, "STOP") -- it cannot replace it
    signal.send(guard, "KILL")
    p:kill()
    p:wait()
    gone(mark)
    said()
  end)
end)

tap.test("the guard goes with an orderly end, and lets no signal disturb it",
  function()
    local mark = services.mark()
    local p, guard = start("", ONE, mark)
    there(mark, 1)
    for _, name in ipairs { "TERM", "INT", "HUP", "USR1", "PIPE", "ALRM" } do
      signal.send(guard, name)
    end
    is(tree.stat(guard).name, "lv-guard", "who kills by name misses it")
    is(tree.stat(guard).session, guard, "in a session of its own")
    p:terminate()
    is(p:wait().code, 143)
    ok(is_dead(guard))
    is(#services.alive(mark), 0)
    is(said(), "")
  end)

tap.test("a luvisor that hangs and gets INT twice leaves nothing", function()
  local mark = services.mark()
  local p = start("", TWO, mark, { program = PROGRAM:gsub("sup:run%(%)",
    "sup:wait('a', 'ready') while true do end") })
  there(mark, 2)
  p:send_signal "INT"
  p:send_signal "INT"
  is(p:wait().code, 130)
  gone(mark)
  said()
end)

tap.test("a supervisor within a supervisor: all ends with the outer one",
  function()
    local mark = services.mark()
    local inner = services.TMP .. "/inner.lua"
    local text = PROGRAM:gsub("os.getenv \"SERVICES\"", function()
      return ("%q"):format((ONE:gsub("MARK", mark)))
    end)
    fs.write_file(inner, text)
    local p = start("", ("{ inner = { command = { %q, %q } } }"):format(LUVISOR,
      inner))
    there(mark, 1)
    p:kill()
    p:wait()
    gone(mark)
    gone(inner)
    fs.remove(inner)
    said()
  end)

tap.test("without pidfds", function()
  local mark = services.mark()
  local p = start("", TWO, mark, { env = { LUVISOR_NO_PIDFD = "1" } })
  there(mark, 2)
  p:kill()
  p:wait()
  gone(mark)
  said()
end)

tap.test("it sleeps: no wake-ups while luvisor lives", function()
  local p, guard = start("", "{}")
  local function switches()
    local status = fs.read_file(("/proc/%d/status"):format(guard))
    return status:match "voluntary_ctxt_switches:%s*(%d+)"
  end
  tap.eventually(function() return tree.stat(guard).state == "S" end)
  local before = switches()
  time.sleep(0.3)
  is(switches(), before)
  p:terminate()
  p:wait()
  said()
end)

tap.done()
