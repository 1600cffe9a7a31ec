-- slow
-- After kill -9 of luvisor nothing of its services lives on.
local fs = require "luvisor.fs"
local signal = require "luvisor.signal"
local tap = require "luvisor.tap"
local time = require "luvisor.time"
local tree = require "luvisor.core.proctree"
local guarded = dofile(os.getenv "LUVISOR_SOURCE"
  .. "/tests/support/guarded.lua")

local is, ok = tap.is, tap.ok
local services, start = guarded.services, guarded.start
local gone, there, said = guarded.gone, guarded.there, guarded.said
local is_dead, kill = guarded.is_dead, guarded.kill
local FAMILY <const>, COUNT <const> = guarded.FAMILY, guarded.COUNT
local PROGRAM <const> = guarded.PROGRAM

local ONE <const> = "{ a = { command = 'sleep MARK' } }"
local TWO <const> = "{ a = { command = { shell = "
  .. "'setsid sleep MARK & exec sleep MARK' } } }"

services.both_ways(function(how)
  tap.test("kill -9 of luvisor leaves none of any kind, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, FAMILY, mark)
    there(mark, COUNT)
    kill(p)
    gone(mark, "all are dead")
    tap.eventually(function() return is_dead(guard) end, 30,
      "its guard ends, too")
    tap.like(said(), "its guard has killed.* sleep %(%d+%)")
    ok(guarded.no_cgroup_of(p.pid), "nor a cgroup")
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
    kill(p)
    gone(dead)
    tap.eventually(function() return is_dead(guard) end, 30)
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
      kill(p)
      gone(mark, ("after %d"):format(some))
      said()
    end
  end)

  tap.test("a guard that is killed is replaced, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, FAMILY, mark)
    there(mark, COUNT)
    signal.send(guard, "KILL")
    tap.eventually(function()
      local now = guarded.guards_of(p)
      return #now == 1 and now[1] ~= guard
    end, 30)
    kill(p)
    gone(mark)
    said()
  end)

  tap.test("both killed at once: no leader is left, " .. how, function()
    local mark = services.mark()
    local p, guard = start(how, ONE, mark)
    there(mark, 1)
    signal.send(p.pid, "STOP") -- it cannot replace it
    signal.send(guard, "KILL")
    kill(p)
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
    local p = start("", ("{ inner = { command = { %q, %q } } }"):format(
      os.getenv "LUVISOR", inner))
    there(mark, 1)
    kill(p)
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
